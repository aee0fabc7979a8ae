"""What the agent's own tools say they changed: the one reader of their metadata. Pure.

Their patches are for people: the edit tool's have lost the `\\r` of Windows' line ends, and `write` has none at all.
"""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
"""A JSON object exactly as the server sent it."""

CHANGING = frozenset({"edit", "multiedit", "write", "apply_patch", "patch"})
"""The tools that change files by their own account; what others do (`bash`) nobody reports."""

_STATUS = {"add": "added", "delete": "deleted", "move": "renamed"}
_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+?)\s*$", re.MULTILINE)


def reported(part: Json) -> list[Json]:
    """What a call says it changes, or has changed: `[{file, patch, additions, deletions, status}]`."""
    metadata = _object(_object(part.get("state")).get("metadata"))
    if filediff := _object(metadata.get("filediff")):
        return [{"status": "modified", **filediff}]
    if part.get("tool") != "apply_patch":
        return []
    files = metadata.get("files")
    return [_patched(change) for change in files if isinstance(change, dict)] if isinstance(files, list) else []


def _patched(change: Json) -> Json:
    status = _STATUS.get(str(change.get("type")), "modified")
    return {**change, "file": change.get("relativePath") or change.get("filePath"), "status": status}


def paths(part: Json) -> list[str]:
    """The files that a call is about, as it names them."""
    arguments = _object(_object(part.get("state")).get("input"))
    if part.get("tool") not in CHANGING:
        return []
    if path := arguments.get("filePath") or arguments.get("path"):
        return [str(path)]
    return _PATCHED.findall(str(arguments.get("patchText") or ""))


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
