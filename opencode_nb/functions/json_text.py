"""Write values as JSON text, bounded: of a huge value no more is written than is kept."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from opencode_nb.kernel.values.kinds import package
from opencode_nb.kernel.values.plain import shown
from opencode_nb.secret import MASK, Secret, names_secret

MOST = 60_000
"""Characters that are written: the answers of tools are no longer."""

DEEPEST = 50
"""Levels of containers; deeper ones, and those that contain themselves, are only named."""

LARGEST = 10_000
"""Bits of the largest number that is written out."""

CUT = "\n[… the rest is left out: it is too long]"

_ATOMS = (bool, int, float, type(None))
_LISTS = (list, tuple, set, frozenset)
_TEXTS = (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID, os.PathLike)
KNOWN = (*_ATOMS, dict, *_LISTS, *_TEXTS, enum.Enum)


def is_jsonable(value: object) -> bool:
    """Whether a value has a JSON form: one of Python's own types, a dataclass, a model of pydantic's."""
    return isinstance(value, KNOWN) or _fields(value) is not None or _is_scalar(value)


def json_text(value: object) -> str:
    """Return a value as JSON, cut after MOST characters; what has no JSON form inside is only named."""
    kept, length = list[str](), 0
    for piece in _pieces(value, 0):
        kept.append(piece)
        length += len(piece)
        if length > MOST:
            return "".join(kept)[:MOST] + CUT
    return "".join(kept)


def _pieces(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, enum.Enum):
        value = value.value
    elif _is_scalar(value):
        value = value.item()
    if isinstance(value, Secret):
        yield json.dumps(MASK, ensure_ascii=False)
    elif isinstance(value, str):
        yield json.dumps(value[: MOST + 1], ensure_ascii=False)
    elif isinstance(value, _ATOMS):
        yield shown(value) if isinstance(value, int) and value.bit_length() > LARGEST else json.dumps(value)
    elif isinstance(value, _TEXTS):
        yield json.dumps(str(value)[:MOST], ensure_ascii=False)
    elif depth >= DEEPEST:
        yield json.dumps(f"<{type(value).__name__}>")
    elif isinstance(value, dict):
        yield from _object(dict.items(value), depth)
    elif isinstance(value, _LISTS):
        yield from _list(value, depth)
    elif (fields := _fields(value)) is not None:
        yield from _object(fields, depth)
    else:
        yield json.dumps(shown(value), ensure_ascii=False)


def _object(items: Iterable[tuple[Any, Any]], depth: int) -> Iterator[str]:
    yield "{"
    for place, (key, item) in enumerate(items):
        name = str(key.value if isinstance(key, enum.Enum) else key)[:MOST]
        yield f"{', ' if place else ''}{json.dumps(name, ensure_ascii=False)}: "
        yield from _pieces(MASK if names_secret(name) and item is not None else item, depth + 1)
    yield "}"


def _list(items: Iterable[Any], depth: int) -> Iterator[str]:
    yield "["
    for place, item in enumerate(items):
        if place:
            yield ", "
        yield from _pieces(item, depth + 1)
    yield "]"


def _fields(value: Any) -> Iterable[tuple[str, Any]] | None:
    """Return the fields of a dataclass or a model; None for other values."""
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    if hasattr(type(value), "__pydantic_fields__"):
        return ((name, getattr(value, name)) for name in type(value).__pydantic_fields__)
    return None


def _is_scalar(value: Any) -> bool:
    """Whether a value is one number, or text, of numpy's."""
    return package(value) == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item")
