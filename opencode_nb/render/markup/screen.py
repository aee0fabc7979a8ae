"""A terminal screen: its content after text is written and the cursor is moved. Pure.

It has as many rows as most terminals and is as wide as its text: lines are not wrapped. Rows that scroll off the top
are final, as in a terminal's history. What a sequence can change is limited by the screen, not by the length of the
output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter

from rich.cells import get_character_cell_size

from opencode_nb.render.markup.sgr import PLAIN, Style

Run = tuple[str, Style]
Line = list[Run]
"""Runs of text, each in one style."""

ROWS = 24
COLUMNS = 200
"""How far right the cursor can move without text."""
WRAPPED = 10_000
"""Columns after which a line is final and the cursor restarts at 0, as if a very wide terminal wrapped it."""

_TAB = 8
_BLANK: Run = (" ", PLAIN)


class _Row:
    """One row: runs while text is only appended, single cells once some of it is overwritten."""

    __slots__ = ("cells", "runs", "settled", "width")

    def __init__(self) -> None:
        self.settled: Line = []
        self.runs: Line = []
        self.cells: list[Run] | None = None
        self.width = 0

    def line(self) -> Line:
        """Return the whole content."""
        return [*self.settled, *(self.runs if self.cells is None else _joined(self.cells))]

    def edit(self) -> list[Run]:
        """Return the cells for editing; call `measure` afterwards. The second cell of a wide character is empty."""
        if self.cells is None:
            self.cells = [cell for text, style in self.runs for cell in _cells(text, style)]
        return self.cells

    def measure(self) -> None:
        """Update the width after cells were changed."""
        self.width = len(self.edit())

    def write(self, column: int, text: str, style: Style) -> int:
        """Overwrite from `column`; return the column after the text."""
        if column < self.width or self.cells is not None:
            return self._overwrite(column, text, style)
        if column > self.width:
            self.runs.append((" " * (column - self.width), PLAIN))
        self.runs.append((text, style))
        self.width = column + (len(text) if text.isascii() else sum(map(get_character_cell_size, text)))
        return self.width

    def _overwrite(self, column: int, text: str, style: Style) -> int:
        cells, new = self.edit(), _cells(text, style)
        cells.extend([_BLANK] * (column - len(cells)))
        while new and not column and not get_character_cell_size(new[0][0][:1]):
            new.pop(0)  # a combining character with no base
        end = column + len(new)
        _split(cells, column)
        _split(cells, end)
        cells[column:end] = new
        self.measure()
        return end

    def settle(self) -> None:
        """Make the content final."""
        self.settled, self.runs, self.cells, self.width = self.line(), [], None, 0


def _cells(text: str, style: Style) -> list[Run]:
    if text.isascii():
        return [(character, style) for character in text]
    cells: list[Run] = []
    for character in text:
        width = get_character_cell_size(character)
        if width or not cells:
            cells += [(character, style), ("", style)][: max(1, width)]
        else:
            at = len(cells) - 1 - (not cells[-1][0])
            cells[at] = (cells[at][0] + character, cells[at][1])
    return cells


def _split(cells: list[Run], column: int) -> None:
    """Blank a wide character if only half of it will remain."""
    if 0 < column < len(cells) and not cells[column][0]:
        cells[column - 1 : column + 1] = [_BLANK, _BLANK]


def _joined(cells: Iterable[Run]) -> Line:
    return [("".join(text for text, _ in group), style) for style, group in groupby(cells, itemgetter(1))]


class Screen:
    """A terminal's input side; `lines` is everything it has shown, history included."""

    def __init__(self) -> None:
        self.style = PLAIN
        self._history: list[Line] = []
        self._rows: list[_Row] = []
        self._x = self._y = 0
        self._saved = (0, 0)

    def lines(self) -> list[Line]:
        """Return the current lines; a newline at the very end starts no further line."""
        while len(self._rows) > self._y and not self._rows[-1].width and not self._rows[-1].settled:
            self._rows.pop()
        return [*self._history, *(row.line() for row in self._rows)]

    def write(self, text: str) -> None:
        """Write text at the cursor. It may contain no controls but tabs and newlines."""
        first, *others = text.split("\n")
        self._put(first)
        for line in others:
            self._down_with_history()
            self._x = 0
            self._put(line)

    def _put(self, text: str) -> None:
        if "\t" not in text:
            self._put_characters(text)
        elif not self._x and not self._row().width and self.style == PLAIN and text.isascii():
            self._put_characters(text.expandtabs(_TAB))  # same result, faster
        else:
            first, *others = text.split("\t")
            self._put_characters(first)
            for piece in others:
                self._to_column(self._x // _TAB * _TAB + _TAB)
                self._put_characters(piece)

    def _put_characters(self, text: str) -> None:
        if not text:
            return
        row = self._row()
        self._x = row.write(self._x, text, self.style)
        if row.width > WRAPPED:
            row.settle()
            self._x = 0

    def control(self, character: str) -> None:
        """Apply a control character; ignore those without a visible effect."""
        if character in "\v\f":
            self._down_with_history()
        elif character == "\r":
            self._x = 0
        elif character == "\b":
            self._x = max(0, self._x - 1)

    def sequence(self, final: str, parameters: list[int]) -> None:
        """Apply `CSI parameters final`; ignore unknown sequences."""
        if act := _ACTS.get(final):
            act(self, parameters)

    # The cursor

    def _row(self) -> _Row:
        while len(self._rows) <= self._y:
            self._rows.append(_Row())
        return self._rows[self._y]

    def _down_with_history(self) -> None:
        self._row()
        if self._y < ROWS - 1:
            self._y += 1
        else:
            self._history.append(self._rows.pop(0).line())

    def _to_row(self, row: int) -> None:
        self._y = min(max(0, row), ROWS - 1)

    def _to_column(self, column: int) -> None:
        self._x = min(max(0, column), max(COLUMNS - 1, self._row().width))

    def _up(self, by: list[int]) -> None:
        self._to_row(self._y - _count(by))

    def _down(self, by: list[int]) -> None:
        self._to_row(self._y + _count(by))

    def _right(self, by: list[int]) -> None:
        self._to_column(self._x + _count(by))

    def _left(self, by: list[int]) -> None:
        self._to_column(self._x - _count(by))

    def _next_line(self, by: list[int]) -> None:
        self._down(by)
        self._x = 0

    def _previous_line(self, by: list[int]) -> None:
        self._up(by)
        self._x = 0

    def _column(self, to: list[int]) -> None:
        self._to_column(_count(to) - 1)

    def _line(self, to: list[int]) -> None:
        self._to_row(_count(to) - 1)

    def _position(self, to: list[int]) -> None:
        self._line(to[:1])
        self._column(to[1:])

    def _save(self, _: list[int]) -> None:
        self._saved = (self._y, self._x)

    def _restore(self, _: list[int]) -> None:
        self._to_row(self._saved[0])
        self._to_column(self._saved[1])

    # Erasing, inserting and deleting

    def _erase_line(self, how: list[int]) -> None:
        row, kind = self._row(), _kind(how)
        cells = row.edit()
        if kind == 0:
            _split(cells, self._x)
            del cells[self._x :]
        elif kind == 1:
            _split(cells, self._x + 1)
            cells[: self._x + 1] = [_BLANK] * (self._x + 1)
        elif kind == 2:
            cells.clear()
        row.measure()

    def _erase_screen(self, how: list[int]) -> None:
        kind = _kind(how)
        if kind in (0, 1):
            self._erase_line(how)
        if kind in (0, 2, 3):
            del self._rows[self._y + 1 :]
        if kind in (1, 2, 3):
            end = self._y if kind == 1 else len(self._rows)
            self._rows[:end] = [_Row() for _ in self._rows[:end]]

    def _erase_characters(self, by: list[int]) -> None:
        row = self._row()
        end = min(self._x + _count(by), row.width)
        if self._x < end:
            row.write(self._x, " " * (end - self._x), PLAIN)

    def _delete_characters(self, by: list[int]) -> None:
        row = self._row()
        cells, end = row.edit(), self._x + _count(by)
        _split(cells, self._x)
        _split(cells, end)
        del cells[self._x : end]
        row.measure()

    def _insert_blanks(self, by: list[int]) -> None:
        row = self._row()
        cells = row.edit()
        _split(cells, self._x)
        if self._x < len(cells):
            cells[self._x : self._x] = [_BLANK] * min(COLUMNS, _count(by))
            del cells[WRAPPED:]
        row.measure()


def _count(parameters: list[int]) -> int:
    """Return the first parameter; missing and 0 mean 1."""
    return parameters[0] or 1 if parameters else 1


def _kind(parameters: list[int]) -> int:
    return parameters[0] if parameters else 0


_ACTS: dict[str, Callable[[Screen, list[int]], None]] = {
    "A": Screen._up,
    "B": Screen._down,
    "e": Screen._down,
    "C": Screen._right,
    "a": Screen._right,
    "D": Screen._left,
    "E": Screen._next_line,
    "F": Screen._previous_line,
    "G": Screen._column,
    "`": Screen._column,
    "d": Screen._line,
    "H": Screen._position,
    "f": Screen._position,
    "J": Screen._erase_screen,
    "K": Screen._erase_line,
    "X": Screen._erase_characters,
    "P": Screen._delete_characters,
    "@": Screen._insert_blanks,
    "s": Screen._save,
    "u": Screen._restore,
}
