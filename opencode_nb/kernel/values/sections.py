"""What a value holds, in sections by privacy level: names and dtypes, aggregates, data."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from opencode_nb.kernel.values import own_code, source
from opencode_nb.kernel.values.data import arrays, frames, lazy
from opencode_nb.kernel.values.data.table import Table
from opencode_nb.kernel.values.kinds import TRUSTED, is_a, kind, package
from opencode_nb.kernel.values.limits import Limits
from opencode_nb.kernel.values.plain import ITEMS, inside
from opencode_nb.kernel.values.text import MARGIN
from opencode_nb.secret import Secret
from opencode_nb.tools.privacy import Level, Piece

COUNTED = 10_000
"""Items of a container whose types are counted."""

_CONTAINERS: tuple[Any, ...] = (dict, list, tuple, set, frozenset, deque)


@dataclass(frozen=True, slots=True)
class Content:
    """Sections in the order of their worth, and the head of a frame for the card."""

    sections: tuple[Piece, ...]
    table: Table | None = None


def content(value: Any, limits: Limits) -> Content:
    """Return what a value holds. Runs the value's own code only if the limits allow it; raises what that raises."""
    if not limits.own_code and package(value) not in TRUSTED:
        return Content((_BUSY,))
    if (frame := frames.frame_of(value)) is not None:
        return _frame(frame, limits)
    return Content(tuple(_sections(value, limits)))


_BUSY = Piece("Its content can be shown when the kernel is not computing.", Level.NONE)


def _frame(frame: frames.Frame, limits: Limits) -> Content:
    head = frames.head(frame, limits)
    pieces = (
        Piece(frames.schema(frame, limits), Level.SCHEMA),
        Piece(head.text),
        Piece(frames.statistics(frame, limits), Level.SUMMARY),
    )
    return Content(pieces, head)


def _sections(value: Any, limits: Limits) -> Iterator[Piece]:
    if is_a(value, str) and not is_a(value, Secret):
        yield Piece(str.__getitem__(value, slice(limits.length + MARGIN)))
    elif is_a(value, (FunctionType, type, ModuleType)):
        yield from source.sections(value, limits)
    elif arrays.is_array(value):
        yield from arrays.sections(value)
    elif lazy.is_lazy(value):
        yield from lazy.sections(value)
    elif text := inside(value):
        yield Piece(text)
        yield from _types(value)
    else:
        yield from own_code.sections(value, limits)


def _types(value: Any) -> Iterator[Piece]:
    """Count the types of the items where not all are shown."""
    of = next((of for of in _CONTAINERS if is_a(value, of)), None)
    if of is not None and (length := of.__len__(value)) > ITEMS:
        items = dict.values(value) if of is dict else of.__iter__(value)
        counts = Counter(map(kind, list(itertools.islice(items, COUNTED)))).most_common(ITEMS)
        of_first = f" of the first {COUNTED:,}" if length > COUNTED else ""
        yield Piece(f"Types{of_first}: {', '.join(f'{count:,} {name}' for name, count in counts)}", Level.SUMMARY)
