"""%opencode: one method for each subcommand; its docstring is its help, its parser what Tab completes."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from IPython.core.error import UsageError

from ..conversation.state import Json
from .options import MagicParser
from .workspace import Workspace

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
        parser = MagicParser(prog=f"%opencode {name}", add_help=False, allow_abbrev=False, description=run.__doc__)
        options(parser)
        self.commands[name] = Command(parser, run)

    def run(self, line: str) -> Any:
        """Carry one line out. Raises UsageError for an unknown or wrong one."""
        words = line.split(maxsplit=1)
        name, rest = (words[0], words[1] if len(words) > 1 else "") if words else ("status", "")
        command = self.commands.get(name)
        if command is None:
            raise UsageError(f"%opencode {name}: no such command. There are: {', '.join(self.commands)}.")
        return command.run(command.parser.parse_line(rest))

    def help(self) -> str:
        """All subcommands, a line each."""
        lines = [
            f"  {name:<10}{(command.run.__doc__ or '').splitlines()[0]}" for name, command in self.commands.items()
        ]
        return "\n".join(
            ["%opencode COMMAND", "", *lines, "", "%opencode help COMMAND tells more; %%prompt? has its options."]
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
        ai = self.workspace.configure(**{key: value for key, value in wanted.items() if value is not None})
        _say("Starting OpenCode…")
        ai.start()
        self._status(options)

    def _stop(self, _options: Namespace) -> None:
        """Stop the server; sessions stay in its store."""
        running = self.workspace.running
        self.workspace.stop()
        _say("OpenCode is stopped; its sessions are kept." if running else "OpenCode was not running.")

    def _restart(self, options: Namespace) -> None:
        """Restart the agent alone: the kernel, its variables and the current session stay."""
        self.workspace.ai.close()
        self.workspace.ai.start()
        self._status(options)

    def _status(self, _options: Namespace) -> None:
        """Show the server, the model and the current session."""
        ai, server = self.workspace.ai, self.workspace.ai.server
        if not self.workspace.running:
            _say("OpenCode is not running; the first %%prompt starts it, or %opencode start.")
            if server is not None:
                _say(f"It ended by itself. Its log: {server.log_path}")
            return
        _say(f"OpenCode {ai.version} at {ai.client.base_url}, in {ai.directory}")
        if server is not None:
            _say(f"Log: {server.log_path}")
        choice = ai.model_choice()
        _say(f"Model: {choice.model} ({choice.name} of {choice.provider_name}), by {choice.chosen_by}")
        session = self.workspace.session
        _say(f"Session: {session.id} {session.title} (${session.cost:.4f})" if session else "Session: none yet")

    # -- sessions --------------------------------------------------------------------------------------------------

    def _new(self, options: Namespace) -> None:
        """Begin a new session; prompts go to it from now on."""
        session = self.workspace.new(" ".join(options.title) or None)
        _say(f"New session {session.id} {session.title}")

    def _use(self, options: Namespace) -> None:
        """Go on with an earlier session: its id, the beginning of it, or its title."""
        session = self.workspace.use(" ".join(options.session))
        _say(f"Session {session.id} {session.title}, {len(session.turns())} turns")

    def _sessions(self, options: Namespace) -> None:
        """List the sessions of this directory, newest first."""
        listed = self.workspace.ai.sessions(search=" ".join(options.search) or None, limit=options.limit)
        current = self.workspace.session.id if self.workspace.session else ""
        for info in listed:
            _say(_session_line(info, info["id"] == current))
        if not listed:
            _say("No sessions here yet.")

    def _models(self, _options: Namespace) -> None:
        """List the models that can be used now."""
        _say("\n".join(self.workspace.ai.models()) or "None is set up.")

    def _agents(self, _options: Namespace) -> None:
        """List the agents that a prompt can be given to."""
        for agent in self.workspace.ai.agents():
            _say(f"{agent['name']:<12}{agent.get('description') or ''}")

    def _abort(self, _options: Namespace) -> None:
        """Stop what the agent does; what came is kept."""
        if not self.workspace.running:
            _say("OpenCode is not running.")
            return
        self.workspace.ai.abort_all()
        _say("Stopped.")

    def _undo(self, _options: Namespace) -> None:
        """Undo the last turn, and what it changed in files (in a git repository)."""
        session = self.workspace.current()
        turns = session.turns()
        if not turns:
            _say("Nothing to undo in this session.")
            return
        session.revert(turns[-1])
        _say(f"Undone: {turns[-1].prompt.splitlines()[0] if turns[-1].prompt else turns[-1].id}")
        _say(_restored(turns[-1].diffs, bool(turns[-1].state.diffs)))

    def _redo(self, _options: Namespace) -> None:
        """Bring back what undo took."""
        self.workspace.current().unrevert()
        _say("Everything undone is back.")

    # -- the program -----------------------------------------------------------------------------------------------

    def _install(self, options: Namespace) -> None:
        """Install the `opencode` program for this user."""
        from ..server.binary import PINNED_VERSION
        from ..server.install import install_binary

        path = install_binary(options.version or PINNED_VERSION, progress=_say)
        _say(f"Installed: {path}")

    def _help(self, options: Namespace) -> None:
        """Show the commands, or one of them."""
        command = self.commands.get(options.command or "")
        if options.command and command is None:
            raise UsageError(f"%opencode {options.command}: no such command. There are: {', '.join(self.commands)}.")
        _say(command.parser.format_help() if command else self.help())


def _start_options(parser: MagicParser) -> None:
    parser.add_argument("--demo", action="store_true", help="use the scripted demo model, which is not an AI")
    parser.add_argument("-m", "--model", metavar="MODEL", help="provider/model for prompts that name none")
    parser.add_argument("-a", "--agent", metavar="AGENT", help="agent for prompts that name none")
    parser.add_argument("-d", "--directory", metavar="PATH", help="where the agent works (default: here)")
    parser.add_argument("--permission", metavar="RULE", choices=["ask", "allow", "deny"], help="ask, allow or deny")


def _sessions_options(parser: MagicParser) -> None:
    parser.add_argument("search", nargs="*", metavar="WORDS", help="only those whose title has these words")
    parser.add_argument("-n", "--limit", type=int, metavar="N", default=LISTED_SESSIONS, help="how many at most")


def _install_options(parser: MagicParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help="another version than the tested one")


def _session_line(info: Json, current: bool) -> str:
    updated = datetime.fromtimestamp(info["time"]["updated"] / 1000).strftime("%Y-%m-%d %H:%M")
    return f"{'*' if current else ' '} {info['id']}  {updated}  {info.get('title') or ''}"


def _restored(diffs: list[Any], by_git: bool) -> str:
    files = ", ".join(shlex.quote(diff.file) for diff in diffs)
    if not diffs:
        return "It had changed no files."
    if by_git:
        return f"Restored: {files}"
    return f"Outside a git repository files cannot be restored; unchanged are: {files}"


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a line magic's output is its printed text
