"""The slash commands: those of ours in one table, and what a text that begins with a slash means.

The table follows OpenCode's terminal UI. The server's commands (/init, /review, the user's own, those of MCP
servers and skills) are listed by the server, and sent to it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.session.prompt import acts, listing
from opencode_nb.session.prompt.command import Command, Result, Subject
from opencode_nb.transcript.state import Json


class Said(NamedTuple):
    """What a text means: a prompt, or the command `name` with `text` after it, ours ("own") or the server's.

    Where a leading "!" runs a shell command, it may be one.
    """

    kind: Literal["prompt", "own", "command", "shell"]
    text: str
    name: str = ""


async def _help(session: Subject, _rest: str) -> Result:
    return Result(help_text(await session.owner.commands()), opens="commands")


COMMANDS: tuple[Command, ...] = (
    Command("new", acts.new, "Start a new session", ("clear",)),
    Command("sessions", acts.sessions, "Switch to another session", ("resume", "continue"), "SESSION"),
    Command("undo", acts.undo, "Undo the last message and its changes to files"),
    Command("redo", acts.redo, "Redo the message that was undone"),
    Command("compact", acts.compact, "Summarize the session to free context", ("summarize",)),
    Command("models", acts.models, "Switch the model", ("model", "mo"), "MODEL"),
    Command("agents", acts.agents, "Switch the agent", ("agent",), "AGENT"),
    Command("variants", acts.variants, "Switch the model's variant, such as its effort", ("effort",), "VARIANT"),
    Command("permissions", acts.permissions, "Switch what the agent may do unasked", ("permission",), "MODE"),
    Command("rename", acts.rename, "Rename the session", (), "TITLE"),
    Command("fork", acts.fork, "Continue in a copy of the session"),
    Command("share", acts.share, "Publish the session for anyone with the link"),
    Command("unshare", acts.unshare, "Remove the published copy"),
    Command("export", acts.export, "Save the session as a file", (), "md|html|ipynb|json"),
    Command("copy", acts.copy, "Copy the session as Markdown"),
    Command("diff", acts.diff, "Show what the session changed"),
    Command("thinking", acts.thinking, "Open or fold the model's reasoning", ("toggle-thinking",)),
    Command("details", acts.details, "Open or fold what the tools did"),
    Command("status", acts.status, "Show the session, its model, context and cost", ("context", "cost")),
    Command("mcps", acts.mcps, "List, connect or disconnect MCP servers", ("mcp",), "connect|disconnect NAME"),
    Command("skills", acts.skills, "List the skills"),
    Command("help", _help, "List the commands"),
)
"""All of ours, in the order in which they are listed."""

NOT_NEEDED: dict[str, str] = {
    **dict.fromkeys(("exit", "quit", "q"), "there is nothing to leave here, and the session is kept."),
    "editor": "where you write is an editor already.",
    "themes": "the colours follow Jupyter or your terminal.",
    "timeline": "scroll to a message: undo and fork are there.",
    **dict.fromkeys(("timestamps", "toggle-timestamps"), "each turn's last line tells its time."),
    **dict.fromkeys(
        ("connect", "login", "org", "orgs", "switch-org"),
        "log in with %opencode login in a cell, or with `opencode auth login` in a terminal.",
    ),
    "debug": "%opencode doctor checks the set-up.",
    **dict.fromkeys(
        ("move", "warp", "workspaces"), "sessions stay in their directory; %opencode start -d works in another."
    ),
}
"""The other commands of the terminal UI, and what is here instead."""

_NAMES = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
_WORD = re.compile(r"/(\S*)\s*(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z][\w-]*(?::[\w-]+)*")
_ROOTS = re.compile(
    "Applications|Library|System|Users|Volumes|bin|boot|content|data|dev|etc|home|lib|lib64|media|mnt|opt|private|proc|"
    "root|run|sbin|srv|sys|tmp|usr|var|workspace"
)
"""Names that are common at the root of a disk: the server's may be another than the kernel's."""


_AS_TEXT = "With a space before it, it is sent as text."


def find(name: str) -> Command | None:
    """Return the command of ours with this name or alias, without its slash."""
    return _NAMES.get(name)


def meant(text: str, listed: Iterable[Json]) -> Said:
    """Return what a text means, by the server's `listed` commands and ours. A path at its beginning is prose.

    The user's own command takes the place of ours, as in the terminal UI, and any of the server's that of an alias.
    Raises OpencodeError for an unknown command, and for text after one of ours that takes none.
    """
    found = _WORD.match(text)
    if found is None or not found[1]:
        return Said("prompt", text)
    name, rest = found[1], found[2].rstrip()
    theirs = {str(command["name"]): command for command in listed}
    own = find(name)
    if name in theirs and (own is None or own.name != name or _is_the_users(theirs[name])):
        return Said("command", rest, name)
    if own is not None:
        return _own(own, name, rest)
    untold = not theirs and name not in NOT_NEEDED  # an agent lists its commands when it has a session
    if untold or not _NAME.fullmatch(name) or _is_path(name):
        return Said("prompt", text)
    raise OpencodeError(_unknown(name, theirs))


def _own(command: Command, name: str, rest: str) -> Said:
    """Return the command as said. Raises OpencodeError for what may be prose: "/share is broken" publishes nothing."""
    if rest and not command.takes:
        raise OpencodeError(f"/{name} takes nothing after it: write it alone. {_AS_TEXT}")
    return Said("own", rest, command.name)


def offered(listed: Iterable[Json]) -> list[Json]:
    """Return all commands that can be written, `{name, takes, description, aliases, acts}`: ours, then the server's.

    `acts` marks ours, which need nothing after their name.
    """
    theirs = {str(command["name"]): command for command in listed}
    hidden = {name for name, command in theirs.items() if _is_the_users(command)}
    ours = {command.name: _offer(command, theirs) for command in COMMANDS if command.name not in hidden}
    others = [{**command, "aliases": (), "acts": False} for name, command in theirs.items() if name not in ours]
    return [*ours.values(), *others]


def help_text(listed: Iterable[Json]) -> str:
    """Return all commands with what they do, one a line."""
    return listing.commands(offered(listed))


def _offer(command: Command, theirs: Container[str]) -> Json:
    aliases = tuple(alias for alias in command.aliases if alias not in theirs)
    also = f" (also {', '.join(f'/{alias}' for alias in aliases)})" if aliases else ""
    about = f"{command.about}{also}"
    return {"name": command.name, "takes": command.takes, "description": about, "aliases": aliases, "acts": True}


def _is_the_users(command: Json) -> bool:
    return command.get("source") not in ("mcp", "skill")


def _is_path(name: str) -> bool:
    """Whether the word is a path from the root, here or on a usual machine."""
    return "/" in name or bool(_ROOTS.fullmatch(name)) or Path(f"/{name}").exists()


def _unknown(name: str, theirs: Iterable[str]) -> str:
    if reason := NOT_NEEDED.get(name):
        return f"/{name} is not needed here: {reason}"
    meant = did_you_mean(name, [*_NAMES, *theirs], "/{}", most=1)
    return f"Unknown command /{name}.{meant} /help lists the commands. {_AS_TEXT}"
