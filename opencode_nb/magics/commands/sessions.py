"""Subcommands for sessions: new, use, sessions."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from typing import TYPE_CHECKING

from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.workspace import Workspace
from opencode_nb.transcript.state import Json, is_archived

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Session

LISTED = 20
"""How many sessions `%opencode sessions` lists by default."""

group = Group("Sessions")


@group.command(argument("title", nargs="*", metavar="TITLE"))
def new(workspace: Workspace, options: Namespace) -> None:
    """Start a new session for the next prompts."""
    before, busy = workspace.session, workspace.busy
    session = workspace.new(" ".join(options.title) or None)
    say(f"New session: {named(session)}")
    if before is not None and busy:
        say(f"The turn in the previous session continues: %opencode use {before.id} returns to it.")


@group.command(argument("session", nargs="+", metavar="SESSION"))
def use(workspace: Workspace, options: Namespace) -> None:
    """Continue an earlier session, by its id, the start of its id, or its title."""
    session = workspace.use(" ".join(options.session))
    count = len(session.turns())
    say(f"Session: {named(session)}, {count} turn{'' if count == 1 else 's'}")


@group.command(
    argument("search", nargs="*", metavar="WORDS", help="only sessions with these words in the title"),
    argument("-n", "--limit", type=int, metavar="N", help=f"maximum number (default: {LISTED})"),
    argument("--archived", action="store_true", help="include archived sessions"),
)
def sessions(workspace: Workspace, options: Namespace) -> None:
    """List the sessions of this directory, newest first."""
    listed = workspace.ai.sessions(search=" ".join(options.search) or None, archived=options.archived)
    current = workspace.session.id if workspace.session else ""
    for info in listed[: LISTED if options.limit is None else max(options.limit, 0)]:
        say(_line(info, info["id"] == current))
    if not listed:
        say("No session here has these words in its title." if options.search else "No sessions here yet.")
    if options.limit is None and len(listed) > LISTED:
        say(f"{len(listed) - LISTED} older ones are not shown: add -n {len(listed)}, or words to search the titles.")


def _line(info: Json, current: bool) -> str:
    at = (info.get("time") or {}).get("updated")  # an agent may not tell it
    updated = datetime.fromtimestamp(at / 1000).strftime("%Y-%m-%d %H:%M") if at else ""
    archived = "  (archived)" if is_archived(info) else ""
    return f"{'*' if current else ' '} {info['id']}  {updated}  {info.get('title') or ''}{archived}"


def named(session: Session) -> str:
    """Return the session's id and title."""
    return f"{session.id} {session.title}".strip()
