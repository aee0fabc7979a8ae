"""Describe a value for a model in a few lines: its type, its size, and the start of its content.

Bounded in length, and in time where the value's own code runs (`repr`, `len`, a frame's cells). Never imports a library
for it: a value can be of its types only if the user imported it. What looks like a secret is masked.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import fractions
import inspect
import itertools
import pathlib
import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from types import FunctionType, ModuleType
from typing import Any

from opencode_nb.secret import MASK, Secret, mask, names_secret

LENGTH = 2_000
"""Maximum length of a description's body, in characters."""

SECONDS = 1.0
"""How long a value's own code may run, in seconds."""

ROWS = 5
COLUMNS = 20
ITEMS = 20
DEPTH = 3
TEXT = 200
"""Maximum length of a string inside another value."""

_MARGIN = 200
"""Characters read beyond a cut, so that a secret that spans the cut is still recognised."""

_PLAIN = (
    type(None),
    bool,
    float,
    complex,
    range,
    slice,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    fractions.Fraction,
    pathlib.PosixPath,
    pathlib.WindowsPath,
    uuid.UUID,
)
"""Types with a short repr that runs no code of the user's."""


def describe(name: str, value: object) -> str:
    """Describe a variable: one line, then the start of its content. Never raises, never hangs."""
    told = f"`{name}` in the notebook's kernel is a `{kind(value)}`"
    if names_secret(name) and not isinstance(value, (type, FunctionType, ModuleType)):
        return f"{told}. Its name suggests a secret, so its value is not shown."
    try:
        size, body = _within(SECONDS, lambda: (_size(value), _body(value)))
    except TimeoutError:
        return f"{told}. It took too long to show."
    except BaseException as error:  # the user's own code, which may raise anything
        return f"{told}. It could not be shown: {type(error).__name__}."
    text = _cut(mask(body), LENGTH)
    return f"{told}{size}:\n{_fenced(text)}" if text.strip() else f"{told}{size}."


def kind(value: object) -> str:
    """Return the name of a value's type, with its package if it has one."""
    of = type(value)
    package = of.__module__.partition(".")[0]
    return of.__qualname__ if package in ("builtins", "__main__") else f"{package}.{of.__qualname__}"


def _within(seconds: float, look: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """Return what `look` returns. A thread that takes longer is abandoned, as nothing can end it."""
    found: Future[tuple[str, str]] = Future()

    def run() -> None:
        try:
            found.set_result(look())
        except BaseException as error:  # as above
            found.set_exception(error)

    threading.Thread(target=run, name="opencode_nb describe", daemon=True).start()
    return found.result(seconds)


def _fenced(text: str) -> str:
    fence = "`" * max(3, 1 + max((len(list(run)) for tick, run in itertools.groupby(text) if tick == "`"), default=0))
    return f"{fence}\n{text}\n{fence}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}\u2026"


# size


def _size(value: object) -> str:
    """Return `, 3 rows, 2 columns` or `, length 5`; "" for a value without a size."""
    shape = getattr(value, "shape", None) if not isinstance(value, (type, ModuleType)) else None
    if isinstance(shape, tuple):
        dtype = getattr(value, "dtype", None)
        if len(shape) == 2 and dtype is None:
            return f", {shape[0]} rows, {shape[1]} columns"
        return f", shape {tuple(shape)}" + (f", {dtype}" if dtype is not None else "")
    if isinstance(value, (str, bytes, bytearray, list, tuple, dict, set, frozenset, deque)):
        return f", length {len(value)}"
    return ""


# content


def _body(value: object) -> str:
    if isinstance(value, str) and not isinstance(value, Secret):
        return str.__getitem__(value, slice(LENGTH + _MARGIN))
    if isinstance(value, (FunctionType, type)):
        return _source(value)
    for library, names, show in _LIBRARIES:
        known = (getattr(sys.modules.get(library), name, None) for name in names)
        if any(isinstance(of, type) and isinstance(value, of) for of in known):
            return show(value)
    return _inside(value, 0) or _own_repr(value)


def _own_repr(value: object) -> str:
    text = repr(value)
    return text[: LENGTH + _MARGIN] if isinstance(text, str) else ""


def _source(value: Any) -> str:
    """Return the source of the user's own function or class; for others, the signature and docstring."""
    try:
        if value.__module__ == "__main__":
            return inspect.getsource(value)[: LENGTH + _MARGIN]
        return f"{value.__qualname__}{inspect.signature(value)}\n{_cut(inspect.getdoc(value) or '', TEXT)}"
    except (OSError, TypeError, ValueError):  # no source, no signature
        return repr(value)


def _short(value: object, depth: int) -> str:
    """Show a value inside another one; types that are not Python's own are only named."""
    return _inside(value, depth) or f"<{kind(value)}{_size(value) if _is_array(value) else ''}>"


def _is_array(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in ("numpy", "pandas", "polars")


def _inside(value: object, depth: int) -> str:
    """Show a value of Python's own types or a dataclass, with a few items per level; "" for others.

    Reads subclasses through the methods of their base, so that their own code does not run.
    """
    if isinstance(value, Secret) or type(value) in _PLAIN:
        return repr(value)
    if type(value) is int:
        return repr(value) if value.bit_length() < 1_000 else f"<int of {value.bit_length()} bits>"
    if isinstance(value, str):
        return repr(_cut(mask(str.__getitem__(value, slice(TEXT + _MARGIN))), TEXT))
    if isinstance(value, (bytes, bytearray)):
        return repr(bytes(value[:TEXT]))
    if isinstance(value, dict):
        return _braced("{", "}", _pairs(dict.items(value), ": ", depth), dict.__len__(value), depth)
    if isinstance(value, tuple) and (fields := getattr(type(value), "_fields", None)):
        return _of_fields(value, fields, depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _of_fields(value, [field.name for field in dataclasses.fields(value) if field.repr], depth)
    for of, opening, closing in _SEQUENCES:
        if isinstance(value, of):
            items = (_short(item, depth + 1) for item in of.__iter__(value))
            return _braced(opening, closing, items, of.__len__(value), depth)
    return ""


_SEQUENCES: tuple[tuple[Any, str, str], ...] = (
    (list, "[", "]"),
    (tuple, "(", ")"),
    (set, "{", "}"),
    (frozenset, "frozenset({", "})"),
    (deque, "deque([", "])"),
)


def _of_fields(value: object, names: Iterable[str], depth: int) -> str:
    present = [(name, getattr(value, name)) for name in names if hasattr(value, name)]
    return _braced(f"{kind(value)}(", ")", _pairs(present, "=", depth), len(present), depth)


def _pairs(items: Iterable[tuple[object, object]], sign: str, depth: int) -> Iterator[str]:
    for name, value in items:
        shown = str(name) if sign == "=" else _short(name, depth + 1)
        hidden = isinstance(name, str) and names_secret(name) and value is not None
        yield f"{shown}{sign}{MASK if hidden else _short(value, depth + 1)}"


def _braced(opening: str, closing: str, items: Iterator[str], length: int, depth: int) -> str:
    if depth >= DEPTH and length:
        return f"{opening}\u2026{closing}"
    few = list(itertools.islice(items, ITEMS))
    more = [f"\u2026 {length - len(few)} more"] if length > len(few) else []
    return f"{opening}{', '.join([*few, *more])}{closing}"


# frames and arrays


def _pandas(value: Any) -> str:
    frame = value.to_frame() if value.ndim == 1 else value
    head = frame.iloc[:ROWS, :COLUMNS].copy()
    for index, name in enumerate(head.columns):
        if names_secret(str(name)):
            head.isetitem(index, MASK)
    types = [(str(name), str(of)) for name, of in frame.dtypes.iloc[:COLUMNS].items()]
    return f"{_columns(types, frame.shape[1])}\n\n{head.to_string(max_colwidth=40)}"


def _polars(value: Any) -> str:
    frame = value.to_frame() if len(value.shape) == 1 else value
    head = frame[:ROWS, :COLUMNS]
    hidden = [sys.modules["polars"].lit(MASK).alias(name) for name in head.columns if names_secret(name)]
    types = [(name, str(of)) for name, of in itertools.islice(frame.schema.items(), COLUMNS)]
    return f"{_columns(types, frame.shape[1])}\n\n{head.with_columns(hidden) if hidden else head}"


def _columns(types: Iterable[tuple[str, str]], count: int) -> str:
    """Return the names and types of the columns shown."""
    named = [f"{_cut(name, TEXT)}: {of}" for name, of in types]
    more = [f"and {count - len(named)} more columns"] if count > len(named) else []
    return ", ".join([*named, *more])


def _numpy(value: Any) -> str:
    if value.dtype.kind == "O":  # its items can be any objects
        return _short(list(itertools.islice(value.flat, ITEMS)), 0)
    return str(sys.modules["numpy"].array2string(value, threshold=4 * ITEMS, edgeitems=3, max_line_width=100))


_LIBRARIES: tuple[tuple[str, tuple[str, ...], Callable[[Any], str]], ...] = (
    ("pandas", ("DataFrame", "Series"), _pandas),
    ("polars", ("DataFrame", "Series"), _polars),
    ("numpy", ("ndarray",), _numpy),
)
"""(library, its types, the function that shows them)."""
