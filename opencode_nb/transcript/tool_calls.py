"""Read what the agent's tools report as changed, from their metadata. Pure.

Their patches are for display: the edit tool's have lost the `\\r` of Windows line endings, and `write` has none at all.
"""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
"""A JSON object exactly as the server sent it."""

CHANGING = frozenset({"edit", "multiedit", "write", "apply_patch", "patch"})
"""The tools that report the files they change. Changes by other tools (`bash`) go unreported."""

_STATUS = {"add": "added", "delete": "deleted", "move": "renamed"}
_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+?)\s*$", re.MULTILINE)


def reported(part: Json) -> list[Json]:
    """Return what a call reports to change: `[{file, patch, additions, deletions, status}]`."""
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
    """Return the files in a call's arguments."""
    arguments = _object(_object(part.get("state")).get("input"))
    if part.get("tool") not in CHANGING:
        return []
    if path := arguments.get("filePath") or arguments.get("path"):
        return [str(path)]
    return _PATCHED.findall(str(arguments.get("patchText") or ""))


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
