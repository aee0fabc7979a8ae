"""Subcommand for reviewing changes: diff."""

from __future__ import annotations

from argparse import Namespace

from opencode_nb.magics.commands.group import Group, argument
from opencode_nb.magics.workspace import Workspace

group = Group("Changes")

_HELP = "changes of the session (default), the last turn, the work tree since its last commit (git), or the branch"


@group.command(
    argument(
        "what", nargs="?", choices=["session", "last", "git", "branch"], default="session", metavar="WHAT", help=_HELP
    )
)
def diff(workspace: Workspace, options: Namespace) -> object:
    """Review what changed, and revert what you don't want."""
    from opencode_nb.magics.review import changes_of, show

    return show(*changes_of(workspace, options.what))
