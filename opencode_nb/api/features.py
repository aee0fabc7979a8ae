"""What people do with a backend, and the operation that each needs: without the operation there is no feature.

Sessions, magics and panels ask `Connection.lacks` of these. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Feature(NamedTuple):
    """A feature, in words that follow "has no", and the operation that it needs."""

    words: str
    operation: str


FEATURES: Mapping[str, Feature] = {
    "undo": Feature("undo", "session.revert"),
    "redo": Feature("redo", "session.unrevert"),
    "fork": Feature("forks", "session.fork"),
    "share": Feature("sharing", "session.share"),
    "compact": Feature("compacting", "session.summarize"),
    "shell": Feature("way to run shell commands of yours: run them in a cell, with !", "session.shell"),
    "rename": Feature("way to rename sessions", "session.update"),
    "delete": Feature("way to delete sessions", "session.delete"),
    "sessions": Feature("list of sessions", "session.list"),
    "messages": Feature("messages as OpenCode stores them", "session.messages"),
    "todos": Feature("to-do list of a session: each turn shows its own", "session.todo"),
    "models": Feature("list of models", "config.providers"),
    "tools": Feature("list of tools", "tool.list"),
    "kernel": Feature("way to get tools of this kernel: it takes no MCP servers over HTTP", "mcp.add"),
    "mcp": Feature("way to change its MCP servers here", "mcp.status"),
    "login": Feature("logins here: log in with its own program", "provider.list"),
    "files": Feature("search for files", "find.files"),
    "branch": Feature("comparison with a branch", "vcs.get"),
    "tui": Feature("terminal UI for this session", "tui.control.next"),
}

_PARTS = {"session.unshare": "share", "auth": "login", "provider": "login", "mcp": "mcp", "tui": "tui", "tool": "tools"}
"""Operations, or the first words of theirs, that belong to a feature."""


def words_of(operation: str) -> str:
    """Return what people call an operation, after "has no"; its own name if nobody does."""
    for feature in FEATURES.values():
        if feature.operation == operation:
            return feature.words
    feature_of = _PARTS.get(operation) or _PARTS.get(operation.partition(".")[0])
    return FEATURES[feature_of].words if feature_of else operation
