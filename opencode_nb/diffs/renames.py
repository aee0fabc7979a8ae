"""Detect renames: an added file with the same bytes as a deleted one, or one that git finds similar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from opencode_nb.diffs import git_diff
from opencode_nb.diffs.change import LINK, SUBMODULE, Change, Side
from opencode_nb.diffs.text import encode

_MAX_PAIRS = 10_000
"""Above this many pairs, only exact renames are detected."""


class _File(NamedTuple):
    path: str
    side: Side

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def detect(changes: Iterable[Change]) -> list[Change]:
    """Return the changes sorted by path, with a deleted and an added file joined to a rename where they match."""
    rest = sorted(changes, key=lambda change: encode(change.path))
    gone = [_File(change.path, change.before) for change in rest if change.before and not change.after]
    new = [_File(change.path, change.after) for change in rest if change.after and not change.before]
    if not gone or not new:
        return rest
    found = {after.path: (before, 100) for before, after in _same(gone, new)}
    taken = {before.path for before, _ in found.values()}
    left = [file for file in gone if file.path not in taken], [file for file in new if file.path not in found]
    found |= {after.path: (before, percent) for before, after, percent in _alike(*left)}
    taken = {before.path for before, _ in found.values()}
    return [_joined(change, *found.get(change.path, ())) for change in rest if change.after or change.path not in taken]


def _joined(change: Change, before: _File | None = None, percent: int | None = None) -> Change:
    if before is None:
        return change
    return replace(change, old_path=before.path, before=before.side, similarity=percent, additions=None, deletions=None)


def _same(gone: Sequence[_File], new: Sequence[_File]) -> Iterator[tuple[_File, _File]]:
    """Pair files with the same content, those that kept their name first."""
    by_content: dict[tuple[str, str], list[_File]] = {}
    for file in gone:
        by_content.setdefault(_content(file.side), []).append(file)
    left = [*new]
    for keeps_name in (True, False):
        for file in [*left]:
            likely = by_content.get(_content(file.side), [])
            if match := next((old for old in likely if old.name == file.name or not keeps_name), None):
                likely.remove(match)
                left.remove(file)
                yield match, file


def _content(side: Side) -> tuple[str, str]:
    """Return a key that is equal for the same kind of file with the same bytes."""
    return side.mode if side.mode in (LINK, SUBMODULE) else "", side.blob


def _alike(gone: Sequence[_File], new: Sequence[_File]) -> Iterator[tuple[_File, _File, int]]:
    """Yield pairs that git finds similar, with the percentage."""
    gone, new = ([file for file in files if file.side.mode not in (LINK, SUBMODULE)] for files in (gone, new))
    if gone and new and len(gone) * len(new) <= _MAX_PAIRS:
        sides = ([(file.name, file.side.read()) for file in files] for files in (gone, new))
        yield from ((gone[i], new[j], percent) for i, j, percent in git_diff.renames(*sides))
