"""Lazy frames: their columns, without computing them. Through narwhals, if it is loaded, for libraries but polars."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from opencode_nb.kernel.values.data.table import label
from opencode_nb.kernel.values.dtypes import dtype_name
from opencode_nb.kernel.values.kinds import is_of, package
from opencode_nb.tools.privacy import Level, Piece

COLUMNS = 100

_PACKAGES = frozenset({"dask", "duckdb", "ibis", "pyspark", "sqlframe"})
"""Libraries with lazy frames: narwhals asks other values for attributes, which can run code of the user's."""


def is_lazy(value: object) -> bool:
    """Whether the value is a lazy frame."""
    return is_of(value, "polars", ("LazyFrame",)) or _narwhals(value) is not None


def sections(value: Any) -> Iterator[Piece]:
    """Yield the columns of a lazy frame, and its plan where the library has one."""
    of_polars = is_of(value, "polars", ("LazyFrame",))
    schema: Mapping[str, Any] = (value if of_polars else _narwhals(value)).collect_schema()
    few = [f"{label(name)}: {dtype_name(of)}" for name, of in itertools.islice(schema.items(), COLUMNS)]
    more = [f"and {len(schema) - COLUMNS} more columns"] if len(schema) > COLUMNS else []
    yield Piece(", ".join([*few, *more]), Level.SCHEMA)
    yield Piece("Lazy: its rows are not computed.", Level.NAMES)
    if of_polars:
        yield Piece(value.explain(optimized=False))


def _narwhals(value: object) -> Any:
    """Return a lazy frame as narwhals wraps it; None for other values, or if narwhals is not loaded."""
    narwhals = sys.modules.get("narwhals")
    if narwhals is None or package(value) not in _PACKAGES:
        return None
    wrapped = narwhals.from_native(value, pass_through=True)
    return wrapped if is_of(wrapped, "narwhals", ("LazyFrame",)) else None
