"""Render the head of a data frame: as markup, as aligned text, and as a table of Markdown. Pure.

The texts of a `Table` are anybody's. They come cut to a readable length; a cell is one line in each form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join, visible

LONG_CELL = 48
"""Cells with more characters wrap."""
_GAP = "  "
_NUMERIC = re.compile(r"(?:u?int|float|complex|decimal|[uif]\d)", re.IGNORECASE)


@dataclass(slots=True, frozen=True)
class Table:
    """Rows of texts below `columns`; `dtypes` and `index` name the columns' types and the rows, or are empty.

    `size` describes the frame, which may have more rows and columns: `891 rows, 12 columns`.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    dtypes: Sequence[str] = ()
    index: Sequence[str] = ()
    size: str = ""

    def is_numeric(self, column: int) -> bool:
        """Return whether a column's type is one of numbers, which are aligned on their last digit."""
        return column < len(self.dtypes) and _NUMERIC.match(self.dtypes[column]) is not None


def table_html(table: Table) -> Html:
    """Render the table alone, without its size: whoever shows it lets it scroll."""
    corner = element("td", style="cell") if table.index else NOTHING
    head = element("tr", join([corner, *(_heading(table, at) for at in range(len(table.columns)))]))
    rows = (element("tr", join(_cells(table, number))) for number in range(len(table.rows)))
    return element("table", join([element("thead", head), element("tbody", join(rows))]), style="table")


def _heading(table: Table, column: int) -> Html:
    name = escape(one_line(table.columns[column]))
    dtype = table.dtypes[column] if column < len(table.dtypes) else ""
    below = element("div", escape(one_line(dtype)), style="dtype") if dtype else NOTHING
    return element("th", join([name, below]), style=_style(table, column), scope="col")


def _cells(table: Table, number: int) -> Iterator[Html]:
    if table.index:
        name = one_line(table.index[number])
        yield element("th", escape(name), style="cell", scope="row") if name else element("td", style="cell")
    for column, text in enumerate(table.rows[number]):
        yield element("td", escape(one_line(text)), style=_style(table, column, text))


def _style(table: Table, column: int, text: str = "") -> str:
    if table.is_numeric(column):
        return "cell right"
    return "cell long" if len(text) > LONG_CELL else "cell"


def table_text(table: Table) -> str:
    """Return the table as aligned lines, below its size."""
    lines, right = _lines(table), _aligned_right(table)
    widths = [max(map(cell_len, texts)) for texts in zip(*lines, strict=True)]
    aligned = (_GAP.join(map(_padded, line, widths, right)).rstrip() for line in lines)
    return "\n".join([*[table.size] * bool(table.size), *aligned])


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return f"{space}{text}" if right else f"{text}{space}"


def table_markdown(table: Table, escaped: Callable[[str], str]) -> str:
    """Return the table in Markdown, below its size; `escaped` makes a text harmless there."""
    head, *rows = _lines(table)
    rule = ["---:" if right else "---" for right in _aligned_right(table)]
    lines = [[*map(escaped, head)], rule, *([*map(escaped, row)] for row in rows)]
    drawn = ("| " + " | ".join(cells) + " |" for cells in lines)
    return "\n".join([*[f"{escaped(table.size)}\n"] * bool(table.size), *drawn])


def _lines(table: Table) -> list[list[str]]:
    """Return all lines of texts, the head first."""
    names = [*[""] * bool(table.index), *table.columns]
    rows = ([table.index[number], *row] if table.index else [*row] for number, row in enumerate(table.rows))
    return [[one_line(text) for text in line] for line in (names, *rows)]


def _aligned_right(table: Table) -> list[bool]:
    return [*[False] * bool(table.index), *(table.is_numeric(column) for column in range(len(table.columns)))]


def one_line(text: str) -> str:
    """Return a cell's text without line breaks and tabs, which would break rows, and without control characters."""
    return visible(re.sub(r"\s", " ", text))
