"""The names under which a session's tools are served. Pure; imports nothing of this package."""

from __future__ import annotations

import hashlib
import re

HIDDEN = "nb*"
"""Pattern of the served names, which the server's configuration hides from every session."""

NOTE_KIND = "in the kernel"
"""The kind of the text that tells what changed in the kernel, among those that describe its values."""

RESULT = "result"
"""The tool by which a model gives the answer to a prompt with a schema."""

CELL_CHANGES = ("edit_cell", "insert_cell", "delete_cell", "move_cell")
"""The tools that change cells of the notebook, and run nothing."""

WITH_SOURCE = ("edit_cell", "insert_cell")
"""Those of them that are given a source: people may edit it before they accept it."""

KERNEL_TOOLS = frozenset(
    {"python", "variables", "inspect", "figure", "history", "progress", "cells", *CELL_CHANGES, "run_cell"}
)
"""The kernel's and the notebook's own tools: other names are those of the user's functions."""

_OWN = re.compile(r"nb[0-9a-f]{8}_(.+)")
_SERVER = re.compile(r"nb[0-9a-f]{8}")
_PREFIX = re.compile(r"\bnb[0-9a-f]{8}_(?=\w)")


def server_name(session_id: str) -> str:
    """Return the name under which the tools of a session are served, such as "nb1a2b3c4d"; the same in every process.

    The model sees the tool `python` as "nb1a2b3c4d_python".
    """
    return f"nb{hashlib.sha256(session_id.encode()).hexdigest()[:8]}"


def is_own_server(name: str) -> bool:
    """Whether an MCP server of this name serves the tools of a session of ours."""
    return _SERVER.fullmatch(name) is not None


def is_hidden(server: str) -> bool:
    """Whether the configuration hides the tools of an MCP server of this name from every session."""
    return server.startswith(HIDDEN.removesuffix("*"))


def own_tool(tool: str) -> str:
    """Return "python" for "nb1a2b3c4d_python"; "" for any tool or permission that is not served by us."""
    found = _OWN.fullmatch(tool)
    return found[1] if found else ""


def readable(text: str) -> str:
    """Return a text for people, with these tools' own names: "python" for "nb1a2b3c4d_python"."""
    return _PREFIX.sub("", text)
