"""Find where two versions of a line differ, word by word. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

Range = tuple[int, int]
"""A range of character positions, end excluded."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")

# Longer lines aren't compared (matching is quadratic); if they share little, marks would only confuse.
_MAX_LENGTH = 600
_MIN_RATIO = 0.4
_MAX_PAIRED = 12


def changed_words(old: str, new: str) -> tuple[list[Range], list[Range]]:
    """Return the ranges removed from the old line and added in the new one; empty if marks would not help."""
    if max(len(old), len(new)) > _MAX_LENGTH:
        return [], []
    before, after = _WORD.findall(old), _WORD.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < _MIN_RATIO:
        return [], []
    removed: list[Range] = []
    added: list[Range] = []
    starts, ends = _offsets(before), _offsets(after)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        _extend(removed, starts[i1], starts[i2])
        _extend(added, ends[j1], ends[j2])
    return removed, added


def _offsets(words: list[str]) -> list[int]:
    offsets = [0]
    for word in words:
        offsets.append(offsets[-1] + len(word))
    return offsets


def _extend(ranges: list[Range], start: int, end: int) -> None:
    if start < end:
        ranges.append((start, end))


def pair(old: list[str], new: list[str]) -> Iterator[tuple[int, int]]:
    """Pair removed lines with the added ones that replaced them, in order; among few lines, the most similar ones."""
    if len(old) == len(new) or max(len(old), len(new)) > _MAX_PAIRED:
        yield from zip(range(len(old)), range(len(new)), strict=False)
        return
    start = 0
    for index, line in enumerate(old):
        last = len(new) - min(len(old) - index - 1, len(new) - start - 1) if start < len(new) else start
        candidates = range(start, last)
        if not candidates:
            return
        best = max(candidates, key=lambda at: SequenceMatcher(None, line, new[at][:_MAX_LENGTH]).quick_ratio())
        yield index, best
        start = best + 1
