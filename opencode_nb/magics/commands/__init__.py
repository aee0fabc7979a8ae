"""The subcommands of %opencode, one module per topic; add a module's group to `GROUPS` to register it."""

from __future__ import annotations

from opencode_nb.magics.commands import (
    chat,
    context,
    diff,
    login,
    models,
    permission,
    program,
    server,
    session,
    sessions,
    tools,
    tui,
    turns,
    verify,
)
from opencode_nb.magics.commands.group import Command, Group

__all__ = ["GROUPS", "Command", "Group"]

GROUPS: tuple[Group, ...] = (
    server.group,
    tui.group,
    sessions.group,
    session.group,
    turns.group,
    verify.group,
    context.group,
    chat.group,
    diff.group,
    models.group,
    permission.group,
    login.group,
    tools.group,
    program.group,
)
"""In the order of the help."""
