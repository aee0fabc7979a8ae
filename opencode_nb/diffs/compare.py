"""Which lines two texts do not share, chosen as `git diff` chooses them. Pure; linear where little has changed.

Myers' algorithm (An O(ND) Difference Algorithm and Its Variations, 1986) in its linear-space form, on the lines that
both sides have; then each run of changed lines is slid to where people would put it. Where the cheapest answer would
take too long, a good one is taken, as git does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from opencode_nb.diffs.sliding import settle

_CHEAP = 256
"""Edits up to which the shortest script is looked for, however the texts look; beyond, a good split will do."""

_SNAKE = 20
"""Equal lines in a row that make a good place to split."""

_COMMON = 1024
"""A line that stands in a file more often than this (or than about its square root) says little about what matches."""

_WINDOW = 100
"""How many lines around a common line are looked at to tell whether it is part of a rewritten stretch."""

_FAR = 1 << 60


class Block(NamedTuple):
    """Lines `old_start:old_end` became `new_start:new_end`; counted from 0, one of the two may be empty."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def blocks(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    """The changed places between two lists of lines, in order. What lies between them is equal."""
    a, b = _numbered(old, new)
    changed_a, changed_b = bytearray(len(a) + 1), bytearray(len(b) + 1)
    start, end = _equal_ends(a, b)
    left, right = _comparable(a, b, start, end, changed_a, changed_b)
    _Search([a[i] for i in left], [b[j] for j in right]).mark(changed_a, left, changed_b, right)
    settle(old, a, changed_a, changed_b)
    settle(new, b, changed_b, changed_a)
    return list(_collect(changed_a, changed_b))


def _numbered(old: Sequence[str], new: Sequence[str]) -> tuple[list[int], list[int]]:
    """Each distinct line as a number: cheaper to compare."""
    numbers: dict[str, int] = {}
    return (
        [numbers.setdefault(line, len(numbers)) for line in old],
        [numbers.setdefault(line, len(numbers)) for line in new],
    )


def _equal_ends(a: Sequence[int], b: Sequence[int]) -> tuple[int, int]:
    """How many lines are equal from the beginning on, and how many at the end."""
    limit = min(len(a), len(b))
    start = next((i for i in range(limit) if a[i] != b[i]), limit)
    limit -= start
    return start, next((i for i in range(limit) if a[-1 - i] != b[-1 - i]), limit)


def _comparable(
    a: Sequence[int], b: Sequence[int], start: int, end: int, changed_a: bytearray, changed_b: bytearray
) -> tuple[list[int], list[int]]:
    """The positions worth comparing on each side; the others are marked as changed at once."""
    in_a, in_b = Counter(a), Counter(b)
    return (
        _worth(a, in_b, range(start, len(a) - end), changed_a),
        _worth(b, in_a, range(start, len(b) - end), changed_b),
    )


def _worth(lines: Sequence[int], there: Counter[int], span: range, changed: bytearray) -> list[int]:
    """The lines that the other side has too, but for very common ones in the midst of lines that it has not."""
    many = min(_root(len(lines)), _COMMON)
    found = [there[lines[i]] for i in span]
    rank = bytes(0 if count == 0 else 2 if count >= many else 1 for count in found)
    kept = []
    for at, i in enumerate(span):
        if rank[at] == 1 or (rank[at] == 2 and not _among_strangers(rank, at)):
            kept.append(i)
        else:
            changed[i] = 1
    return kept


def _root(number: int) -> int:
    """About the square root: the power of two above it."""
    return 1 << (number.bit_length() + 1) // 2


def _among_strangers(rank: bytes, at: int) -> bool:
    """Whether the common line at `at` stands among lines of which most are nowhere on the other side."""
    before = _run(rank, range(at - 1, max(at - _WINDOW, 0) - 1, -1))
    after = _run(rank, range(at + 1, min(at + _WINDOW, len(rank) - 1) + 1))
    if not before[0] or not after[0]:
        return False
    strangers, common = before[0] + after[0], before[1] + after[1] + 2
    return common * 4 < common + strangers


def _run(rank: bytes, span: range) -> tuple[int, int]:
    """How many strangers and how many common lines follow each other from here on."""
    strangers = common = 0
    for i in span:
        if rank[i] == 1:
            break
        strangers, common = strangers + (rank[i] == 0), common + (rank[i] == 2)
    return strangers, common


class _Box(NamedTuple):
    """A part of both sides that is still to be compared; `exact`: its shortest script is known to be affordable."""

    a0: int
    a1: int
    b0: int
    b1: int
    exact: bool


class _Search:
    """Myers' search over two lists of numbers. A diagonal is `position in a - position in b`."""

    def __init__(self, a: list[int], b: list[int]) -> None:
        self.a, self.b = a, b
        diagonals = len(a) + len(b) + 3
        self.patience = max(_root(diagonals), _CHEAP)
        self.forth = [0] * (diagonals + 2)  # how far each diagonal was followed from the beginning
        self.back = [0] * (diagonals + 2)  # and from the end
        self.zero = len(b) + 1

    def mark(self, changed_a: bytearray, where_a: Sequence[int], changed_b: bytearray, where_b: Sequence[int]) -> None:
        """Mark what differs, at the positions that the numbers came from."""
        boxes = [_Box(0, len(self.a), 0, len(self.b), False)]
        while boxes:
            box = self._shrunk(boxes.pop())
            if box.a0 == box.a1 or box.b0 == box.b1:
                for i in range(box.a0, box.a1):
                    changed_a[where_a[i]] = 1
                for j in range(box.b0, box.b1):
                    changed_b[where_b[j]] = 1
            else:
                boxes += self._split(box)

    def _shrunk(self, box: _Box) -> _Box:
        a, b, (a0, a1, b0, b1, exact) = self.a, self.b, box
        while a0 < a1 and b0 < b1 and a[a0] == b[b0]:
            a0, b0 = a0 + 1, b0 + 1
        while a0 < a1 and b0 < b1 and a[a1 - 1] == b[b1 - 1]:
            a1, b1 = a1 - 1, b1 - 1
        return _Box(a0, a1, b0, b1, exact)

    def _split(self, box: _Box) -> list[_Box]:
        """Two smaller boxes, where the searches from both ends meet, or where one of them got far enough."""
        top, bottom = _Front(box.a0 - box.b0, box), _Front(box.a1 - box.b1, box)
        self.forth[self.zero + top.low], self.back[self.zero + bottom.low] = box.a0, box.a1
        odd = (top.low - bottom.low) % 2
        cost = 0
        while True:
            cost += 1
            top.widen(self.forth, self.zero, -1)
            far, met = self._forward(box, top, bottom if odd else None)
            if met is not None:
                return _cut(box, *met, True, True)
            bottom.widen(self.back, self.zero, _FAR)
            far_back, met = self._backward(box, bottom, None if odd else top)
            if met is not None:
                return _cut(box, *met, True, True)
            if box.exact:
                continue
            if (far or far_back) and cost > _CHEAP and (parts := self._promising(box, top, bottom, cost)):
                return parts
            if cost >= self.patience:
                return self._furthest(box, top, bottom)

    def _forward(self, box: _Box, front: _Front, other: _Front | None) -> tuple[bool, tuple[int, int] | None]:
        """Follow every diagonal one edit further down; whether one went far, and where the other search was met."""
        a, b, reach, back, zero = self.a, self.b, self.forth, self.back, self.zero
        far = False
        for d in range(front.high, front.low - 1, -2):
            i = max(reach[zero + d - 1] + 1, reach[zero + d + 1])
            begun, j = i, i - d
            while i < box.a1 and j < box.b1 and a[i] == b[j]:
                i, j = i + 1, j + 1
            far = far or i - begun > _SNAKE
            reach[zero + d] = i
            if other is not None and other.low <= d <= other.high and back[zero + d] <= i:
                return far, (i, j)
        return far, None

    def _backward(self, box: _Box, front: _Front, other: _Front | None) -> tuple[bool, tuple[int, int] | None]:
        """The same from the end up."""
        a, b, reach, forth, zero = self.a, self.b, self.back, self.forth, self.zero
        far = False
        for d in range(front.high, front.low - 1, -2):
            i = min(reach[zero + d - 1], reach[zero + d + 1] - 1)
            begun, j = i, i - d
            while i > box.a0 and j > box.b0 and a[i - 1] == b[j - 1]:
                i, j = i - 1, j - 1
            far = far or begun - i > _SNAKE
            reach[zero + d] = i
            if other is not None and other.low <= d <= other.high and i <= forth[zero + d]:
                return far, (i, j)
        return far, None

    def _promising(self, box: _Box, top: _Front, bottom: _Front, cost: int) -> list[_Box]:
        """A split right after (or before) a long run of equal lines that one of the searches has gone through."""
        found = [
            (gain, i, j)
            for d in range(top.high, top.low - 1, -2)
            if (gain := (i := self.forth[self.zero + d]) - box.a0 + (j := i - d) - box.b0 - abs(d - top.middle))
            > 4 * cost
            and box.a0 + _SNAKE <= i < box.a1
            and box.b0 + _SNAKE <= j < box.b1
            and self.a[i - _SNAKE : i] == self.b[j - _SNAKE : j]
        ]
        if found:
            _, i, j = max(found, key=lambda split: split[0])
            return _cut(box, i, j, True, False)
        found = [
            (gain, i, j)
            for d in range(bottom.high, bottom.low - 1, -2)
            if (gain := box.a1 - (i := self.back[self.zero + d]) + box.b1 - (j := i - d) - abs(d - bottom.middle))
            > 4 * cost
            and box.a0 < i <= box.a1 - _SNAKE
            and box.b0 < j <= box.b1 - _SNAKE
            and self.a[i : i + _SNAKE] == self.b[j : j + _SNAKE]
        ]
        if found:
            _, i, j = max(found, key=lambda split: split[0])
            return _cut(box, i, j, False, True)
        return []

    def _furthest(self, box: _Box, top: _Front, bottom: _Front) -> list[_Box]:
        """Enough is enough: split where a search got furthest."""
        down = [self._clamped_down(box, d) for d in range(top.high, top.low - 1, -2)]
        up = [self._clamped_up(box, d) for d in range(bottom.high, bottom.low - 1, -2)]
        furthest, nearest = max(down, key=sum), min(up, key=sum)
        if box.a1 + box.b1 - sum(nearest) < sum(furthest) - box.a0 - box.b0:
            return _cut(box, *furthest, True, False)
        return _cut(box, *nearest, False, True)

    def _clamped_down(self, box: _Box, d: int) -> tuple[int, int]:
        i = min(self.forth[self.zero + d], box.a1, box.b1 + d)
        return i, i - d

    def _clamped_up(self, box: _Box, d: int) -> tuple[int, int]:
        i = max(self.back[self.zero + d], box.a0, box.b0 + d)
        return i, i - d


class _Front:
    """The diagonals that one search has got to: every second from `low` to `high`, around `middle`."""

    def __init__(self, middle: int, box: _Box) -> None:
        self.middle = self.low = self.high = middle
        self.least, self.most = box.a0 - box.b1, box.a1 - box.b0

    def widen(self, reach: list[int], zero: int, unreached: int) -> None:
        """One diagonal more on each side; at the box's edge, one less."""
        if self.low > self.least:
            self.low -= 1
            reach[zero + self.low - 1] = unreached
        else:
            self.low += 1
        if self.high < self.most:
            self.high += 1
            reach[zero + self.high + 1] = unreached
        else:
            self.high -= 1


def _cut(box: _Box, i: int, j: int, first_exact: bool, second_exact: bool) -> list[_Box]:
    return [_Box(i, box.a1, j, box.b1, second_exact), _Box(box.a0, i, box.b0, j, first_exact)]


def _collect(changed_a: bytearray, changed_b: bytearray) -> Iterator[Block]:
    """The marks as blocks. Both end in an unmarked position, so that equal stretches line up."""
    i = j = 0
    while True:
        i0, j0 = changed_a.find(1, i), changed_b.find(1, j)
        if i0 < 0 and j0 < 0:
            return
        equal = min(i0 - i if i0 >= 0 else _FAR, j0 - j if j0 >= 0 else _FAR)
        i0, j0 = i + equal, j + equal
        i, j = changed_a.find(0, i0), changed_b.find(0, j0)
        yield Block(i0, i, j0, j)
