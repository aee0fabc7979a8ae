"""Names of dtypes, without the categories and fill values that they may hold: those are data."""

from __future__ import annotations

from typing import Any

from opencode_nb.kernel.values.kinds import is_of, package

LENGTH = 200
"""Maximum length of a dtype's name: a struct has as many fields as it likes."""


def dtype_name(dtype: Any) -> str:
    """Return a dtype's name: `int64`, `category`, `List(Enum)`."""
    if _is_polars(dtype):
        return _polars(dtype)[:LENGTH]
    if is_of(dtype, "pandas", ("SparseDtype",)):
        return f"Sparse[{dtype_name(dtype.subtype)}]"
    known = package(dtype) in ("numpy", "pandas", "pyarrow", "torch")
    return str(dtype)[:LENGTH] if known else type(dtype).__name__


def _is_polars(dtype: object) -> bool:
    return package(dtype) == "polars" or (isinstance(dtype, type) and dtype.__module__.startswith("polars."))


def _polars(dtype: Any) -> str:
    name = dtype.__name__ if isinstance(dtype, type) else type(dtype).__name__
    if isinstance(dtype, type) or name not in _NESTED:
        return name if name in ("Enum", "Categorical") else str(dtype)
    if name == "Struct":
        return f"Struct({', '.join(f'{field.name}: {_polars(field.dtype)}' for field in dtype.fields)})"
    return f"{name}({_polars(dtype.inner)})"


_NESTED = ("List", "Array", "Struct")
