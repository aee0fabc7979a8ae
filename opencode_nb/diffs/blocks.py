"""Find the lines that differ between two texts: with git, or with Python's difflib where git is missing.

Git is preferred because it gives the same patches people see elsewhere. Either result can be reverted and reapplied.
Comparisons are cached within bounds, because every look at a file compares the same versions again.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from opencode_nb.diffs import git_diff
from opencode_nb.diffs.git_diff import Pair
from opencode_nb.diffs.patch import Block
from opencode_nb.diffs.text import split

__all__ = ["Block", "Pair", "blocks", "compared", "prepare"]

_TOGETHER = 8_000_000
"""Minimum characters per run of git, if there are that many: starting git costs as much as comparing a megabyte."""

_REMEMBERED = 100_000
"""Maximum number of cached blocks, about 20 MB. Each comparison counts as one more than its blocks."""

_MATCHES = 200_000
"""Maximum pairs of equal lines for difflib: its time grows with their number times the number of changed places."""


def blocks(old: str, new: str) -> Sequence[Block]:
    """Return the changed places between two texts, in order. Everything between them is equal."""
    (found,) = compared([(old, new)])
    return found


def compared(pairs: Iterable[Pair]) -> Iterator[Sequence[Block]]:
    """Yield the blocks of each pair, in order, with few runs of git."""
    for group in _groups(pairs):
        keys = [_key(pair) for pair in group]
        found = {key: blocks for key in keys if (blocks := _memory.get(key)) is not None}
        missing = {key: pair for key, pair in zip(keys, group, strict=True) if key not in found}
        for key, blocks in zip(missing, _compare([*missing.values()]), strict=True):
            found[key] = blocks
            _memory.put(key, blocks)
        yield from (found[key] for key in keys)


def prepare(pairs: Iterable[Pair]) -> None:
    """Compare many pairs with few runs of git, so that `blocks` finds them in the cache."""
    for _ in compared(pairs):
        pass


def _groups(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    group: list[Pair] = []
    size = 0
    for old, new in pairs:
        group.append((old, new))
        size += len(old) + len(new)
        if size > _TOGETHER:
            yield group
            group, size = [], 0
    if group:
        yield group


def _key(pair: Pair) -> bytes:
    return b"".join(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in pair)


def _compare(pairs: Sequence[Pair]) -> list[Sequence[Block]]:
    plain = [_plain(*pair) for pair in pairs]
    hard = [pair for pair, found in zip(pairs, plain, strict=True) if found is None]
    answers = iter((git_diff.blocks(hard) or [_by_difflib(*pair) for pair in hard]) if hard else [])
    return [next(answers) if found is None else found for found in plain]


def _plain(old: str, new: str) -> list[Block] | None:
    """Return the blocks of trivial pairs (equal texts, or one side empty), else None."""
    if old == new:
        return []
    return None if old and new else [Block(0, len(split(old)), 0, len(split(new)))]


def _by_difflib(old: str, new: str) -> list[Block]:
    """Compare with difflib; if that could take long, return one block from the first to the last differing line."""
    a, b = split(old), split(new)
    start = _equal(a, b)
    end = _equal(a[start:][::-1], b[start:][::-1])
    left, right = a[start : len(a) - end], b[start : len(b) - end]
    matcher = SequenceMatcher(None, left, right)
    places: dict[str, list[int]] = matcher.b2j  # type: ignore[attr-defined]  # documented: the positions of each line of b
    if sum(len(places.get(line, ())) for line in left) > _MATCHES:
        return [Block(start, len(a) - end, start, len(b) - end)]
    changes = (ends for tag, *ends in matcher.get_opcodes() if tag != "equal")
    return [Block(*(start + end for end in ends)) for ends in changes]


def _equal(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the number of equal lines at the beginning."""
    limit = min(len(a), len(b))
    return next((i for i in range(limit) if a[i] != b[i]), limit)


class _Memory:
    """A thread-safe LRU cache of comparisons, keyed by the hashes of both texts."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Sequence[Block]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Sequence[Block] | None:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def put(self, key: bytes, blocks: Sequence[Block]) -> None:
        with self._lock:
            self._size += len(blocks) + 1 if key not in self._known else 0
            self._known[key] = blocks
            while self._size > _REMEMBERED and len(self._known) > 1:
                self._size -= len(self._known.popitem(last=False)[1]) + 1


_memory = _Memory()
