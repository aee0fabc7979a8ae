"""Compares the user's names before and after code ran: what is new, rebound, resized or removed. Runs no user code."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from opencode_nb.tools.privacy import Level, Piece

MOST = 20
"""Names told of one run."""

_SIZED: tuple[Any, ...] = (str, bytes, bytearray, list, tuple, dict, set, frozenset, deque)
_SHAPED = {"numpy", "pandas", "polars", "torch", "xarray", "pyarrow", "scipy", "jax", "jaxlib", "geopandas"}


class Names:
    """The user's names at one moment: what they were bound to, and how large that was."""

    def __init__(self, namespace: Mapping[str, Any], hidden: Mapping[str, Any]) -> None:
        own = [name for name, value in namespace.items() if _is_own(name, value, hidden)]
        self._values = {name: (namespace[name], size(namespace[name])) for name in own}

    def pieces(self, after: Names) -> list[Piece]:
        """Return what changed until `after`, as pieces of one line; [] if nothing did."""
        told = [*self._changed(after), *self._removed(after)]
        parts = told[:MOST]
        if len(told) > MOST:
            parts.append([Piece(f"and {len(told) - MOST} more", Level.NAMES)])
        separated = [[Piece("; ", Level.NAMES), *part] for part in parts]
        return [piece for part in separated for piece in part][1:]

    def _changed(self, after: Names) -> Iterator[list[Piece]]:
        for name, (value, now) in after._values.items():
            if name not in self._values:
                yield [Piece(f"{name}: new {_kind(value)}", Level.NAMES), *_sized(now)]
                continue
            old, before = self._values[name]
            if before != now:
                what = _kind(value) if type(old) is type(value) else f"{_kind(old)} -> {_kind(value)}"
                yield [Piece(f"{name}: {what}", Level.NAMES), *_sized(f"{before or '?'} -> {now or '?'}")]
            elif old is not value:
                yield [Piece(f"{name}: {_kind(value)}, rebound", Level.NAMES)]

    def _removed(self, after: Names) -> Iterator[list[Piece]]:
        gone = [name for name in self._values if name not in after._values]
        if gone:
            yield [Piece(f"removed: {', '.join(gone[:MOST])}", Level.NAMES)]


def _is_own(name: str, value: object, hidden: Mapping[str, Any]) -> bool:
    return not name.startswith("_") and hidden.get(name, hidden) is not value


def _sized(text: str) -> list[Piece]:
    return [Piece(f" {text}", Level.SCHEMA)] if text else []


def _kind(value: object) -> str:
    return "module" if isinstance(value, ModuleType) else type(value).__name__


def size(value: object) -> str:
    """Return "891x12" of a frame or array, "5 items" of a container; "" for a value without a size."""
    for of in _SIZED:
        if isinstance(value, of):
            return f"{of.__len__(value)} {'characters' if of is str else 'items'}"
    if not {base.__module__.partition(".")[0] for base in type(value).__mro__} & _SHAPED:
        return ""
    shape = getattr(value, "shape", None)
    return "x".join(map(str, shape)) if isinstance(shape, tuple) else ""
