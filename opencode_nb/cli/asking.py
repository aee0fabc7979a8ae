"""Run `opencode-nb ask` on the package's own sessions: one turn or a dialogue."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from typing import Any

from opencode_nb.cli.ending import OVER_LIMIT, TIMED_OUT, ending_signals
from opencode_nb.cli.output import JsonView, PlainView, View, tell_unsent
from opencode_nb.errors import BudgetExceededError, OpencodeError, TurnTimeoutError
from opencode_nb.session.blocking import Opencode, Session, session_for_prompt
from opencode_nb.session.blocking_compose import read
from opencode_nb.session.models import announcement
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.session.prompt.commands import Said
from opencode_nb.session.turn import Turn
from opencode_nb.terminal import TerminalView


class Asking:
    """One run of the command. Raises ValueError for invalid options."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._ai = Opencode(
            model=options.model,
            agent=options.agent,
            variant=options.variant,
            effort=options.effort,
            directory=options.directory,
            demo=options.demo,
            port=options.port,
            **_joining(options.url),
            permission=options.permission or "ask",
            timeout=options.timeout,
            max_cost=options.max_cost,
            max_tokens=options.max_tokens,
            max_steps=options.max_steps,
            max_tools=options.max_tools,
        )

    def once(self, prompt: str) -> int:
        """Send one prompt and return the exit code. Raises OpencodeError if nothing could be sent."""
        try:
            with ending_signals(), self._ai as ai, session_for_prompt(ai, self._begin(ai)) as session:
                return exit_code(self.turn(session, self._read(ai, prompt)))
        except OpencodeError as error:
            if self._options.json:
                tell_unsent(error)
            raise

    def dialogue(self, prompt: str) -> int:
        """Send prompts from the terminal, starting with `prompt` unless empty, and return the exit code."""
        from opencode_nb.cli.dialogue import Dialogue

        with ending_signals(), self._ai as ai:
            return Dialogue(ai, self._begin(ai), self.turn).run(prompt)

    def turn(self, session: Session, said: Said) -> Turn:
        """Run one turn, shown as it streams; return a failed one, too. Raises OpencodeError if it could not be sent."""
        jobs = Jobs()
        with self._view(session, jobs) as view, session.stopped_by_interrupt():
            turn = self._send(session, said, view)
            view.attach(turn)
            return session.wait(turn, jobs)

    def _read(self, ai: Opencode, prompt: str) -> Said:
        """Return what the prompt means; text that is only piped in is never a command. Raises OpencodeError."""
        said = read(ai, prompt) if self._options.prompt else Said("prompt", prompt)
        if said.kind == "own":
            raise OpencodeError(f"/{said.name} acts in a dialogue: start one with opencode-nb ask -i.")
        return said

    # -- before --------------------------------------------------------------------------------------------------------

    def _begin(self, ai: Opencode) -> Session | None:
        """Return the session to continue, None for a new one; print the model if it is new to the user."""
        session = self._session(ai)
        if self._options.model or session is None or not session.turns():
            print(announcement(ai.model_choice()), file=sys.stderr)
        return session

    def _session(self, ai: Opencode) -> Session | None:
        if self._options.session:
            return self._here(ai, self._options.session)
        if not self._options.last:
            return None
        latest = ai.sessions(limit=1)
        if not latest:
            raise OpencodeError(f"There is no session in {ai.directory} yet: leave out --continue to start one.")
        return ai.session(id=str(latest[0]["id"]))

    def _here(self, ai: Opencode, wanted: str) -> Session:
        """Return the session, if it is of this directory: each directory has its own event stream."""
        info = ai.find_session(wanted)
        directory = str(info.get("directory") or ai.directory)
        if directory != str(ai.directory):
            raise OpencodeError(f"That session belongs to another directory: add --directory {directory}.")
        return ai.session(id=info["id"])

    def _view(self, session: Session, jobs: Jobs) -> View:
        if self._options.json:
            return JsonView(session, jobs)
        return TerminalView(session, jobs) if sys.stdout.isatty() else PlainView(session, jobs)

    def _send(self, session: Session, said: Said, view: View) -> Turn:
        files = self._options.file
        if said.kind == "shell":
            return session.shell(said.text, wait=False)
        try:
            if said.kind == "command":
                return session.command(said.name, said.text, files=files, person=view.person, wait=False)
            return session.prompt(
                said.text,
                files=files,
                mentions=self._options.interactive,
                person=view.person,
                wait=False,
            )
        except (OSError, ValueError) as error:  # a file that does not exist or cannot be read
            raise OpencodeError(str(error)) from error


def _joining(url: str | None) -> dict[str, Any]:
    """Return the options to join a server; its password comes from the environment, or from the terminal."""
    from opencode_nb.server.environment import PASSWORD

    if url is None:
        return {}
    password = os.environ.get(PASSWORD)
    if password is None and sys.stdin is not None and sys.stdin.isatty():
        password = getpass.getpass(f"Password of {url} (empty for none): ")
    return {"base_url": url, "password": password or None}


def exit_code(turn: Turn) -> int:
    """Return the exit code for a turn."""
    if turn.error is None:
        return 0
    if isinstance(turn.error, BudgetExceededError):
        return OVER_LIMIT
    return TIMED_OUT if isinstance(turn.error, TurnTimeoutError) else 1
