"""Subcommands for the current session: fork, rename, delete, share, export, compact, todo, cost, commands."""

from __future__ import annotations

from argparse import Namespace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from opencode_nb.errors import OpencodeError
from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.commands.sessions import named
from opencode_nb.magics.options import whole_number
from opencode_nb.magics.workspace import Workspace
from opencode_nb.session.prompt import listing
from opencode_nb.session.prompt.acts import FORMATS, file_name
from opencode_nb.session.prompt.commands import help_text

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Session

group = Group("The current session")

_MARKS = {"completed": "✓", "in_progress": "▸", "cancelled": "✗"}


def _current(workspace: Workspace) -> Session:
    if workspace.session is None:
        raise OpencodeError(
            "There is no session yet: the first %%prompt creates one, %opencode use continues an earlier one."
        )
    return workspace.session


@group.command(argument("turn", nargs="?", type=int, metavar="N", help="copy only the first N turns"))
def fork(workspace: Workspace, options: Namespace) -> None:
    """Continue in a copy of the session; the original stays as it is."""
    session = _current(workspace)
    turns = session.turns()
    if options.turn is not None and not 0 <= options.turn <= len(turns):
        raise OpencodeError(f"The session has {len(turns)} turns: give a number from 0 to {len(turns)}.")
    at = turns[options.turn] if options.turn is not None and options.turn < len(turns) else None
    workspace.session = session.fork(at)
    say(f"Session: {named(workspace.session)}")
    say(f"The original is kept: %opencode use {session.id} returns to it.")


@group.command(argument("title", nargs="+", metavar="TITLE"))
def rename(workspace: Workspace, options: Namespace) -> None:
    """Rename the session."""
    session = _current(workspace)
    session.rename(" ".join(options.title))
    say(f"Session: {named(session)}")


@group.command(
    argument("session", nargs="*", metavar="SESSION", help="session id, start of an id, or title (default: current)"),
    argument("--yes", action="store_true", help="confirm: a deleted session cannot be restored"),
)
def delete(workspace: Workspace, options: Namespace) -> None:
    """Delete a session permanently."""
    session = workspace.find(" ".join(options.session)) if options.session else _current(workspace)
    if not options.yes:
        count = len(session.turns())
        say(f"This permanently deletes {named(session)}, {count} turn{'' if count == 1 else 's'}.")
        say("Add --yes to confirm; %opencode export json saves a copy that OpenCode can import.")
        return
    session.delete()
    if workspace.session is not None and workspace.session.id == session.id:
        workspace.session = None
    say(f"Deleted: {named(session)}")


@group.command()
def share(workspace: Workspace, _options: Namespace) -> None:
    """Publish the session on OpenCode's website, for anyone with the link."""
    say(listing.shared(_current(workspace).share()))
    say("%opencode unshare removes it again.")


@group.command()
def unshare(workspace: Workspace, _options: Namespace) -> None:
    """Remove the published copy of the session."""
    session = _current(workspace)
    shared = session.shared_url
    session.unshare()
    say("The session is no longer shared." if shared else "The session was not shared.")


@group.command()
def compact(workspace: Workspace, _options: Namespace) -> None:
    """Replace the session's context with a summary by the model, to free space."""
    session = _current(workspace)
    before = session.context
    session.compact()
    say(listing.compacted(before, session.context))


@group.command(
    argument("format", nargs="?", choices=FORMATS, default="md", help="file format (default: md)"),
    argument("-o", "--output", metavar="PATH", type=Path, help="output file (default: named after the title)"),
    argument("--force", action="store_true", help="overwrite an existing file"),
)
def export(workspace: Workspace, options: Namespace) -> None:
    """Write the session to a file."""
    session = _current(workspace)
    path: Path = (options.output or Path(file_name(session, options.format))).expanduser()
    content = session.export(options.format).encode("utf-8", "replace")  # before an existing file is truncated
    try:
        with path.open("wb" if options.force else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise OpencodeError(f"{path} already exists: --force overwrites it, -o PATH writes elsewhere.") from None
    say(f"Written: {path}")


@group.command()
def todo(workspace: Workspace, _options: Namespace) -> None:
    """List the agent's to-dos."""
    todos = _current(workspace).todos()
    for item in todos:
        say(f"{_MARKS.get(str(item.get('status')), '·')} {item.get('content')}")
    if not todos:
        say("No todos in this session.")


@group.command(
    argument("--days", type=whole_number, default=30, metavar="N", help="the days to add up (default: 30)"),
    argument("--delete", action="store_true", help="delete what is kept of all kernels' costs"),
)
def cost(workspace: Workspace, options: Namespace) -> None:
    """Show the session's cost in USD and its tokens, and those of all kernels by day, model and project."""
    from opencode_nb.spending import costs
    from opencode_nb.spending.report import report

    if options.delete:
        costs.delete()
        say(f"Deleted all costs in {costs.folder()}. What sessions cost is still in OpenCode's own store.")
        return
    if (session := workspace.session) is not None:
        say(f"This session: ${session.cost:.4f} at the provider's list prices")
        say("Tokens: " + ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in session.tokens.items()))
    else:
        say("There is no session yet.")
    say(report(costs.entries(options.days), date.today(), options.days))
    say(f"\nIn USD, as OpenCode reports it: models without prices cost 0. Kept for {costs.KEPT_MONTHS} months in")
    say(f"{costs.folder()}; %opencode cost --delete deletes it. The demo model's are not kept.")
    if problem := costs.problem():
        say(problem)


@group.command()
def commands(workspace: Workspace, _options: Namespace) -> None:
    """List the slash commands that a %%prompt can start with."""
    say(help_text(workspace.ai.commands()))
