"""Tell values by their types, without importing a library: a value can be of its types only if it is loaded.

Asks the type, never the value: `isinstance` would read `__class__`, which may be code of the user's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

TRUSTED = frozenset({"builtins", "numpy", "pandas", "polars"})
"""Packages whose values are looked at on any thread."""

LIBRARIES = TRUSTED | {
    "collections",
    "datetime",
    "decimal",
    "fractions",
    "pathlib",
    "pyarrow",
    "torch",
    "uuid",
    "xarray",
}
"""Packages whose properties may be read: they are no code of the user's."""


def package(value: object) -> str:
    """Return the top-level package of a value's type."""
    module = type(value).__module__
    return module.partition(".")[0] if isinstance(module, str) else ""


def kind(value: object) -> str:
    """Return the name of a value's type, with its package if it has one."""
    name, home = type(value).__qualname__, package(value)
    return name if home in ("builtins", "__main__", "") else f"{home}.{name}"


def is_a(value: object, of: type | tuple[type, ...]) -> bool:
    """Whether a value's type is one of these, or derived from one."""
    return issubclass(type(value), of)


def is_of(value: object, library: str, names: Iterable[str]) -> bool:
    """Whether a value's type is one of a library's, or derived from one."""
    module = sys.modules.get(library)
    known = (getattr(module, name, None) for name in names) if module is not None else ()
    return any(isinstance(of, type) and is_a(value, of) for of in known)
