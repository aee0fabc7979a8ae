"""Find the secrets in the user's variables, so that the gate masks them wherever they occur, as in printed text."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from opencode_nb.kernel.values.attributes import attributes
from opencode_nb.kernel.values.data.frames import Frame, frame_of
from opencode_nb.kernel.values.data.table import is_secret
from opencode_nb.kernel.values.kinds import LIBRARIES, is_a, package
from opencode_nb.kernel.values.namespace import own
from opencode_nb.secret import Secret
from opencode_nb.tools.secret_values import is_telling

DEPTH = 8
ITEMS = 1_000
"""Items of a container, rows and columns of a frame that are looked at."""

MOST = 10_000
"""Values looked at in all."""

_NESTED = ("object", "Object", "List", "Array", "Struct", "list", "struct")
_NUMBERS = (int, float, bool, complex, type(None))

_Named = tuple[object, Any, bool, int]
"""A name, its value, whether what it is in has a secret's name, and how deep it is."""


def known_secrets(shell: Any) -> Callable[[], set[str]]:
    """Return a function that returns the secrets of a shell's variables: what has a secret's name, at any depth."""
    return lambda: set(_secrets(own(shell)))


def _secrets(variables: Mapping[str, object]) -> Iterator[str]:
    """Yield the secrets that are nearest to the namespace, breadth first."""
    waiting: deque[_Named] = deque((name, value, False, 0) for name, value in variables.items())
    seen: dict[int, object] = {}  # holds the values, as the id of one that is gone is given to another
    for _ in range(MOST):
        if not waiting:
            return
        name, value, inherited, depth = waiting.popleft()
        hidden = inherited or is_secret(name)
        if is_a(value, (str, bytes, bytearray)):
            yield from _telling(value, hidden)
        elif id(value) not in seen and depth < DEPTH:
            seen[id(value)] = value
            few = itertools.islice(_inside(value, hidden), ITEMS)
            items = [pair for pair in few if type(pair[1]) not in _NUMBERS]
            waiting.extend((below, item, hidden, depth + 1) for below, item in items)


def _telling(value: Any, hidden: bool) -> Iterator[str]:
    text = str.__str__(value) if is_a(value, str) else bytes(value).decode("utf-8", "replace")
    if (hidden or is_a(value, Secret)) and is_telling(text):
        yield text


def _inside(value: Any, hidden: bool) -> Iterable[tuple[object, object]]:
    """Return the items of a container, or the attributes of an object of the user's, with their names."""
    if is_a(value, (type, ModuleType, FunctionType)):
        return ()
    if (frame := frame_of(value)) is not None:
        return _columns(frame, hidden)
    if is_a(value, dict):
        return dict.items(value)
    if is_a(value, tuple):
        return zip(getattr(type(value), "_fields", itertools.repeat(None)), tuple.__iter__(value), strict=False)
    base: Any = next((of for of in (list, set, frozenset) if is_a(value, of)), None)
    if base is not None:
        return ((None, item) for item in base.__iter__(value))
    return attributes(value).items() if package(value) not in LIBRARIES else ()


def _columns(frame: Frame, hidden: bool) -> Iterator[tuple[object, object]]:
    """Yield the columns that have a secret's name, and those with objects, which may have fields with one."""
    for at, (name, dtype) in enumerate(frame.schema(ITEMS)):
        if hidden or is_secret(name) or dtype.startswith(_NESTED):
            yield name, frame.values(at, ITEMS)
