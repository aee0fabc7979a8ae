"""What a recording keeps of changed files: both sides of each change, unless they hold secrets. Pure."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath

from opencode_nb.diffs import build
from opencode_nb.diffs.change import Change, Side, known
from opencode_nb.transcript.state import Json

MAX_BYTES = 1_000_000
"""Larger files are named, not kept: a recording is read whole."""

WITH_SECRETS = "its content holds secrets, which are not recorded. Change it by hand."
LARGE = f"it has more than {MAX_BYTES // 1_000_000} MB, too much for a recording. Change it by hand."
OUTSIDE = "it is outside of the project, or belongs to git. Change it by hand."

Mask = Callable[[str], str]


def as_json(change: Change, mask: Mask) -> Json:
    """Return a change to keep; one that cannot be kept whole has only its patch, masked, and says why."""
    sides = [side.read() for side in (change.before, change.after) if side is not None]
    reason = change.unknown or _reason(sides, mask)
    kept: Json = {
        "path": change.path,
        "old_path": change.old_path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "similarity": change.similarity,
    }
    if reason:
        patch = change.patch or ("" if reason == LARGE else build.build(change))
        return {**kept, "unknown": reason, "patch": mask(patch)}
    return {**kept, "before": _side(change.before), "after": _side(change.after)}


def _reason(sides: list[bytes], mask: Mask) -> str:
    if any(len(data) > MAX_BYTES for data in sides):
        return LARGE
    texts = [data.decode("utf-8", "surrogateescape") for data in sides]
    return WITH_SECRETS if any(mask(text) != text for text in texts) else ""


def _side(side: Side | None) -> Json | None:
    if side is None:
        return None
    data = side.read()
    try:
        return {"mode": side.mode, "text": data.decode()}
    except UnicodeDecodeError:
        return {"mode": side.mode, "base64": base64.b64encode(data).decode()}


def from_json(kept: Json) -> Change:
    """Return the change again. Paths come from a file that anyone may have written: none leads out of the project."""
    path, old_path = str(kept["path"]), str(kept.get("old_path") or "")
    change = Change(
        path,
        old_path=old_path,
        similarity=kept.get("similarity"),
        additions=kept.get("additions"),
        deletions=kept.get("deletions"),
        given_status=kept.get("status") or "modified",
    )
    reason = kept.get("unknown") or ("" if _is_inside(path) and _is_inside(old_path) else OUTSIDE)
    if reason:
        return replace(change, patch=str(kept.get("patch") or ""), unknown=str(reason))
    return replace(change, before=_known(kept.get("before")), after=_known(kept.get("after")))


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return not (path.startswith("/") or ".." in parts or ".git" in parts)


def _known(kept: Json | None) -> Side | None:
    if kept is None:
        return None
    data = base64.b64decode(kept["base64"]) if "base64" in kept else str(kept["text"]).encode()
    return known(data, str(kept["mode"]))
