"""Where a run of changed lines should stand, if it could stand in several places.

Adding a function after another can be read as adding `}` + blank + `def` ... or blank + `def` + ... + `}`. Such a run
is moved next to a change of the other side where there is one, else to where its edges split blocks of code least: the
rule of git's "indent heuristic" (Haggerty 2016), with the weights that were found there on a large body of code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MAX_INDENT = 200
_MAX_BLANKS = 20
_MAX_SLIDING = 100

# Weights: what a split costs by where it falls.
_AT_START, _AT_END = 1, 21
_BLANK, _BLANK_AFTER = -30, 6
_DEEPER, _DEEPER_AFTER_BLANK = -4, 10
_OUTER_BEFORE_DEEPER, _OUTER_BEFORE_DEEPER_AFTER_BLANK = 24, 17
_OUTER, _OUTER_AFTER_BLANK = 23, 17
_INDENT = 60


def settle(text: Sequence[str], lines: Sequence[int], mine: bytearray, theirs: bytearray) -> None:
    """Slide each run of marks in `mine` to its best place; `theirs` are the other side's marks.

    `lines` are the side's lines as numbers, `text` the same as text. Marks have one position more, always 0.
    """
    run, other = _Run(mine, lines), _Run(theirs, ())
    while True:
        if run.end > run.start:
            _place(text, run, other)
        if not run.next():
            return
        other.next()


def _place(text: Sequence[str], run: _Run, other: _Run) -> None:
    size, first, beside = _stretch(run, other)
    if run.end == first:
        return
    if beside:
        while other.end == other.start:
            _up(run, other)
        return
    best = _best_end(text, run.end, first, size)
    while run.end > best:
        _up(run, other)


def _stretch(run: _Run, other: _Run) -> tuple[int, int, bool]:
    """Slide up, then down as far as it goes, merging what it meets.

    Returns its size, its first possible end, and whether somewhere on the way it stood beside a change of the others.
    """
    while True:
        size = run.end - run.start
        while run.up():
            other.previous()
        first, beside = run.end, other.end > other.start
        while run.down():
            other.next()
            beside = beside or other.end > other.start
        if size == run.end - run.start:
            return size, first, beside


def _up(run: _Run, other: _Run) -> None:
    run.up()
    other.previous()


def _best_end(text: Sequence[str], last: int, first: int, size: int) -> int:
    """The end at which the run's two edges cost least; the last of equally good ones."""
    begin = max(first, last - size - 1, last - _MAX_SLIDING)
    best, best_cost = begin, _cost(text, begin, size)
    for end in range(begin + 1, last + 1):
        cost = _cost(text, end, size)
        if _INDENT * _sign(cost[0] - best_cost[0]) + cost[1] - best_cost[1] <= 0:
            best, best_cost = end, cost
    return best


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _cost(text: Sequence[str], end: int, size: int) -> tuple[int, int]:
    """Indentation and penalty of a run's two edges together."""
    below, above = _edge(text, end), _edge(text, end - size)
    return below[0] + above[0], below[1] + above[1]


class _Run:
    """One run of marked lines, or the empty one between two unmarked lines: `start` to `end`."""

    def __init__(self, marks: bytearray, lines: Sequence[int]) -> None:
        self.marks, self.lines = marks, lines
        self.start = 0
        self.end = marks.find(0)

    def next(self) -> bool:
        """Go to the next run; False after the last."""
        if self.end == len(self.marks) - 1:
            return False
        self.start = self.end + 1
        self.end = self.marks.find(0, self.start)
        return True

    def previous(self) -> None:
        """Go back to the run before."""
        self.end = self.start - 1
        self.start = self.marks.rfind(0, 0, self.end) + 1

    def up(self) -> bool:
        """Slide up by a line, if that leaves the same text, and take in the run that it meets."""
        if self.start == 0 or self.lines[self.start - 1] != self.lines[self.end - 1]:
            return False
        self.start, self.end = self.start - 1, self.end - 1
        self.marks[self.start], self.marks[self.end] = 1, 0
        self.start = self.marks.rfind(0, 0, self.start) + 1
        return True

    def down(self) -> bool:
        """Slide down by a line, likewise."""
        if self.end == len(self.marks) - 1 or self.lines[self.start] != self.lines[self.end]:
            return False
        self.marks[self.start], self.marks[self.end] = 0, 1
        self.start += 1
        self.end = self.marks.find(0, self.end)
        return True


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """Indentations (None: nothing but blanks) at a split, and before and after it, with the blank lines between."""

    here: int | None
    before: int | None
    after: int | None
    blanks_before: int
    blanks_after: int


def _edge(text: Sequence[str], split: int) -> tuple[int, int]:
    """Indentation (-1 at the end) and penalty of a split above line `split`."""
    around = _surroundings(text, split)
    penalty = _AT_START if around.before is None and not around.blanks_before else 0
    penalty += _AT_END if split >= len(text) else 0
    after = 1 + around.blanks_after if around.here is None else 0
    blanks = around.blanks_before + after
    penalty += _BLANK * blanks + _BLANK_AFTER * after
    indent = around.after if around.here is None else around.here
    return -1 if indent is None else indent, penalty + _step(around, indent, blanks > 0)


def _step(around: _Surroundings, indent: int | None, blank: bool) -> int:
    """What the change of indentation at a split costs."""
    if indent is None or around.before is None or indent == around.before:
        return 0
    if indent > around.before:
        return _DEEPER_AFTER_BLANK if blank else _DEEPER
    if around.after is not None and around.after > indent:
        return _OUTER_BEFORE_DEEPER_AFTER_BLANK if blank else _OUTER_BEFORE_DEEPER
    return _OUTER_AFTER_BLANK if blank else _OUTER


def _surroundings(text: Sequence[str], split: int) -> _Surroundings:
    before, blanks_before = _look(text, range(split - 1, -1, -1))
    after, blanks_after = _look(text, range(split + 1, len(text)))
    here = _indentation(text[split]) if split < len(text) else None
    return _Surroundings(here, before, after, blanks_before, blanks_after)


def _look(text: Sequence[str], span: range) -> tuple[int | None, int]:
    """The first indentation on the way, and the blank lines before it; after many, as if it were the margin."""
    for blanks, i in enumerate(span):
        indent = _indentation(text[i])
        if indent is not None:
            return indent, blanks
        if blanks + 1 == _MAX_BLANKS:
            return 0, _MAX_BLANKS
    return None, len(span)


def _indentation(line: str) -> int | None:
    """Columns of white space at its beginning, a tab reaching to the next eighth; None for a blank line."""
    width = 0
    for character in line:
        if character not in " \t\n\r\v\f":
            return width
        width += 1 if character == " " else 8 - width % 8 if character == "\t" else 0
        if width >= _MAX_INDENT:
            return _MAX_INDENT
    return None
