"""Show values of Python's own types and dataclasses, a few items per level, without running code of the user's.

Subclasses are read through the methods of their base, and other values inside are only named. What has a secret's name,
and what looks like a secret, is masked.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import fractions
import itertools
import pathlib
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from opencode_nb.kernel.values.attributes import stored
from opencode_nb.kernel.values.kinds import is_a, kind
from opencode_nb.kernel.values.size import size_of_data
from opencode_nb.kernel.values.text import clean
from opencode_nb.secret import MASK, Secret, names_secret

ITEMS = 20
DEPTH = 3
TEXT = 200
"""Maximum length of a string inside another value."""

LARGEST = 1_000
"""Bits of the largest number that is written out."""

PLAIN = (
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

_SEQUENCES: tuple[tuple[Any, str, str], ...] = (
    (list, "[", "]"),
    (tuple, "(", ")"),
    (set, "{", "}"),
    (frozenset, "frozenset({", "})"),
    (deque, "deque([", "])"),
)


def shown(value: object, depth: int = 0) -> str:
    """Show a value inside another one: what `inside` cannot show is only named."""
    return inside(value, depth) or f"<{kind(value)}{size_of_data(value)}>"


def inside(value: object, depth: int = 0) -> str:
    """Show a value of Python's own types or a dataclass; "" for others."""
    if is_a(value, Secret):
        return repr(MASK)
    if type(value) in PLAIN:
        return clean(repr(value), TEXT)
    return _scalar(value) or _container(value, depth)


def _scalar(value: Any) -> str:
    if type(value) is int:
        return repr(value) if value.bit_length() < LARGEST else f"<int of {value.bit_length()} bits>"
    if is_a(value, str):
        return repr(clean(value, TEXT))
    if is_a(value, (bytes, bytearray)):
        of = bytes if is_a(value, bytes) else bytearray
        return clean(repr(bytes(of.__getitem__(value, slice(TEXT)))), 4 * TEXT)
    return ""


def _container(value: Any, depth: int) -> str:
    if is_a(value, dict):
        return _braced("{", "}", _items(value, depth), dict.__len__(value), depth)
    if is_a(value, tuple) and (names := getattr(type(value), "_fields", None)):
        return _record(value, list(zip(map(str, names), tuple.__iter__(value), strict=False)), depth)
    if dataclasses.is_dataclass(type(value)):
        return _record(value, [(name, stored(value, name)) for name in fields(value)], depth)
    for of, opening, closing in _SEQUENCES:
        if is_a(value, of):
            few = (shown(item, depth + 1) for item in list(itertools.islice(of.__iter__(value), ITEMS)))
            return _braced(opening, closing, few, of.__len__(value), depth)
    return ""


def fields(value: Any) -> list[str]:
    """Return the names of a dataclass's fields that its repr has and that are set."""
    return [
        field.name
        for field in dataclasses.fields(type(value))
        if field.repr and stored(value, field.name, value) is not value
    ]


def _record(value: object, present: list[tuple[str, object]], depth: int) -> str:
    few = (f"{name}={_under(name, item, depth)}" for name, item in present)
    return _braced(f"{kind(value)}(", ")", few, len(present), depth)


def _items(value: dict[object, object], depth: int) -> Iterator[str]:
    """Show pairs of a dict, which another thread may be changing."""
    for key, item in list(itertools.islice(dict.items(value), ITEMS)):
        yield f"{shown(key, depth + 1)}: {_under(key, item, depth)}"


def _under(name: object, value: object, depth: int) -> str:
    hidden = is_a(name, str) and names_secret(str(name)) and value is not None
    return MASK if hidden else shown(value, depth + 1)


def _braced(opening: str, closing: str, items: Iterable[str], length: int, depth: int) -> str:
    if depth >= DEPTH and length:
        return f"{opening}\u2026{closing}"
    few = list(itertools.islice(items, ITEMS))
    more = [f"\u2026 {length - len(few)} more"] if length > len(few) else []
    return f"{opening}{', '.join([*few, *more])}{closing}"
