"""Subcommands for the current session's turns: init, abort, undo, redo."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from IPython.core.getipython import get_ipython

from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.options import prompt_parser
from opencode_nb.magics.prompt import run_prompt
from opencode_nb.magics.showing.reaching import notebook_reached
from opencode_nb.magics.workspace import Workspace
from opencode_nb.session.prompt import listing

group = Group("Turns")

_FORCE = argument("--force", action="store_true", help="overwrite later changes, keeping a copy of them")


@group.command(argument("words", nargs="*", metavar="WORDS", help="what to mind when writing it"))
def init(workspace: Workspace, options: Namespace) -> None:
    """Have the agent look at the project and write AGENTS.md, as /init in a cell does."""
    shell: Any = get_ipython()
    text = " ".join(["/init", *options.words])
    run_prompt(shell, workspace, "%opencode init", prompt_parser().parse_line(""), text, whole=False)


@group.command()
def abort(workspace: Workspace, _options: Namespace) -> None:
    """Stop the agent, keeping its partial answer."""
    if not workspace.running:
        say("OpenCode is not running.")
        return
    busy = workspace.busy
    workspace.ai.abort_all()
    say("Stopped. The partial answer is kept." if busy else "Nothing was running in this session.")


@group.command(_FORCE)
def undo(workspace: Workspace, options: Namespace) -> None:
    """Undo the last turn and its changes to files; a running one is stopped first."""
    session = workspace.session
    turns = session.turns() if session is not None else []
    if session is None or not turns:
        say("There is nothing to undo here; %opencode sessions lists earlier sessions.")
        return
    with notebook_reached(session):
        undone = session.undo(force=options.force)
    say(listing.undone(undone))


@group.command(_FORCE)
def redo(workspace: Workspace, options: Namespace) -> None:
    """Restore what the last undo removed."""
    session = workspace.session
    if session is None or not session._async.transcript.info.get("revert"):
        say("There is nothing to redo: undone turns can be redone only until the next prompt.")
        return
    with notebook_reached(session):
        redone = session.redo(force=options.force)
    say(listing.redone(redone))
