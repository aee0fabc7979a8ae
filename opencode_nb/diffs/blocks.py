"""Which lines two texts do not share: as git tells it, or where there is no git, as Python's difflib does.

Git's answer is that of the patches people know. Either is a true difference, which can be taken back and made again.
What was compared is remembered, within bounds: each look at a file compares the same versions again.
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
"""Characters that one run of git is given at least, where there are more: a run costs as much as a megabyte."""

_REMEMBERED = 100_000
"""Blocks that are remembered, about 20 MB of them. A comparison counts as one more than it has."""

_MATCHES = 200_000
"""Pairs of equal lines up to which difflib is asked: it takes their number times that of the changed places."""


def blocks(old: str, new: str) -> Sequence[Block]:
    """The changed places between two texts, in order. What lies between them is equal."""
    (found,) = compared([(old, new)])
    return found


def compared(pairs: Iterable[Pair]) -> Iterator[Sequence[Block]]:
    """The blocks of many pairs in their order, with few runs of git."""
    for group in _groups(pairs):
        keys = [_key(pair) for pair in group]
        found = {key: blocks for key in keys if (blocks := _memory.get(key)) is not None}
        missing = {key: pair for key, pair in zip(keys, group, strict=True) if key not in found}
        for key, blocks in zip(missing, _compare([*missing.values()]), strict=True):
            found[key] = blocks
            _memory.put(key, blocks)
        yield from (found[key] for key in keys)


def prepare(pairs: Iterable[Pair]) -> None:
    """Compare many pairs with few runs of git; as far as that is remembered, `blocks` costs none for them."""
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
    """What needs no looking: the same, or one side is empty."""
    if old == new:
        return []
    return None if old and new else [Block(0, len(split(old)), 0, len(split(new)))]


def _by_difflib(old: str, new: str) -> list[Block]:
    """Where that could take long, one block from the first to the last line that differs."""
    a, b = split(old), split(new)
    start = _equal(a, b)
    end = _equal(a[start:][::-1], b[start:][::-1])
    left, right = a[start : len(a) - end], b[start : len(b) - end]
    matcher = SequenceMatcher(None, left, right)
    places: dict[str, list[int]] = matcher.b2j  # type: ignore[attr-defined]  # documented: where the lines of b stand
    if sum(len(places.get(line, ())) for line in left) > _MATCHES:
        return [Block(start, len(a) - end, start, len(b) - end)]
    changes = (ends for tag, *ends in matcher.get_opcodes() if tag != "equal")
    return [Block(*(start + end for end in ends)) for ends in changes]


def _equal(a: Sequence[str], b: Sequence[str]) -> int:
    """How many lines are equal from the beginning on."""
    limit = min(len(a), len(b))
    return next((i for i in range(limit) if a[i] != b[i]), limit)


class _Memory:
    """The comparisons used last, by their texts' hashes; for any thread."""

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
