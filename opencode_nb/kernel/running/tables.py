"""Reads the head of a frame as plain texts: for the card's table, and for the model. Never imports a library."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opencode_nb.secret import MASK, mask, names_secret

Json = dict[str, Any]

ROWS = 20
COLUMNS = 30
CELL = 60
"""Characters of a cell, at most."""

_FRAMES = {("pandas", "DataFrame"), ("pandas", "Series"), ("polars", "DataFrame"), ("polars", "Series")}


def of(value: object) -> Json | None:
    """Return a `table` block for a frame or series of pandas or polars, or what derives from them; else None."""
    for base in type(value).__mro__:
        library = base.__module__.partition(".")[0]
        if (library, base.__name__) in _FRAMES:
            return _pandas(value) if library == "pandas" else _polars(value)
    return None


def _pandas(value: Any) -> Json:
    frame = value.to_frame() if value.ndim == 1 else value
    head = frame.iloc[:ROWS, :COLUMNS]
    columns = [_text(name) for name in head.columns]
    rows = zip(*(head.iloc[:, place].tolist() for place in range(len(columns))), strict=True)
    index = [_text(label) for label in head.index]
    return _block(value, columns, map(str, head.dtypes), index, rows if columns else [])


def _polars(value: Any) -> Json:
    frame = value.to_frame() if len(value.shape) == 1 else value
    head = frame[:ROWS, :COLUMNS]
    return _block(value, list(head.columns), map(str, head.dtypes), [], head.rows())


def _block(
    value: Any, columns: list[str], dtypes: Iterable[str], index: list[str], rows: Iterable[Iterable[object]]
) -> Json:
    hidden = [names_secret(column) for column in columns]
    texts = [[MASK if hide else _text(cell) for cell, hide in zip(row, hidden, strict=True)] for row in rows]
    size = size_of(value)
    return {"kind": "table", "columns": columns, "dtypes": [*dtypes], "index": index, "rows": texts, "size": size}


def size_of(value: Any) -> str:
    """Return "891 rows, 12 columns", or "891 rows" of a series."""
    shape = value.shape
    rows = f"{shape[0]:,} row{'s' * (shape[0] != 1)}"
    return rows if len(shape) == 1 else f"{rows}, {shape[1]:,} column{'s' * (shape[1] != 1)}"


def _text(cell: object) -> str:
    text = mask(str(cell)[: 4 * CELL])
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def as_text(block: Json) -> str:
    """Return a table as text for the model: sizes, dtypes, then its rows."""
    index = block["index"] or [""] * len(block["rows"])
    dtypes = ", ".join(f"{name}: {of}" for name, of in zip(block["columns"], block["dtypes"], strict=True))
    lines = [["", *block["columns"]], *([label, *row] for label, row in zip(index, block["rows"], strict=True))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = ("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join([f"{block['size']} ({dtypes})", *aligned])
