"""Diffs built from both versions of files, which are on disk as the change left them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from opencode_nb.changes.diff import Diff
from opencode_nb.diffs.build import build
from opencode_nb.diffs.change import Change, known

Versions = tuple[str | bytes | None, str | bytes | None]
"""A file before and after; None if it does not exist."""

SOURCE = "Made up; it misses nothing."


def make_diff(root: Path, files: Mapping[str, Versions], **renamed: str) -> Diff:
    """Return a diff of these files; `renamed` maps a new path, without suffix, to the old one."""
    changes = [
        _change(path, *map(_bytes, versions), renamed.get(path.partition(".")[0], ""))
        for path, versions in files.items()
    ]
    for change in changes:
        if change.after is not None:
            file = root / change.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(change.after.read())
    return Diff(changes, root, SOURCE)


def _bytes(version: str | bytes | None) -> bytes | None:
    return version.encode() if isinstance(version, str) else version


def _change(path: str, before: bytes | None, after: bytes | None, old_path: str) -> Change:
    sides = [None if data is None else known(data) for data in (before, after)]
    change = Change(path, *sides, old_path=old_path, similarity=90 if old_path else None)
    return replace(change, patch=build(change))


def numbered(count: int, changed: Mapping[int, str] | None = None) -> str:
    """Return lines `line 1`, `line 2`, ... with some of them (by number) replaced."""
    return "".join(f"{(changed or {}).get(number, f'line {number}')}\n" for number in range(1, count + 1))
