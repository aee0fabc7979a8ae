"""Find the secrets in the user's variables, so that the gate masks them wherever they occur, as in printed text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from opencode_nb.kernel.values.attributes import attributes
from opencode_nb.kernel.values.frames import Frame, frame_of
from opencode_nb.kernel.values.kinds import LIBRARIES, is_a, package
from opencode_nb.kernel.values.namespace import own
from opencode_nb.kernel.values.table import is_secret
from opencode_nb.secret import Secret
from opencode_nb.tools.secret_values import is_telling

DEPTH = 3
ITEMS = 1_000
"""Items of a container, rows and columns of a frame that are looked at."""


def known_secrets(shell: Any) -> Callable[[], set[str]]:
    """Return a function that returns the secrets of a shell's variables: what has a secret's name, at any depth."""
    return lambda: set(_of_pairs(own(shell).items(), False, 0))


def _of_pairs(pairs: Iterable[tuple[object, object]], hidden: bool, depth: int) -> Iterator[str]:
    for name, value in list(itertools.islice(pairs, ITEMS)):
        yield from _of(value, hidden or is_secret(name), depth)


def _of(value: Any, hidden: bool, depth: int) -> Iterator[str]:
    """Yield the secrets in a value. `hidden`: it, or what it is in, has a secret's name."""
    if is_a(value, (str, bytes, bytearray)):
        text = str.__str__(value) if is_a(value, str) else bytes(value).decode("utf-8", "replace")
        if (hidden or is_a(value, Secret)) and is_telling(text):
            yield text
    elif (frame := frame_of(value)) is not None:
        yield from _of_frame(frame, hidden)
    elif depth < DEPTH and not is_a(value, (type, ModuleType, FunctionType)):
        yield from _of_pairs(_inside(value), hidden, depth + 1)


def _of_frame(frame: Frame, hidden: bool) -> Iterator[str]:
    for at, (name, _) in enumerate(frame.schema(ITEMS)):
        if hidden or is_secret(name):
            _, columns = frame.head(ITEMS, at + 1)
            yield from _of_pairs(((None, value) for value in columns[at]), True, DEPTH)


def _inside(value: Any) -> Iterable[tuple[object, object]]:
    """Return the items of a container or the attributes of an object of the user's, with their names."""
    if is_a(value, dict):
        return dict.items(value)
    if is_a(value, tuple):
        return zip(getattr(type(value), "_fields", itertools.repeat(None)), tuple.__iter__(value), strict=False)
    base: Any = next((of for of in (list, set, frozenset) if is_a(value, of)), None)
    if base is not None:
        return ((None, item) for item in base.__iter__(value))
    return attributes(value).items() if package(value) not in LIBRARIES else ()
