"""Render the lines of a diff as rows: numbered, highlighted, changed words marked; in one or two columns. Pure.

Accepts hunks parsed from a patch, and those of a session's diff.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from opencode_nb.diffs.reviewable import ReviewableHunk
from opencode_nb.render.diff.word_diff import Range, changed_words, pair
from opencode_nb.render.markup.escape import Html, element, escape, join
from opencode_nb.render.markup.highlight import MAX_HIGHLIGHTED, Run, span
from opencode_nb.render.markup.highlight import lines as code_lines
from opencode_nb.render.markup.style import STYLES

NO_NEWLINE = "\\ No newline at end of file"
"""Shown below a last line without a newline, as in git's patches."""


@dataclass(slots=True, frozen=True)
class Row:
    """One line with its number on each side that has it."""

    sign: str
    text: str
    old: int | None = None
    new: int | None = None
    newline: bool = True

    @property
    def at(self) -> str:
        """The side and line number, as the page's name for it: `n12`, or `o12` for a removed line."""
        return f"o{self.old}" if self.new is None else f"n{self.new}"


class Painted(NamedTuple):
    """A row with its highlighted runs and changed ranges."""

    row: Row
    runs: list[Run]
    marks: list[Range]


class Sides(NamedTuple):
    """The whole file before and after, as highlighted runs of each line; [] if unknown."""

    old: list[list[Run]]
    new: list[list[Run]]


UNKNOWN = Sides([], [])


def numbered(hunk: ReviewableHunk, limit: int | None = None, longest: int | None = None) -> list[Row]:
    """Return the (first `limit`) lines of a hunk with their numbers, lines longer than `longest` cut.

    Hides a carriage return that ends all of them.
    """
    old, new = hunk.old_start, hunk.new_start
    rows: list[Row] = []
    lines = hunk.lines[:limit]
    cut = 1 if lines and all(line.text.endswith("\r") for line in lines) else 0
    for line in lines:
        gone, came = line.kind != "+", line.kind != "-"
        text = shortened(line.text[: len(line.text) - cut], longest)
        rows.append(Row(line.kind, text, old if gone else None, new if came else None, line.newline))
        old, new = old + gone, new + came
    return rows


def shown_as(show: Callable[[str], str], row: Row) -> Row:
    """Return the row with its text converted by `show`."""
    return replace(row, text=show(row.text))


def shortened(text: str, longest: int | None) -> str:
    """Return the beginning of a long line, and how much is missing."""
    if longest is None or len(text) <= longest:
        return text
    return f"{text[:longest]}\u2026 ({len(text) - longest:,} more characters)"


def context(lines: Iterable[str], old: int, new: int) -> list[Row]:
    """Return unchanged lines as rows, numbered from `old` and `new`."""
    return [Row(" ", text, old + index, new + index) for index, text in enumerate(lines)]


def number_width(rows: Iterable[Row]) -> int:
    """Return the number of digits of the longest line number."""
    return max((len(str(number)) for row in rows for number in (row.old, row.new) if number), default=1)


# Highlighting and marks


def sides(before: str, after: str, path: str) -> Sides:
    """Highlight both versions of a file whole, to recognise strings and comments that begin above a hunk."""
    return Sides(*(code_lines(text, path) if text and len(text) <= MAX_HIGHLIGHTED else [] for text in (before, after)))


def paint(rows: Sequence[Row], path: str, whole: Sides = UNKNOWN) -> list[Painted]:
    """Highlight the rows of one hunk by the file's name: as part of the `whole` file if it matches, else alone."""
    marks = _changed_ranges(rows)
    old = iter(_side(rows, "-", path, whole.old))
    new = iter(_side(rows, "+", path, whole.new))
    painted: list[Painted] = []
    for index, row in enumerate(rows):
        runs = next(old) if row.sign != "+" else []
        runs = next(new) if row.sign != "-" else runs
        painted.append(Painted(row, runs, marks.get(index, [])))
    return painted


def _side(rows: Sequence[Row], sign: str, path: str, whole: list[list[Run]]) -> list[list[Run]]:
    """Return the highlighted lines of the old ("-") or new ("+") side."""
    mine = [row for row in rows if row.sign in (" ", sign)]
    taken = [_line_of(whole, row.old if sign == "-" else row.new) for row in mine]
    if all("".join(text for text, _ in runs) == row.text for row, runs in zip(mine, taken, strict=True)):
        return taken
    text = "\n".join(row.text for row in mine)
    return code_lines(text, path) if len(text) <= MAX_HIGHLIGHTED else [[(row.text, "")] for row in mine]


def _line_of(whole: list[list[Run]], number: int | None) -> list[Run]:
    return whole[number - 1] if number and number <= len(whole) else []


def _changed_ranges(rows: Sequence[Row]) -> dict[int, list[Range]]:
    """Find changes within lines: pairs the removed lines of a change with its added ones."""
    ranges: dict[int, list[Range]] = {}
    for removed, added in changes(rows):
        for i, j in pair([rows[index].text for index in removed], [rows[index].text for index in added]):
            ranges[removed[i]], ranges[added[j]] = changed_words(rows[removed[i]].text, rows[added[j]].text)
    return ranges


def changes(rows: Sequence[Row]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield runs of removed rows with the added ones right after them, as indices."""
    removed: list[int] = []
    added: list[int] = []
    for index, row in enumerate(rows):
        if row.sign == "+":
            added.append(index)
        elif row.sign == "-" and not added:
            removed.append(index)
        else:
            yield removed, added
            removed, added = ([index] if row.sign == "-" else []), []
    yield removed, added


# Markup

_STYLES = {" ": "same", "+": "added", "-": "removed"}
_MARK_TAGS = {"+": "ins", "-": "del"}


Notes = Mapping[str, Html]
"""Markup below a row, by the row's `at`."""


def lines(painted: Iterable[Painted], width: int, columns: int = 1, notes: Notes | None = None) -> Iterator[Html]:
    """Yield the rows as lines of markup; with `notes` the page can address them.

    In one column each row is a line of its own even without styles. Two columns put a change side by side with what it
    became: only for live pages (static/core/rows.css).
    """
    if columns == 2:
        for left, right in _beside(painted):
            yield _noted(_pair(left, right, width, notes), (left, right), notes)
    else:
        for item in painted:
            yield _noted(_line(item, _numbers(item.row, width), notes), (item,), notes)


def _noted(line: Html, items: Iterable[Painted | None], notes: Notes | None) -> Html:
    """Append the notes of a line below it."""
    names = {item.row.at for item in items if item} if notes else set()
    return join([line, *(notes[name] for name in sorted(names) if name in notes)]) if notes else line


def _line(item: Painted, numbers: str, notes: Notes | None) -> Html:
    row = item.row
    # The newline keeps lines apart when copied, or read without styles.
    code = join([escape(row.sign), _marked(item.runs, item.marks, _MARK_TAGS.get(row.sign, "")), Html("\n")])
    pieces = [element("span", escape(numbers), style="number"), element("span", code, classes="oc-code")]
    line = element("span", join(pieces), style=_STYLES[row.sign], data_at=None if notes is None else row.at)
    return line if row.newline else join([line, element("span", escape(f"{NO_NEWLINE}\n"), style="hunk")])


def _numbers(row: Row, width: int) -> str:
    return f"{_digits(row.old, width)} {_digits(row.new, width)} "


def _digits(number: int | None, width: int) -> str:
    return ("" if number is None else str(number)).rjust(width)


def _beside(painted: Iterable[Painted]) -> Iterator[tuple[Painted | None, Painted | None]]:
    """Yield the left and right side of each row of two columns."""
    old: list[Painted] = []
    new: list[Painted] = []
    for item in painted:
        if item.row.sign == "+":
            new.append(item)
        elif item.row.sign == "-" and not new:
            old.append(item)
        else:
            yield from itertools.zip_longest(old, new)
            old, new = ([item] if item.row.sign == "-" else []), []
            if item.row.sign == " ":
                yield item, item
    yield from itertools.zip_longest(old, new)


def _pair(left: Painted | None, right: Painted | None, width: int, notes: Notes | None) -> Html:
    old = _line(left, f"{_digits(left.row.old, width)} ", notes) if left else _NOTHING_THERE
    new = _line(right, f"{_digits(right.row.new, width)} ", notes) if right else _NOTHING_THERE
    return element("span", join([_half(old), _half(new)]), classes="oc-pair")


_NOTHING_THERE = element("span", Html("\n"), classes="oc-gap")


def _half(line: Html) -> Html:
    return element("span", line, classes="oc-half")


def _marked(runs: list[Run], marks: list[Range], tag: str) -> Html:
    """Render highlighted code with `<ins>` or `<del>` around the changed ranges."""
    if not marks or not tag:
        return join(span(text, kind) for text, kind in runs)
    pieces: list[Html] = []
    position = 0
    bounds = sorted({edge for mark in marks for edge in mark})
    for text, kind in runs:
        for start, end in _cut(position, position + len(text), bounds):
            piece = span(text[start - position : end - position], kind)
            marked = any(first <= start and end <= last for first, last in marks)
            pieces.append(Html(f'<{tag} style="{STYLES[tag]}">{piece}</{tag}>') if marked else piece)
        position += len(text)
    return join(pieces)


def _cut(start: int, end: int, bounds: Sequence[int]) -> Iterator[Range]:
    edges = [start, *(bound for bound in bounds if start < bound < end), end]
    return itertools.pairwise(edges) if start < end else iter(())
