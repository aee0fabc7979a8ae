"""Describe a value for a model: its type, its size, and what it holds, each at its privacy level.

Bounded in length, and in time where the value's own code runs. What looks like a secret is masked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

from opencode_nb.kernel.values.bounds.bounded import within
from opencode_nb.kernel.values.data.table import Table
from opencode_nb.kernel.values.kinds import is_a, kind
from opencode_nb.kernel.values.limits import MENTION, Limits
from opencode_nb.kernel.values.sections import Content, content
from opencode_nb.kernel.values.size import memory_of, size
from opencode_nb.kernel.values.text import clean, fenced, memory
from opencode_nb.secret import names_secret
from opencode_nb.tools.privacy import Level, Piece

SECONDS = 1.0
"""How long a value's own code may run, in seconds."""

MESSAGE = 200
"""Maximum length of an exception's message, in characters."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is told of a value, and the head of a frame for the card."""

    pieces: tuple[Piece, ...]
    table: Table | None = None

    @property
    def text(self) -> str:
        """All of it, as `Level.FULL` lets it through."""
        return "".join(piece.text for piece in self.pieces)


def describe(name: str, value: object, limits: Limits = MENTION, *, hidden: bool | None = None) -> Description:
    """Describe a value by its name. Never raises, never hangs; KeyboardInterrupt gets through.

    `hidden`: whether the value is a secret, if its name does not tell.
    """
    told = Piece(f"`{name}` in the notebook's kernel is a `{kind(value)}`", Level.NAMES)
    if is_hidden(name, value) if hidden is None else hidden:
        return _only(told, ". Its name suggests a secret, so its value is not shown.")
    try:
        length, found = within(SECONDS, lambda: (_size(value, limits), content(value, limits)))
    except TimeoutError:
        return _only(told, ". It took too long to show.")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's own code, which may raise anything
        return Description((told, *_failed(error)))
    return _described(told, length, found, limits)


def _size(value: object, limits: Limits) -> str:
    taken = memory_of(value) if limits.deep else None
    return size(value) + (f", {memory(taken)}" if taken is not None else "")


def is_hidden(name: str, value: object) -> bool:
    """Whether a variable's name suggests that its value is a secret."""
    return names_secret(name) and not is_a(value, (type, FunctionType, ModuleType))


def _only(told: Piece, why: str) -> Description:
    return Description((told, Piece(why, Level.NAMES)))


def _failed(error: BaseException) -> Iterator[Piece]:
    yield Piece(f". It could not be shown: {type(error).__name__}", Level.NAMES)
    yield Piece(f": {message_of(error)}")
    yield Piece(".", Level.NAMES)


def message_of(error: BaseException) -> str:
    """Return an exception's first argument if it is text, without running `__str__`, which can be the user's code."""
    arguments: Any = BaseException.args  # a subclass may have a property of this name
    first = next(iter(arguments.__get__(error)), "")
    return clean(first, MESSAGE) if is_a(first, str) else ""


def _described(told: Piece, length: str, found: Content, limits: Limits) -> Description:
    head = (told, Piece(length, Level.SCHEMA), Piece(".", Level.NAMES))
    return Description((*head, *_bounded(found.sections, limits.length)), found.table)


def _bounded(sections: Iterable[Piece], length: int) -> Iterator[Piece]:
    """Fence each section, masked, as long as characters are left."""
    left = length
    for section in sections:
        text = clean(section.text, left)
        if left > 0 and text.strip():
            yield Piece(f"\n{fenced(text)}", section.level)
            left -= len(text)
