"""Subcommands for the agent's server: start, stop, restart, status, log."""

from __future__ import annotations

import argparse
import getpass
import os
from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from opencode_nb.errors import ModelError, OpencodeError
from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.commands.sessions import named
from opencode_nb.magics.options import EFFORT, LATE, dollars, seconds, whole_number
from opencode_nb.magics.showing.frontend import can_ask
from opencode_nb.magics.workspace import PASSWORD, Workspace
from opencode_nb.secret import Secret
from opencode_nb.session.models import CELL, announcement, told_in
from opencode_nb.session.permissions import option as permission_option
from opencode_nb.session.prompt.variants import EFFORTS

if TYPE_CHECKING:
    from opencode_nb.server.status import Holder, ServerStatus
    from opencode_nb.session.blocking import Opencode
    from opencode_nb.session.incoming.health import Health

LOG_LINES = 20

group = Group("The agent")


# --- start ------------------------------------------------------------------------------------------------------------


def _directory(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"directory {text} does not exist")
    return path


_ACP = (
    "use an agent of the Agent Client Protocol instead of the server: the rest of the line is its command, or its name "
    "in OpencodeMagics.agents (default: opencode acp)"
)


@group.command(
    argument("--demo", action="store_true", help="use the scripted demo model, which is not an AI"),
    argument("-m", "--model", metavar="MODEL", help="default provider/model for prompts"),
    argument("-a", "--agent", metavar="AGENT", help="default agent for prompts"),
    argument("--variant", metavar="VARIANT", help="default variant of the model for prompts"),
    argument("--effort", metavar="EFFORT", choices=EFFORTS, help=f"default effort for prompts: {EFFORT}"),
    argument(
        "-d",
        "--directory",
        metavar="PATH",
        type=_directory,
        help="the agent's working directory (default: the current one)",
    ),
    argument("--permission", **permission_option.ARGUMENT, help=permission_option.HELP),
    argument("--timeout", metavar="SECONDS", type=seconds, help="stop a turn after this many seconds"),
    argument("--max-cost", metavar="USD", type=dollars, help=f"stop a turn above this cost, {LATE}"),
    argument("--max-steps", metavar="N", type=whole_number, help="stop a turn after this many steps of the model"),
    argument("--own", action="store_true", help="use a server of this kernel's own, not the shared one"),
    argument("--binary", metavar="PROGRAM", help="the opencode program: a path or an installed version"),
    argument(
        "--url",
        metavar="URL",
        help=f"connect to a running server; its password comes from ${PASSWORD}, or you are asked",
    ),
    argument("--acp", nargs=argparse.REMAINDER, metavar="AGENTS", help=_ACP),
)
def start(workspace: Workspace, options: Namespace) -> None:
    """Start the agent; the options stay in effect until the next start."""
    earlier = workspace.session
    with workspace.renewed(**_wanted(workspace, options)) as ai:
        if ai.recording is None:
            say("Connecting…" if ai.joined else f"Starting {ai.name}…")
        ai.start()
        if options.model and ai.recording is None:
            ai.model_choice()  # fail this cell on a wrong one, rather than the first prompt
    status(workspace, options)
    if options.demo and workspace.ai.recording is None:
        say("The demo model plays scripted turns, chosen by words in the prompt; any other %%prompt lists them.")
    if earlier is not None and not earlier._async.transcript.deleted:
        say(f"The previous session is kept: %opencode use {earlier.id} continues it.")


def _wanted(workspace: Workspace, options: Namespace) -> dict[str, Any]:
    """Return the options that were given, by their names in `Opencode`."""
    names = (
        "model",
        "agent",
        "variant",
        "effort",
        "directory",
        "permission",
        "timeout",
        "max_cost",
        "max_steps",
        "binary",
    )
    wanted = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.demo:
        wanted["demo"] = True
    if options.own:
        wanted["shared"] = False
    if options.acp is not None:
        given = [name for name in _NOT_FOR_AGENTS if getattr(options, name)]
        if given:
            raise UsageError(f"%opencode start: --acp does not go with --{given[0]}: remove one.")
        if options.acp and options.acp[0].startswith("-"):
            raise UsageError(f"%opencode start: what follows --acp is a command: {options.acp[0]} goes before it.")
        wanted["acp"] = workspace.command_of(options.acp)
    if options.url:
        wanted |= {"base_url": options.url, "password": _password(options.url)}
    return wanted


_NOT_FOR_AGENTS = ("demo", "own", "binary", "url", "variant", "effort")
"""Options of the server's."""


def _password(url: str) -> Secret | None:
    """Read the password from the environment, else ask: never from the line, which is saved with the notebook."""
    told = os.environ.get(PASSWORD)
    if told is None and can_ask():
        told = getpass.getpass(f"Password of {url} (empty for none): ")
    return Secret(told) if told else None


# --- stop, restart ----------------------------------------------------------------------------------------------------


@group.command()
def stop(workspace: Workspace, _options: Namespace) -> None:
    """Disconnect; the server stops if no other kernel uses it. The next prompt reconnects with the same options."""
    running, cut_off, others = workspace.running, workspace.busy, _others(workspace)
    joined, name = running and workspace.ai.joined, workspace.ai.name
    workspace.stop()
    if cut_off:
        say("The running turn was cut off; its partial answer is kept.")
    if not running:
        say(f"{name} was not running.")
    elif workspace.ai.recording is not None:
        say("The replay is closed; the next %%prompt opens it again.")
    elif joined:
        say("Disconnected; the server keeps running. The next %%prompt reconnects.")
    elif others:
        say(f"Disconnected; the server keeps running for {_listed(others)}. The next %%prompt reconnects.")
    else:
        say(f"{name} stopped; the next %%prompt starts it again.")


@group.command(argument("--force", action="store_true", help="restart even if other kernels use the server"))
def restart(workspace: Workspace, options: Namespace) -> None:
    """Restart only the agent: the kernel, its variables and the current session stay."""
    cut_off, others = workspace.busy, _others(workspace)
    if others and not options.force:
        raise OpencodeError(
            f"The server is also used by {_listed(others)}: a restart cuts off the turns that run there. %opencode "
            "restart --force restarts it anyway; %opencode start --own starts one for this kernel alone."
        )
    say(f"{'Restarting' if workspace.running else 'Starting'} {workspace.ai.name}…")
    _restart(workspace.ai)
    if cut_off:
        say("The running turn was cut off; its partial answer is kept.")
    status(workspace, options)


def _restart(ai: Opencode) -> None:
    if ai.started and ai.joined:
        raise OpencodeError(
            f"The server at {ai.client.base_url} was not started from here: restart it where it was started."
        )
    if ai.managed is not None and ai.started:
        ai.managed.restart()
    elif ai.managed is None:
        ai.close()
    ai.start()


def _others(workspace: Workspace) -> list[Holder]:
    """Return the holders of the server other than this kernel."""
    server = workspace.ai.managed
    return [holder for holder in server.status().holders if not holder.this] if server and workspace.running else []


def _listed(holders: list[Holder]) -> str:
    return ", ".join(f"{holder.label} (process {holder.pid})" for holder in holders)


# --- status, log ------------------------------------------------------------------------------------------------------


@group.command()
def status(workspace: Workspace, _options: Namespace) -> None:
    """Show the program, the server and its users, the model and the current session."""
    ai, server = workspace.ai, workspace.ai.managed
    if not workspace.running:
        again = "" if "acp" in workspace.options else " or %opencode start"  # which would start the server
        say(f"{ai.name} is not running; the next %%prompt{again} starts it.")
        if ai.log_path is not None:
            say(f"{'The server' if server else ai.name} exited. Its log: {ai.log_path}")
        return
    if ai.recording is not None:
        say(f"Replay of {ai.recording.path}: recorded turns are played, and no server or model is used.")
        return
    told = list(_server_lines(server.status())) if server else _log_line(ai)
    if server is not None and not server.ready:  # a request would wait until it is up
        say("\n".join(["OpenCode is restarting; the next %%prompt waits for it.", *told]))
        return
    told += _health_lines(ai.health)
    say("\n".join([f"{ai.described}, in {ai.directory}", *told]))
    try:
        say(announcement(ai.model_choice()))
    except ModelError as error:
        say(f"Model: {told_in(error, CELL)}")
    say(_session_line(workspace))
    if workspace.busy:
        say("A turn is running: %opencode abort stops it.")


def _server_lines(status: ServerStatus) -> Iterator[str]:
    yield f"Program: {status.program}"
    memory = f"{status.memory // 1_000_000} MB" if status.memory else "memory unknown"
    again = f", restarted {status.restarts} time{'' if status.restarts == 1 else 's'}" if status.restarts else ""
    kind = "shared" if status.shared else "this kernel's own"
    yield f"Server: {kind}, process {status.pid}, {memory}, up {_duration(status.uptime)}{again}"
    if status.shared:
        held = [
            f"{holder.label} ({'this kernel' if holder.this else f'process {holder.pid}'})" for holder in status.holders
        ]
        yield f"Used by: {', '.join(held)}"
    yield f"Log: {status.log_path}"


def _log_line(ai: Opencode) -> list[str]:
    return [f"Log: {ai.log_path}"] if ai.log_path is not None else []


def _health_lines(health: Health) -> Iterator[str]:
    if health.last_failure is not None:
        times = f"{health.failures} time{'' if health.failures == 1 else 's'}"
        ago = _duration((datetime.now(UTC) - health.last_failure).total_seconds())
        now = "is lost" if health.degraded else "works again"
        yield f"Connection: {now}; failed {times}, last {ago} ago: {health.last_error}"


def _session_line(workspace: Workspace) -> str:
    session, listed = workspace.session, not workspace.ai.lacks("sessions")
    current = f"{named(session)}, ${session.cost:.4f}" if session else "the first %%prompt creates one"
    return f"Session: {current}{f' ({len(workspace.ai.sessions())} in this directory)' if listed else ''}"


def _duration(seconds: float) -> str:
    """ "42 s", "5 min 3 s", "2 h 5 min"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@group.command(
    argument("lines", nargs="?", type=int, metavar="N", default=LOG_LINES, help="number of lines (default: 20)")
)
def log(workspace: Workspace, options: Namespace) -> None:
    """Show the last lines of the log of the server, or of the agent."""
    from opencode_nb.server.logs import tail

    path = workspace.ai.log_path
    if path is None:
        say("There is no log: no server was started from here.")
        return
    say(tail(path, max(options.lines, 1)) or "The log is empty.")
    say(f"Full log: {path}")
