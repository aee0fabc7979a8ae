"""An MCP server as the user gives it, and as the opencode server wants it. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from opencode_nb.tools.names import is_hidden
from opencode_nb.transcript.state import Json

Given = str | Sequence[str | os.PathLike[str]] | Mapping[str, object]
"""A URL, a command with its arguments, or a configuration as in OpenCode's `mcp` section."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_URL = re.compile(r"https?://", re.IGNORECASE)


def config_of(name: str, given: Given) -> Json:
    """Return the configuration of the MCP server with this name. Raises ValueError, which says what is allowed."""
    _check(name)
    if isinstance(given, str):
        if not _URL.match(given):
            raise ValueError(
                f'MCP server {name}: {given!r} is not a URL: give one, or a command as ["command", "arg"].'
            )
        return {"type": "remote", "url": given}
    if isinstance(given, Mapping):
        return _complete(name, given)
    command = [os.fspath(word) for word in given]
    if not command:
        raise ValueError(f'MCP server {name}: the command is empty: give ["command", "arg"].')
    return {"type": "local", "command": command}


def is_enabled(config: Json) -> bool:
    """Whether a server with this configuration is to be connected."""
    return bool(config.get("enabled", True))


def _check(name: str) -> None:
    """Raise ValueError for a name that would not do as the beginning of its tools' names."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name an MCP server: use letters, digits, _ and -, such as my_server.")
    if is_hidden(name):
        raise ValueError(f'{name!r} cannot name an MCP server: names with "nb" first are kept for the kernel\'s tools.')


def _complete(name: str, given: Mapping[str, object]) -> Json:
    """Return a configuration with its type."""
    if not ("url" in given or "command" in given):
        raise ValueError(f'MCP server {name}: its configuration needs "url" or "command".')
    return {"type": "remote" if "url" in given else "local", **given}
