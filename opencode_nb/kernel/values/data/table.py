"""A table of text: the head of a frame, with secrets masked, as lines for the model and as a block for the card."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from opencode_nb.kernel.values.kinds import TRUSTED, is_a, package
from opencode_nb.kernel.values.plain import PLAIN, shown
from opencode_nb.kernel.values.text import aligned, clean, number
from opencode_nb.secret import MASK, names_secret

CELL = 40
"""Maximum length of a cell, in characters."""

LABEL = 200
"""Maximum length of a column's name, in characters."""

Label = Any
"""A column's or row's name: text, number, date or, on several levels, a tuple."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, their dtypes, and the first rows; `size` is that of the whole: `891 rows, 12 columns`."""

    columns: tuple[str, ...]
    dtypes: tuple[str, ...]
    index: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    size: str = ""

    @property
    def text(self) -> str:
        """The table as aligned lines; "" without columns and rows."""
        lines = [("", *self.columns), *((at, *row) for at, row in zip(self.index, self.rows, strict=True))]
        return aligned(lines) if self.columns or self.rows else ""

    @property
    def block(self) -> dict[str, Any]:
        """The table for the card."""
        return {
            "kind": "table",
            "columns": list(self.columns),
            "dtypes": list(self.dtypes),
            "index": list(self.index),
            "rows": [list(row) for row in self.rows],
            "size": self.size,
        }


def table(
    columns: Sequence[Label], dtypes: Sequence[str], index: Sequence[Label], data: Sequence[Iterable[Any]], size: str
) -> Table:
    """Make a table of labels and of values by column. Masks the cells of rows and columns with a secret's name."""
    hidden = [is_secret(name) for name in columns]
    shown_columns = [_column(values, secret) for values, secret in zip(data, hidden, strict=True)]
    rows = [
        tuple(MASK for _ in row) if is_secret(at) else row
        for at, row in zip(index, itertools.islice(zip(*shown_columns, strict=True), len(index)), strict=False)
    ]
    names = tuple(label(name) for name in columns)
    return Table(names, tuple(dtypes), tuple(cell(at) for at in index[: len(rows)]), tuple(rows), size)


def _column(values: Iterable[Any], hidden: bool) -> list[str]:
    return [MASK if hidden else cell(value) for value in values]


def is_secret(name: Label) -> bool:
    """Whether a label, or a level of it, suggests a secret."""
    levels = name if is_a(name, tuple) else (name,)
    return any(is_a(level, str) and names_secret(str(level)) for level in levels)


def label(name: Label) -> str:
    """Return a column's name as text."""
    return clean(name, LABEL) if is_a(name, str) else clean(_text(name), LABEL)


def cell(value: Any) -> str:
    """Return a cell's text: strings without quotes and on one line, numbers with six digits."""
    if is_a(value, tuple):
        return " ".join(map(cell, tuple.__iter__(value)))
    return clean(value.replace("\n", "\\n"), CELL) if type(value) is str else clean(_text(value), CELL)


def _text(value: Any) -> str:
    if is_a(value, float) and package(value) in TRUSTED:
        return number(value)
    if type(value) in PLAIN or (package(value) in ("numpy", "pandas") and not hasattr(value, "__len__")):
        return str(value).removesuffix(_MIDNIGHT)
    return shown(value)


_MIDNIGHT = " 00:00:00"
