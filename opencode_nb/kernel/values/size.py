"""Tell how large a value is: rows and columns, shape, length; and its memory. Runs no code of the user's."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from opencode_nb.kernel.values.dtypes import dtype_name
from opencode_nb.kernel.values.kinds import is_a, is_of

_SIZED: tuple[Any, ...] = (str, bytes, bytearray, list, tuple, dict, set, frozenset, deque, range)
_Types = tuple[str, tuple[str, ...]]
_FRAMES: tuple[_Types, ...] = (
    ("pandas", ("DataFrame",)),
    ("polars", ("DataFrame",)),
    ("pyarrow", ("Table", "RecordBatch")),
)
_ARRAYS: tuple[_Types, ...] = (
    ("numpy", ("ndarray", "generic")),
    ("pandas", ("Series", "Index")),
    ("polars", ("Series",)),
    ("xarray", ("DataArray",)),
    ("torch", ("Tensor",)),
)


def size(value: object) -> str:
    """Return `, 3 rows, 2 columns`, `, shape (3,), int64` or `, length 5`; "" for a value without a size."""
    for of in _SIZED:
        if is_a(value, of):
            return f", length {of.__len__(value)}"
    return size_of_data(value)


def size_of_data(value: Any) -> str:
    """Return the size of a frame or an array; "" for others."""
    if any(is_of(value, *types) for types in _FRAMES):
        return f", {value.shape[0]} rows, {value.shape[1]} columns"
    if any(is_of(value, *types) for types in _ARRAYS):
        return f", shape {tuple(value.shape)}, {dtype_name(value.dtype)}"
    return ""


def memory_of(value: Any) -> int | None:
    """Return the bytes that a value takes; None if that is not known without reading all of it."""
    for library, names, measure in _MEMORY:
        if is_of(value, library, names):
            return int(measure(value))
    return sys.getsizeof(value) if type(value) in (int, float, complex, bool, str, bytes, bytearray) else None


_POINTER = 8
"""Bytes of a reference to text or an object, which are not counted themselves."""


def _pandas_frame(value: Any) -> int:
    return len(value) * sum(int(getattr(dtype, "itemsize", _POINTER)) for dtype in value.dtypes.array)


_MEMORY: tuple[tuple[str, tuple[str, ...], Callable[[Any], int]], ...] = (
    ("pandas", ("DataFrame",), _pandas_frame),
    ("pandas", ("Series", "Index"), lambda value: int(value.nbytes)),
    ("polars", ("DataFrame", "Series"), lambda value: int(value.estimated_size())),
    ("numpy", ("ndarray",), lambda value: int(value.nbytes)),
    ("pyarrow", ("Table", "RecordBatch", "Array", "ChunkedArray"), lambda value: int(value.nbytes)),
    ("torch", ("Tensor",), lambda value: int(value.numel() * value.element_size())),
    ("xarray", ("Dataset", "DataArray"), lambda value: int(value.nbytes)),
)
