"""Families of numpy, pandas and polars types. Never imports them: a value is of their types only if they are loaded.

Only the types themselves, not subclasses: those may keep more, and run code of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

from opencode_nb.kernel.memory.families import DICTS, Family
from opencode_nb.kernel.memory.types import same, same_items


class NotCopied(Exception):
    """An object that cannot be copied faithfully."""


class Arrays:
    """numpy arrays: a copy of the data, or the list of the objects that it refers to."""

    shared = False

    def cost(self, value: Any) -> int:
        """Return the bytes of the data."""
        return int(value.nbytes)

    def copy(self, value: Any) -> Any:
        """Return (a copy of the data, shape, dtype)."""
        if value.dtype.hasobject and value.dtype.kind != "O":
            raise NotCopied
        data = list(value.flat) if value.dtype.kind == "O" else value.copy()
        return data, value.shape, value.dtype

    def put(self, value: Any, copy: Any) -> None:
        """Write the data back into the array's memory. Raises NotCopied if its size or dtype is another now."""
        data, shape, dtype = copy
        if value.dtype != dtype or value.size != _size(shape):
            raise NotCopied
        if value.shape != shape:
            value.shape = shape
        if dtype.kind == "O":
            _refer(value, data)
        elif not self.same((value.copy(), shape, dtype), copy):
            value[...] = data

    def same(self, one: Any, other: Any) -> bool:
        """Compare the bytes; references by identity."""
        if one[1:] != other[1:]:
            return False
        return same_items(one[0], other[0]) if one[2].kind == "O" else _same_bytes(one[0], other[0])

    def children(self, copy: Any) -> Collection[Any]:
        """Return the objects of an array of objects."""
        return copy[0] if copy[2].kind == "O" else ()

    def shape(self, copy: Any) -> str:
        """Return the shape, such as "3x4"."""
        return "x".join(map(str, copy[1])) or "scalar"


def _refer(array: Any, items: list[Any]) -> None:
    """Set the items one by one: numpy would take a list for several of them."""
    for index, item in zip(sys.modules["numpy"].ndindex(array.shape), items, strict=True):
        array[index] = item


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _same_bytes(one: Any, other: Any) -> bool:
    numpy = sys.modules["numpy"]
    flat = [numpy.ascontiguousarray(data).reshape(-1).view(numpy.uint8) for data in (one, other)]
    return bool(numpy.array_equal(*flat))


class Randoms:
    """`numpy.random.Generator`: the state of its bit generator."""

    shared = False

    def cost(self, value: Any) -> int:
        """Return the size of the largest state."""
        return 2_500

    def copy(self, value: Any) -> Any:
        """Return the state."""
        return value.bit_generator.state

    def put(self, value: Any, copy: Any) -> None:
        """Set the state."""
        value.bit_generator.state = copy

    def same(self, one: Any, other: Any) -> bool:
        """Compare the states, which are numbers and small arrays."""
        return repr(one) == repr(other) and _key(one) == _key(other)

    def children(self, copy: Any) -> Collection[Any]:
        """Return nothing."""
        return ()

    def shape(self, copy: Any) -> str:
        """Return ""."""
        return ""


def _key(state: Any) -> bytes:
    """Return the array of a state, which repr shortens."""
    inner = state.get("state")
    key = inner.get("key") if isinstance(inner, dict) else None
    return b"" if key is None else bytes(key.tobytes())


class PandasFrames:
    """pandas frames and series: shallow copies under copy-on-write, else copies."""

    @property
    def shared(self) -> bool:
        """Whether pandas copies on write."""
        pandas = sys.modules["pandas"]
        return int(pandas.__version__.partition(".")[0]) >= 3 or pandas.options.mode.copy_on_write is True

    def cost(self, value: Any) -> int:
        """Return the bytes of the columns, at 8 for each value: pandas would take long to tell."""
        return 8 * int(value.size)

    def copy(self, value: Any) -> Any:
        """Return (a copy, a copy of its attrs, its dtypes)."""
        return value.copy(deep=not self.shared), dict(value.attrs), _dtypes(value)

    def put(self, value: Any, copy: Any) -> None:
        """Initialize the frame again with the copy."""
        kept, attrs, _dtypes = copy
        again = kept.copy(deep=not self.shared)
        if value.ndim == 2:
            type(value).__init__(value, again)
        else:
            type(value).__init__(value, again, name=again.name)
        value.attrs = dict(attrs)

    def same(self, one: Any, other: Any) -> bool:
        """Compare labels, dtypes and values; references by identity. Missing values equal each other."""
        (first, attrs, dtypes), (second, other_attrs, other_dtypes) = one, other
        return (
            dtypes == other_dtypes and DICTS.same(attrs, other_attrs) and _same_pandas(first, second, _objects(dtypes))
        )

    def children(self, copy: Any) -> Collection[Any]:
        """Return the objects in columns of objects and in attrs."""
        return [
            *copy[1].values(),
            *(value for column in _object_columns(copy[0], _objects(copy[2])) for value in column),
        ]

    def shape(self, copy: Any) -> str:
        """Return "891x12", or "length 891" for a series."""
        kept = copy[0]
        return "x".join(map(str, kept.shape)) if kept.ndim == 2 else f"length {len(kept)}"


def _dtypes(frame: Any) -> list[Any]:
    return list(frame.dtypes) if frame.ndim == 2 else [frame.dtype]


def _objects(dtypes: list[Any]) -> list[int]:
    """Return the positions of the columns that refer to Python objects."""
    return [place for place, dtype in enumerate(dtypes) if getattr(dtype, "hasobject", False)]


def _object_columns(frame: Any, places: list[int]) -> list[list[Any]]:
    if frame.ndim == 1:
        return [list(frame.to_numpy())] if places else []
    return [list(frame.iloc[:, place].to_numpy()) for place in places]


def _same_pandas(one: Any, other: Any, objects: list[int]) -> bool:
    """Compare frames of the same dtypes. The columns of `objects` would be compared by the user's code."""
    if one.shape != other.shape or not all(map(_same_index, one.axes, other.axes)):
        return False
    if one.ndim == 1 and not same(one.name, other.name):
        return False
    if not objects and all(str(axis.dtype) != "object" for axis in one.axes):
        return bool(one.equals(other))
    if not all(map(same_items, _object_columns(one, objects), _object_columns(other, objects))):
        return False
    return all(_plain(one, place).equals(_plain(other, place)) for place in range(_width(one)) if place not in objects)


def _width(frame: Any) -> int:
    return int(frame.shape[1]) if frame.ndim == 2 else 1


def _plain(frame: Any, place: int) -> Any:
    """Return the values of a column, without its labels."""
    return (frame.iloc[:, place] if frame.ndim == 2 else frame).reset_index(drop=True)


def _same_index(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other) or one.dtype != other.dtype or not same_items(list(one.names), list(other.names)):
        return False
    if str(one.dtype) == "object":
        return same_items(_labels(one), _labels(other))
    return bool(one.equals(other))


def _labels(index: Any) -> list[Any]:
    if index.nlevels == 1:
        return list(index)
    return [label for level in range(index.nlevels) for label in index.get_level_values(level)]


class PolarsFrames:
    """polars frames and series, whose data never changes: a copy is another reference to it."""

    shared = True

    def cost(self, value: Any) -> int:
        """Return the bytes of the data."""
        return int(value.estimated_size())

    def copy(self, value: Any) -> Any:
        """Return a clone. Raises NotCopied for columns of Python objects."""
        polars = sys.modules["polars"]
        dtypes = value.dtypes if hasattr(value, "dtypes") else [value.dtype]
        if polars.Object in dtypes:
            raise NotCopied
        return value.clone()

    def put(self, value: Any, copy: Any) -> None:
        """Initialize the frame again with the copy."""
        again = copy.clone()
        if hasattr(value, "dtypes"):
            type(value).__init__(value, again)
        else:
            type(value).__init__(value, again.name, again)

    def same(self, one: Any, other: Any) -> bool:
        """Compare names, dtypes and values; missing values equal each other."""
        if hasattr(one, "dtypes"):
            return bool(one.schema == other.schema and one.equals(other, null_equal=True))
        return bool(one.name == other.name and one.equals(other, check_dtypes=True, null_equal=True))

    def children(self, copy: Any) -> Collection[Any]:
        """Return nothing: the data are no Python objects."""
        return ()

    def shape(self, copy: Any) -> str:
        """Return "891x12", or "length 891" for a series."""
        return "x".join(map(str, copy.shape)) if len(copy.shape) == 2 else f"length {len(copy)}"


_TYPES: tuple[tuple[str, str, str, Family], ...] = (
    ("numpy", "numpy", "ndarray", Arrays()),
    ("numpy", "numpy.random", "Generator", Randoms()),
    ("pandas", "pandas", "DataFrame", PandasFrames()),
    ("pandas", "pandas", "Series", PandasFrames()),
    ("polars", "polars", "DataFrame", PolarsFrames()),
    ("polars", "polars", "Series", PolarsFrames()),
)
"""(package, module, type, family)."""


def library_family(of: type[Any], package: str) -> Family | None:
    """Return the family of a library's type, None for any other."""
    for known, module, name, family in _TYPES:
        if known == package and getattr(sys.modules.get(module), name, None) is of:
            return family
    return None
