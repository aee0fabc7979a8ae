"""%opencode: one method for each subcommand; its docstring is its help, its parser what Tab completes."""

from __future__ import annotations

import argparse
import difflib
import shlex
from argparse import Namespace
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from IPython.core.error import UsageError

from opencode_nb.conversation.models import ModelError
from opencode_nb.conversation.state import Json
from opencode_nb.conversation.sync import Session
from opencode_nb.conversation.turn import Turn
from opencode_nb.magics.options import MagicParser, prompt_parser
from opencode_nb.magics.prompt import announcement
from opencode_nb.magics.workspace import Workspace

LISTED_SESSIONS = 20
"""Sessions that `%opencode sessions` shows unless told otherwise."""


class Command(NamedTuple):
    """A subcommand: its parser, and what carries it out."""

    parser: MagicParser
    run: Callable[[Namespace], Any]


class LineMagic:
    """The %opencode magic over one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.commands: dict[str, Command] = {}
        self._add("start", self._start, _start_options)
        self._add("stop", self._stop)
        self._add("restart", self._restart)
        self._add("status", self._status)
        self._add("new", self._new, lambda parser: parser.add_argument("title", nargs="*", metavar="TITLE"))
        self._add("use", self._use, lambda parser: parser.add_argument("session", nargs="+", metavar="SESSION"))
        self._add("sessions", self._sessions, _sessions_options)
        self._add("models", self._models)
        self._add("agents", self._agents)
        self._add("abort", self._abort)
        self._add("undo", self._undo)
        self._add("redo", self._redo)
        self._add("install", self._install, _install_options)
        self._add("help", self._help, lambda parser: parser.add_argument("command", nargs="?", metavar="COMMAND"))

    def _add(
        self, name: str, run: Callable[[Namespace], Any], options: Callable[[MagicParser], Any] = lambda parser: None
    ) -> None:
        parser = MagicParser(f"%opencode {name}", f"%opencode help {name} tells more.", run.__doc__)
        options(parser)
        self.commands[name] = Command(parser, run)

    def run(self, line: str) -> Any:
        """Carry one line out. Raises UsageError for an unknown or wrong one."""
        words = line.split(maxsplit=1)
        name, rest = (words[0], words[1] if len(words) > 1 else "") if words else ("status", "")
        command = self.commands.get(name)
        if command is None:
            raise UsageError(_no_such_command(name, self.commands))
        return command.run(command.parser.parse_line(rest))

    def help(self) -> str:
        """All subcommands, a line each."""
        lines = [
            f"  {name:<10}{(command.run.__doc__ or '').splitlines()[0]}" for name, command in self.commands.items()
        ]
        return "\n".join(
            [
                "%opencode COMMAND",
                "",
                *lines,
                "",
                "%opencode help COMMAND tells more; %opencode help prompt lists the options of %%prompt.",
            ]
        )

    # -- the server ------------------------------------------------------------------------------------------------

    def _start(self, options: Namespace) -> None:
        """Start the agent, with options that hold until it is started anew."""
        wanted = {
            "model": options.model,
            "agent": options.agent,
            "directory": options.directory,
            "permission": options.permission,
            "demo": options.demo or None,
        }
        earlier = self.workspace.session
        ai = self.workspace.configure(**{key: value for key, value in wanted.items() if value is not None})
        _say("Starting OpenCode…")
        ai.start()
        self._status(options)
        if options.demo:
            _say(
                "It plays fixed turns, chosen by plain words: any %%prompt that it does not know gets the list of them."
            )
        if earlier is not None:
            _say(f"The session before is kept: %opencode use {earlier.id} goes on with it.")
        if options.model:
            ai.model_choice()  # a wrong one fails this cell, rather than the first prompt

    def _stop(self, _options: Namespace) -> None:
        """Stop the server; the next prompt starts it again, with the same options and session."""
        running, cut_off = self.workspace.running, self._busy()
        self.workspace.stop()
        if cut_off:
            _say("The turn that was running is cut off; what came until then is kept.")
        _say("OpenCode is stopped; the next %%prompt starts it again." if running else "OpenCode was not running.")

    def _restart(self, options: Namespace) -> None:
        """Restart the agent alone: the kernel, its variables and the current session stay."""
        self._stop(options)
        _say("Starting OpenCode…")
        self.workspace.ai.start()
        self._status(options)

    def _busy(self) -> bool:
        return self.workspace.session is not None and self.workspace.session.busy

    def _status(self, _options: Namespace) -> None:
        """Show the server, the model and the current session."""
        ai, server, session = self.workspace.ai, self.workspace.ai.server, self.workspace.session
        if not self.workspace.running:
            _say("OpenCode is not running; the next %%prompt starts it, or %opencode start.")
            if server is not None:
                _say(f"It ended by itself. Its log: {server.log_path}")
            return
        _say(f"OpenCode {ai.version} at {ai.client.base_url}, in {ai.directory}")
        if server is not None:
            _say(f"Log: {server.log_path}")
        try:
            _say(announcement(ai.model_choice()))
        except ModelError as error:
            _say(f"Model: {error}")
        _say(
            f"Session: {_named(session)}, ${session.cost:.4f}" if session else "Session: the first %%prompt makes one."
        )
        if self._busy():
            _say("A turn is running: %opencode abort stops it.")

    # -- sessions --------------------------------------------------------------------------------------------------

    def _new(self, options: Namespace) -> None:
        """Begin a new session; prompts go to it from now on."""
        before, busy = self.workspace.session, self._busy()
        session = self.workspace.new(" ".join(options.title) or None)
        _say(f"New session: {_named(session)}")
        if before is not None and busy:
            _say(f"The turn in the session before goes on: %opencode use {before.id} goes back to it.")

    def _use(self, options: Namespace) -> None:
        """Go on with an earlier session: its id, the beginning of it, or its title."""
        session = self.workspace.use(" ".join(options.session))
        count = len(session.turns())
        _say(f"Session: {_named(session)}, {count} turn{'' if count == 1 else 's'}")

    def _sessions(self, options: Namespace) -> None:
        """List the sessions of this directory, newest first."""
        listed = self.workspace.ai.sessions(search=" ".join(options.search) or None, limit=options.limit)
        current = self.workspace.session.id if self.workspace.session else ""
        for info in listed:
            _say(_session_line(info, info["id"] == current))
        if not listed:
            _say("No session here has that in its title." if options.search else "No sessions here yet.")

    def _models(self, _options: Namespace) -> None:
        """List the models that can be used now."""
        models = self.workspace.ai.models()
        if not models:
            self.workspace.ai.model_choice()  # raises what to do where none is set up
        _say("\n".join(models))

    def _agents(self, _options: Namespace) -> None:
        """List the agents that a prompt can be given to."""
        for agent in self.workspace.ai.agents():
            _say(f"{agent['name']:<12}{agent.get('description') or ''}")

    def _abort(self, _options: Namespace) -> None:
        """Stop what the agent does; what came is kept."""
        if not self.workspace.running:
            _say("OpenCode is not running.")
            return
        busy = self._busy()
        self.workspace.ai.abort_all()
        _say("Stopped. What came until then is kept." if busy else "Nothing was running in this session.")

    def _undo(self, _options: Namespace) -> None:
        """Undo the last turn, and what it changed in files (in a git repository)."""
        session = self.workspace.session
        turns = session.turns() if session is not None else []
        if session is None or not turns:
            _say("There is nothing to undo here; %opencode sessions lists earlier sessions.")
            return
        if session.busy:
            _say("A turn is running: wait for its end, or stop it with %opencode abort, then undo it.")
            return
        last = turns[-1]
        reverted = session.revert(last).get("revert") or {}
        _say(f"Undone: {next(iter(last.prompt.splitlines()), last.id)}")
        _say(_restored(last, by_git=bool(reverted.get("snapshot"))))

    def _redo(self, _options: Namespace) -> None:
        """Bring back what undo took."""
        session = self.workspace.session
        if session is None or not session._async.transcript.info.get("revert"):
            _say("Nothing is undone: undo can be taken back until the next prompt.")
            return
        session.unrevert()
        _say("Everything undone is back.")

    # -- the program -----------------------------------------------------------------------------------------------

    def _install(self, options: Namespace) -> None:
        """Install the `opencode` program for this user."""
        from opencode_nb.server.binary import PINNED_VERSION
        from opencode_nb.server.install import install_binary

        told: list[str] = []

        def tell(step: str, _written: int) -> None:
            if step not in told:
                told.append(step)
                _say(f"{step}…")

        path = install_binary(options.version or PINNED_VERSION, progress=tell)
        _say(f"Installed: {path}")

    def _help(self, options: Namespace) -> None:
        """Show the commands, or one of them."""
        parsers = {"prompt": prompt_parser(), **{name: command.parser for name, command in self.commands.items()}}
        wanted = (options.command or "").lstrip("%")
        if wanted and wanted not in parsers:
            raise UsageError(_no_such_command(wanted, parsers))
        _say(parsers[wanted].format_help() if wanted else self.help())


def _start_options(parser: MagicParser) -> None:
    parser.add_argument("--demo", action="store_true", help="use the scripted demo model, which is not an AI")
    parser.add_argument("-m", "--model", metavar="MODEL", help="provider/model for prompts that name none")
    parser.add_argument("-a", "--agent", metavar="AGENT", help="agent for prompts that name none")
    parser.add_argument(
        "-d", "--directory", metavar="PATH", type=_directory, help="where the agent works (default: here)"
    )
    parser.add_argument("--permission", metavar="RULE", choices=["ask", "allow", "deny"], help="ask, allow or deny")


def _directory(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {text}")
    return path


def _sessions_options(parser: MagicParser) -> None:
    parser.add_argument("search", nargs="*", metavar="WORDS", help="only those whose title has these words")
    parser.add_argument("-n", "--limit", type=int, metavar="N", default=LISTED_SESSIONS, help="how many at most")


def _install_options(parser: MagicParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help="another version than the tested one")


def _session_line(info: Json, current: bool) -> str:
    updated = datetime.fromtimestamp(info["time"]["updated"] / 1000).strftime("%Y-%m-%d %H:%M")
    return f"{'*' if current else ' '} {info['id']}  {updated}  {info.get('title') or ''}"


def _named(session: Session) -> str:
    return f"{session.id} {session.title}".strip()


def _no_such_command(name: str, commands: Collection[str]) -> str:
    close = [command for command in commands if command.startswith(name)] or difflib.get_close_matches(name, commands)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"%opencode {name}: no such command.{meant} There are: {', '.join(commands)}."


def _restored(turn: Turn, *, by_git: bool) -> str:
    """What became of the files. The server restores from git alone, and answers the same where there is none."""
    files = ", ".join(shlex.quote(diff.file) for diff in turn.diffs)
    if by_git:
        return f"Restored: {files}" if files else "It had changed no files."
    if not turn.tools:
        return "It had changed no files."
    known = f" Still changed: {files}" if files else ""
    return f"Only the conversation is undone: outside a git repository files cannot be restored.{known}"


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a line magic's output is its printed text
