"""Arrays of numpy and torch, datasets of xarray, and pyarrow's columns: aggregates, and the start of their content."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any

from opencode_nb.kernel.values.data.table import is_secret, label
from opencode_nb.kernel.values.dtypes import dtype_name
from opencode_nb.kernel.values.kinds import is_of
from opencode_nb.kernel.values.plain import ITEMS, shown
from opencode_nb.kernel.values.text import number
from opencode_nb.secret import MASK
from opencode_nb.tools.privacy import Level, Piece

LARGEST = 20_000_000
"""Elements of the largest array with statistics: a pass over more takes too long."""

WIDTH = 100
EDGE = 3


def is_array(value: object) -> bool:
    """Whether this module knows the value."""
    return any(is_of(value, library, names) for library, names, _ in _SHOWN)


def sections(value: Any) -> Iterator[Piece]:
    """Yield what an array holds."""
    for library, names, show in _SHOWN:
        if is_of(value, library, names):
            yield from show(value)
            return


def _numpy(value: Any) -> Iterator[Piece]:
    numpy = sys.modules["numpy"]
    if value.dtype.names:
        yield from _structured(value)
    elif value.dtype.kind in "OSUV":  # text, or objects that could have code of the user's
        yield Piece(shown(list(itertools.islice(value.flat, ITEMS))))
    else:
        plain = value.view(numpy.ndarray)
        yield Piece(str(numpy.array2string(plain, threshold=4 * ITEMS, edgeitems=EDGE, max_line_width=WIDTH)))
        yield from _statistics(plain)


def _structured(value: Any) -> Iterator[Piece]:
    for name in value.dtype.names[:ITEMS]:
        text = MASK if is_secret(name) else shown(list(itertools.islice(value[name].flat, EDGE)))
        yield Piece(f"{label(name)}: {text}")


def _statistics(value: Any) -> Iterator[Piece]:
    numpy = sys.modules["numpy"]
    if value.dtype.kind not in "iuf" or not 1 < value.size <= LARGEST:
        return
    with numpy.errstate(all="ignore"):
        present = value[~numpy.isnan(value)] if value.dtype.kind == "f" else value
        if present.size:
            told = (f"{of} {number(float(getattr(present, of)()))}" for of in ("mean", "std", "min", "max"))
            yield Piece(f"{value.size - present.size:,} missing, {', '.join(told)}", Level.SUMMARY)


def _torch(value: Any) -> Iterator[Piece]:
    plain = value.detach()
    yield Piece(f"device {plain.device}, requires_grad {bool(value.requires_grad)}", Level.SCHEMA)
    yield Piece(str(plain))
    if str(plain.device) == "cpu" and plain.is_floating_point() and 1 < plain.numel() <= LARGEST:
        told = (f"{of} {number(float(getattr(plain, of)()))}" for of in ("mean", "std", "min", "max"))
        yield Piece(", ".join(told), Level.SUMMARY)


def _xarray(value: Any) -> Iterator[Piece]:
    """Show a dataset or an array; values that are not loaded stay so."""
    variables = {**value.coords, **getattr(value, "data_vars", {})}
    sizes = ", ".join(f"{label(name)}: {length}" for name, length in value.sizes.items())
    lines = [f"{label(name)} {one.dims}: {dtype_name(one.dtype)}" for name, one in variables.items()]
    yield Piece("\n".join([f"Dimensions: {sizes}", *lines]), Level.SCHEMA)
    few = value.drop_vars([name for name in variables if is_secret(name)])
    few.attrs = {}  # may have names of secrets, too
    yield Piece(str(few))
    yield Piece(shown(dict(value.attrs)) if value.attrs else "")


def _arrow(value: Any) -> Iterator[Piece]:
    yield Piece(f"type {dtype_name(value.type)}, length {len(value)}", Level.SCHEMA)
    yield Piece(shown(value.slice(0, ITEMS).to_pylist()))
    yield Piece(f"{value.null_count:,} missing", Level.SUMMARY)


_SHOWN: tuple[tuple[str, tuple[str, ...], Any], ...] = (
    ("numpy", ("ndarray",), _numpy),
    ("torch", ("Tensor",), _torch),
    ("xarray", ("Dataset", "DataArray"), _xarray),
    ("pyarrow", ("Array", "ChunkedArray"), _arrow),
)
"""(library, its types, the function that shows them)."""
