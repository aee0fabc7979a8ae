"""Subcommands for the current session as a whole: fork, rename, delete, share, export, compact, and what it tells."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

from opencode_nb.errors import OpencodeError
from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.commands.sessions import named
from opencode_nb.magics.workspace import Workspace
from opencode_nb.session.blocking import Session
from opencode_nb.transcript.state import Json

group = Group("The current session")

_UNFIT = re.compile(r"[^\w.-]+")
_MARKS = {"completed": "✓", "in_progress": "▸", "cancelled": "✗"}


def _current(workspace: Workspace) -> Session:
    if workspace.session is None:
        raise OpencodeError("There is no session yet: the first %%prompt makes one, %opencode use goes back to one.")
    return workspace.session


@group.command(argument("turn", nargs="?", type=int, metavar="N", help="only with the first N turns"))
def fork(workspace: Workspace, options: Namespace) -> None:
    """Go on in a copy of the session; the original stays as it is."""
    session = _current(workspace)
    turns = session.turns()
    if options.turn is not None and not 0 <= options.turn <= len(turns):
        raise OpencodeError(f"The session has {len(turns)} turns: give a number from 0 to {len(turns)}.")
    at = turns[options.turn] if options.turn is not None and options.turn < len(turns) else None
    workspace.session = session.fork(at)
    say(f"Session: {named(workspace.session)}")
    say(f"The one before is kept: %opencode use {session.id} goes back to it.")


@group.command(argument("title", nargs="+", metavar="TITLE"))
def rename(workspace: Workspace, options: Namespace) -> None:
    """Give the session another title."""
    session = _current(workspace)
    session.rename(" ".join(options.title))
    say(f"Session: {named(session)}")


@group.command(
    argument("session", nargs="*", metavar="SESSION", help="another one than the current: id, beginning of it, title"),
    argument("--yes", action="store_true", help="do it: nothing brings it back"),
)
def delete(workspace: Workspace, options: Namespace) -> None:
    """Delete a session for good."""
    session = workspace.find(" ".join(options.session)) if options.session else _current(workspace)
    if not options.yes:
        count = len(session.turns())
        say(f"This deletes {named(session)}, {count} turn{'' if count == 1 else 's'}, for good.")
        say("Add --yes to do it; %opencode export json keeps a copy that OpenCode can import.")
        return
    session.delete()
    if workspace.session is not None and workspace.session.id == session.id:
        workspace.session = None
    say(f"Deleted: {named(session)}")


@group.command()
def share(workspace: Workspace, _options: Namespace) -> None:
    """Publish the session at OpenCode's website, for whoever has the link."""
    say(f"Everyone with this link can read all of the session: {_current(workspace).share()}")
    say("%opencode unshare takes it away again.")


@group.command()
def unshare(workspace: Workspace, _options: Namespace) -> None:
    """Take the published copy of the session away."""
    session = _current(workspace)
    shared = session.shared_url
    session.unshare()
    say("The session is no longer shared." if shared else "The session was not shared.")


@group.command()
def compact(workspace: Workspace, _options: Namespace) -> None:
    """Have the model sum the session up, and go on from the summary: frees its context."""
    session = _current(workspace)
    before = session.context
    session.compact()
    say(f"Compacted: {before.tokens:,} tokens of context are {session.context.tokens:,} now.")


@group.command(
    argument("format", nargs="?", choices=["md", "html", "ipynb", "json"], default="md", help="md if not given"),
    argument("-o", "--output", metavar="PATH", type=Path, help="where to (default: a file named after the title)"),
    argument("--force", action="store_true", help="write over a file that is there"),
)
def export(workspace: Workspace, options: Namespace) -> None:
    """Write the session to a file."""
    session = _current(workspace)
    name = _UNFIT.sub("-", session.title or session.id).strip("-.")[:60] or session.id
    path: Path = (options.output or Path(f"{name}.{options.format}")).expanduser()
    content = session.export(options.format).encode("utf-8", "replace")  # before a file that is there is emptied
    try:
        with path.open("wb" if options.force else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise OpencodeError(f"{path} is there already: --force writes over it, -o PATH elsewhere.") from None
    say(f"Written: {path}")


@group.command()
def todo(workspace: Workspace, _options: Namespace) -> None:
    """List what the agent has set itself to do."""
    todos = _current(workspace).todos()
    for item in todos:
        say(f"{_MARKS.get(str(item.get('status')), '·')} {item.get('content')}")
    if not todos:
        say("The agent has no list of what is to do in this session.")


@group.command()
def cost(workspace: Workspace, _options: Namespace) -> None:
    """Show what the session has used: tokens and US dollars."""
    session = _current(workspace)
    used = session.tokens
    say(f"${session.cost:.4f} by the provider's list prices")
    say("Tokens: " + ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in used.items()))


@group.command()
def context(workspace: Workspace, _options: Namespace) -> None:
    """Show how full the model's context is."""
    now = _current(workspace).context
    if not now.model:
        say("Nothing has been sent in this session yet.")
        return
    of = f" of {now.window:,} ({now.share:.0%})" if now.window else ""
    say(f"{now.tokens:,}{of} tokens of {now.model} are taken; %opencode compact frees most of them.")


@group.command()
def commands(workspace: Workspace, _options: Namespace) -> None:
    """List the slash commands that a %%prompt may begin with."""
    listed = workspace.ai.commands()
    width = max((len(str(command["name"])) for command in listed), default=0) + 1
    for command in listed:
        say(f"/{command['name']:<{width}} {_line(command)}")


def _line(command: Json) -> str:
    return " ".join(str(command.get("description") or "").split())
