"""Frames of pandas, polars and pyarrow: columns and dtypes, statistics, and the first rows.

Each library has an adapter with the same few methods, so that what is data is decided in one
place, sections.py.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from opencode_nb.kernel.values.data.table import Label, Table, is_secret, label, table
from opencode_nb.kernel.values.dtypes import dtype_name
from opencode_nb.kernel.values.kinds import is_of
from opencode_nb.kernel.values.limits import Limits
from opencode_nb.kernel.values.text import number
from opencode_nb.secret import MASK

Numbers = dict[str, float]

LARGEST = 20_000_000
"""Rows of the largest frame with statistics: a pass over more takes too long."""

SECONDS = 0.4
"""Time after which no further column's statistics are computed, in seconds."""


class Frame(Protocol):
    """What the adapters of all libraries have in common."""

    rows: int
    columns: int
    series: bool
    """Whether it is one column, whose name may be a row's label: then it is data."""

    def schema(self, most: int) -> Iterator[tuple[Label, str]]:
        """Yield the names and dtypes of the first columns."""

    def index(self) -> str:
        """Describe the index; "" if there is nothing to say of it."""

    def labels(self, rows: int) -> Sequence[Label]:
        """Return the labels of the first rows."""

    def values(self, at: int, rows: int) -> list[Any]:
        """Return a column's values in the first rows."""

    def numbers(self, at: int) -> Numbers:
        """Return the aggregates of a column: `missing`, and of numbers mean, std, min and max."""


class _Pandas:
    def __init__(self, value: Any) -> None:
        self.series = value.ndim == 1
        plain = sys.modules["pandas"].Series if self.series else sys.modules["pandas"].DataFrame
        value = value if type(value) is plain else plain(value)  # a subclass can have code of the user's
        self._frame = value.to_frame() if self.series else value
        self.rows, self.columns = self._frame.shape

    def schema(self, most: int) -> Iterator[tuple[Label, str]]:
        dtypes = self._frame.dtypes.array[:most]
        yield from zip(self._frame.columns[:most], map(dtype_name, dtypes), strict=True)

    def index(self) -> str:
        index = self._frame.index
        names = [label(name) for name in index.names if name is not None]
        if not names and type(index).__name__ == "RangeIndex":
            return ""
        dtypes = [dtype_name(of) for of in (index.dtypes.array if index.nlevels > 1 else [index.dtype])]
        return f"Index{' ' + ', '.join(names) if names else ''}: {', '.join(dtypes)}"

    def labels(self, rows: int) -> Sequence[Label]:
        return _labels(self._frame.index[:rows])

    def values(self, at: int, rows: int) -> list[Any]:
        return list(self._frame.iloc[:rows, at].tolist())

    def numbers(self, at: int) -> Numbers:
        column = self._frame.iloc[:, at]
        found: Numbers = {"missing": int(column.isna().sum())}
        if getattr(column.dtype, "kind", "") in "iuf":
            found |= {name: float(getattr(column, name)()) for name in _AGGREGATES}
        return found


class _Polars:
    def __init__(self, value: Any) -> None:
        self.series = len(value.shape) == 1
        self._frame = value.to_frame() if self.series else value
        self.rows, self.columns = self._frame.shape

    def schema(self, most: int) -> Iterator[tuple[Label, str]]:
        yield from zip(self._frame.columns[:most], map(dtype_name, self._frame.dtypes[:most]), strict=True)

    def index(self) -> str:
        return ""

    def labels(self, rows: int) -> Sequence[Label]:
        return range(min(rows, self.rows))

    def values(self, at: int, rows: int) -> list[Any]:
        return list(self._frame.to_series(at)[:rows].to_list())

    def numbers(self, at: int) -> Numbers:
        column = self._frame.to_series(at)
        found: Numbers = {"missing": column.null_count()}
        if column.dtype.is_numeric():
            found |= {name: _float(getattr(column, name)()) for name in _AGGREGATES}
        return found


class _Arrow:
    series = False

    def __init__(self, value: Any) -> None:
        self._frame = value
        self.rows, self.columns = value.shape

    def schema(self, most: int) -> Iterator[tuple[Label, str]]:
        for field in list(self._frame.schema)[:most]:
            yield field.name, dtype_name(field.type)

    def index(self) -> str:
        return ""

    def labels(self, rows: int) -> Sequence[Label]:
        return range(min(rows, self.rows))

    def values(self, at: int, rows: int) -> list[Any]:
        return list(self._frame.column(at).slice(0, rows).to_pylist())

    def numbers(self, at: int) -> Numbers:
        column, compute = self._frame.column(at), sys.modules.get("pyarrow.compute")
        found: Numbers = {"missing": column.null_count}
        if compute is not None and sys.modules["pyarrow"].types.is_floating(column.type):
            found |= {name: _float(getattr(compute, of)(column).as_py()) for name, of in _ARROW.items()}
        return found


def _labels(index: Any) -> list[Label]:
    """Return the labels of a pandas index, with levels that have a secret's name masked."""
    hidden = [is_secret(name) for name in index.names]
    if not any(hidden):
        return list(index.tolist())
    if index.nlevels == 1:
        return [MASK] * len(index)
    return [tuple(MASK if off else level for off, level in zip(hidden, row, strict=True)) for row in index.tolist()]


_AGGREGATES = ("mean", "std", "min", "max")
_ARROW = {"mean": "mean", "std": "stddev", "min": "min", "max": "max"}


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


_ADAPTERS: tuple[tuple[str, tuple[str, ...], Any], ...] = (
    ("pandas", ("DataFrame", "Series"), _Pandas),
    ("polars", ("DataFrame", "Series"), _Polars),
    ("pyarrow", ("Table", "RecordBatch"), _Arrow),
)
"""(library, its types, their adapter)."""


def frame_of(value: Any) -> Frame | None:
    """Return the adapter of a frame or series; None for other values."""
    found = next((adapter for library, names, adapter in _ADAPTERS if is_of(value, library, names)), None)
    return found(value) if found else None


def schema(frame: Frame, limits: Limits) -> str:
    """Return the names and dtypes of a frame's columns, and the index if it says something."""
    if frame.series:
        return frame.index()
    named = [f"{label(name)}: {of}" for name, of in frame.schema(limits.columns)]
    more = [f"and {frame.columns - len(named)} more columns"] if frame.columns > len(named) else []
    return "\n".join(filter(None, (", ".join([*named, *more]), frame.index())))


def head(frame: Frame, limits: Limits) -> Table:
    """Return the first rows."""
    names, dtypes = list(zip(*frame.schema(limits.columns), strict=True)) or ((), ())
    data = [frame.values(at, limits.rows) for at in range(len(names))]
    return table(names, dtypes, frame.labels(limits.rows), data, f"{frame.rows:,} rows, {frame.columns:,} columns")


def statistics(frame: Frame, limits: Limits) -> str:
    """Return a line of aggregates per column. Columns with a secret's name have none."""
    if not 0 < frame.rows <= LARGEST:
        return ""
    end = time.monotonic() + SECONDS
    named = [(at, label(name)) for at, (name, _) in enumerate(frame.schema(limits.columns)) if not is_secret(name)]
    lines = [
        ("" if frame.series else f"{name}: ") + _aggregates(frame.numbers(at))
        for at, name in named
        if time.monotonic() < end
    ]
    more = [f"and {len(named) - len(lines)} more columns, not computed"] if len(named) > len(lines) else []
    return "\n".join([*lines, *more])


def _aggregates(numbers: Numbers) -> str:
    told = [f"{name} {number(value)}" for name, value in numbers.items() if name != "missing" and value == value]
    return ", ".join([f"{numbers['missing']:,} missing", *told])
