"""Subcommand that shows and sets who answers the agent's permission requests, and takes back what was allowed."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from opencode_nb.errors import OpencodeError
from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.workspace import Workspace
from opencode_nb.session.permissions import option as permission_option
from opencode_nb.session.prompt.listing import MODES

group = Group("Permissions")

ALL = "all"


@group.command(
    argument("rule", nargs="?", **permission_option.ARGUMENT, help=f"from now on: {permission_option.HELP}"),
    argument("--forget", metavar="N", help=f'ask again about what was allowed "always": its number, or {ALL}'),
)
def permission(workspace: Workspace, options: Namespace) -> None:
    """Show or set what the agent may do without asking, and take back what you allowed "always"."""
    if options.rule is not None:
        workspace.prefer(permission=options.rule)
        if workspace.session is not None:
            workspace.session.permission = None
    if options.forget is not None:
        _forget(workspace, options.forget)
    _show(workspace)


def _forget(workspace: Workspace, which: str) -> None:
    given = workspace.ai.approvals.given
    if which == ALL:
        chosen = given
    elif which.isdigit() and 1 <= int(which) <= len(given):
        chosen = [given[int(which) - 1]]
    else:
        numbers = f"a number from 1 to {len(given)}, or {ALL}" if given else "nothing: nothing is allowed always"
        raise OpencodeError(f"--forget {which}: give {numbers}.")
    for name, pattern in chosen:
        workspace.ai.approvals.take_back(name, pattern)


def _show(workspace: Workspace) -> None:
    own = workspace.session.permission if workspace.session is not None else None
    rule = own if own is not None else workspace.options.get("permission", "ask")
    say(f"Permission: {_worded(rule)}{' (this session)' if own is not None else ''}")
    given = workspace.ai.approvals.given
    if not given:
        return
    say("Allowed always, until the kernel or the agent is restarted:")
    for number, (name, pattern) in enumerate(given, 1):
        say(f"  {number}. {name}: {pattern}")
    say(f"%opencode permission --forget N takes one back, --forget {ALL} takes back all.")


def _worded(rule: Any) -> str:
    if isinstance(rule, str):
        return f"{rule} ({MODES[rule]})"
    return "decided by a function of yours" if callable(rule) else str(rule)
