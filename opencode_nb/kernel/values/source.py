"""Functions, classes and modules: signature, docstring, source. All of it may hold data: constants and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from opencode_nb.kernel.values.limits import Limits
from opencode_nb.kernel.values.plain import TEXT
from opencode_nb.kernel.values.text import MARGIN, cut
from opencode_nb.tools.privacy import Piece

NAMES = 50
"""Public names of a module that are listed."""


def sections(value: Any, limits: Limits) -> Iterator[Piece]:
    """Yield the source of the user's own function or class; of others, the signature and the docstring."""
    if isinstance(value, ModuleType):
        yield from _module(value, limits)
        return
    try:
        if value.__module__ == "__main__" or limits.deep:
            yield Piece(inspect.getsource(value)[: limits.length + MARGIN])
            return
        yield Piece(_outline(value, TEXT))
    except (OSError, TypeError, ValueError):  # no source, no signature
        yield Piece(_documented(value) if limits.deep else repr(value))


def _documented(value: Any) -> str:
    try:
        return _outline(value, 10 * TEXT)
    except (TypeError, ValueError):  # no signature
        return f"{value!r}\n{inspect.getdoc(value) or ''}"


def _outline(value: Any, length: int) -> str:
    return f"{value.__qualname__}{inspect.signature(value)}\n{cut(inspect.getdoc(value) or '', length)}"


def _module(value: ModuleType, limits: Limits) -> Iterator[Piece]:
    yield Piece(repr(value))
    if limits.deep:
        yield Piece(cut(str(vars(value).get("__doc__") or ""), 5 * TEXT))
        names = [name for name in vars(value) if not name.startswith("_")]
        more = [f"\u2026 {len(names) - NAMES} more"] if len(names) > NAMES else []
        yield Piece(", ".join([*names[:NAMES], *more]))
