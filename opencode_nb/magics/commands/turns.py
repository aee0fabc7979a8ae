"""Subcommands for the current session's turns: abort, undo, redo."""

from __future__ import annotations

import shlex
from argparse import Namespace

from opencode_nb.conversation.turn import Turn
from opencode_nb.magics.commands.group import Group, say
from opencode_nb.magics.workspace import Workspace

group = Group("Turns")


@group.command()
def abort(workspace: Workspace, _options: Namespace) -> None:
    """Stop what the agent does; what came is kept."""
    if not workspace.running:
        say("OpenCode is not running.")
        return
    busy = workspace.busy
    workspace.ai.abort_all()
    say("Stopped. What came until then is kept." if busy else "Nothing was running in this session.")


@group.command()
def undo(workspace: Workspace, _options: Namespace) -> None:
    """Undo the last turn, and what it changed in files (in a git repository)."""
    session = workspace.session
    turns = session.turns() if session is not None else []
    if session is None or not turns:
        say("There is nothing to undo here; %opencode sessions lists earlier sessions.")
        return
    if session.busy:
        say("A turn is running: wait for its end, or stop it with %opencode abort, then undo it.")
        return
    last = turns[-1]
    reverted = session.revert(last).get("revert") or {}
    say(f"Undone: {next(iter(last.prompt.splitlines()), last.id)}")
    say(_restored(last, by_git=bool(reverted.get("snapshot"))))


@group.command()
def redo(workspace: Workspace, _options: Namespace) -> None:
    """Bring back what undo took."""
    session = workspace.session
    if session is None or not session._async.transcript.info.get("revert"):
        say("Nothing is undone: undo can be taken back until the next prompt.")
        return
    session.unrevert()
    say("Everything undone is back.")


def _restored(turn: Turn, *, by_git: bool) -> str:
    """What became of the files. The server restores from git alone, and answers the same where there is none."""
    files = ", ".join(shlex.quote(diff.file) for diff in turn.diffs)
    if by_git:
        return f"Restored: {files}" if files else "It had changed no files."
    if not turn.tools:
        return "It had changed no files."
    known = f" Still changed: {files}" if files else ""
    return f"Only the conversation is undone: outside a git repository files cannot be restored.{known}"
