"""The gate: every byte of the kernel's data that goes to a model passes `Gate.let`.

Whoever describes a value says for each piece of text which privacy level it takes; the gate withholds what the level
does not allow, masks what looks like a secret at every level, and records what left in the ledger.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from opencode_nb.secret import mask
from opencode_nb.tools import secret_values
from opencode_nb.tools.ledger import Entry, Ledger, tokens_of


class Level(enum.IntEnum):
    """How much of the kernel's data may leave; each level includes those below it."""

    NONE = 0
    """Nothing: no mentions of values, no context, no tools."""
    NAMES = 1
    """The names of variables and their types."""
    SCHEMA = 2
    """Also shapes, column names and dtypes."""
    SUMMARY = 3
    """Also aggregates: counts, means, missing values. No rows, and no extremes of text."""
    FULL = 4
    """Everything, with secrets masked."""

    @classmethod
    def of(cls, name: str) -> Level:
        """Return the level of this name: none, names, schema, summary, full. Raises ValueError."""
        if name not in LEVELS:
            raise ValueError(f"{name!r} is not a privacy level: use one of {', '.join(LEVELS)}.")
        return cls[name.upper()]


NOT_COVERED = "what code writes to files, what shell commands read, and what earlier turns sent"
"""What no level covers: to be said wherever a level is set."""

LEVELS = tuple(level.name.lower() for level in Level)
"""The names of the levels, from the strictest to `full`."""


PRIVACY = "OPENCODE_NB_PRIVACY"
"""Environment variable with the level of the sessions that nothing was chosen for."""


def _level_of_environment() -> Level:
    return Level.of(os.environ.get(PRIVACY) or LEVELS[-1])


class _Defaults:
    level: Callable[[], Level] = staticmethod(_level_of_environment)
    secrets: Callable[[], Iterable[str]] = tuple


_defaults = _Defaults()


def set_defaults(
    level: Callable[[], Level] = _level_of_environment, secrets: Callable[[], Iterable[str]] = tuple
) -> None:
    """Set where the level comes from if none was chosen, and secrets to mask by their values; both are asked each time.

    Without arguments, as it is in a script: the level of the environment, and no secrets but those that stand there.
    """
    _defaults.level, _defaults.secrets = level, secrets


_most: ContextVar[Level] = ContextVar("opencode_nb_privacy", default=Level.FULL)


def default_level() -> Level:
    """Return the level of sessions for which none was chosen, now. Raises ValueError if the environment names none."""
    return min(_defaults.level(), _most.get())


@contextmanager
def at_most(level: Level) -> Iterator[None]:
    """Let the default be no higher than this level in the block, and in the tasks that it starts."""
    token = _most.set(level)
    try:
        yield
    finally:
        _most.reset(token)


@dataclass(frozen=True, slots=True)
class Piece:
    """Text, and the least level at which it may leave: FULL for the user's data, NONE for what tells nothing of it."""

    text: str
    level: Level = Level.FULL


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What something in the kernel would tell the model `about` a subject, such as `df` or `python`.

    `images` are PNG files, which only FULL lets through.
    """

    about: str
    pieces: tuple[Piece, ...]
    images: tuple[bytes, ...] = ()

    def with_note(self, text: str) -> Outgoing:
        """Return it with a further line, which tells nothing beyond names."""
        return replace(self, pieces=(*self.pieces, Piece(f"\n{text}", Level.NAMES)))


@dataclass(frozen=True, slots=True)
class Let:
    """What the gate let through: text with its secrets masked, and images."""

    text: str
    images: tuple[bytes, ...] = ()


NAME = 80
"""Maximum length of a subject in the ledger, in characters."""


class Gate:
    """Keeps the privacy level of one session, and writes the ledger. Use from any thread.

    `known` returns secrets to mask by their values, in addition to those in the environment.
    """

    def __init__(self, level: Level, ledger: Ledger, known: Callable[[], Iterable[str]] | None = None) -> None:
        self.level, self.ledger, self._known = level, ledger, known
        self.chosen: Level | None = None
        """The level that was chosen for the session."""

    def settle(self) -> Level:
        """Set the level to the chosen one, else to the default now; return it. Called before each prompt.

        Raises ValueError if the environment names no level.
        """
        self.level = default_level() if self.chosen is None else self.chosen
        return self.level

    @property
    def open(self) -> bool:
        """Whether anything may leave: if not, offer no tools."""
        return self.level > Level.NONE

    def let(self, outgoing: Outgoing, *, by: str) -> Let:
        """Return what may leave, and record it. `by` is the way it leaves: a tool's name, "mention" or "context"."""
        known = _defaults.secrets if self._known is None else self._known
        level, secrets = self.level, secret_values.of_environment() | set(known())
        passed = [piece for piece in outgoing.pieces if piece.level <= level]
        images = outgoing.images if level is Level.FULL else ()
        text = _masked("".join(piece.text for piece in passed), secrets)
        left = Let(f"{text}{_withheld(outgoing, level)}".lstrip("\n"), images)
        most = Level.FULL if images else max((piece.level for piece in passed if piece.text), default=Level.NONE)
        self.ledger.add(_entry(by, _masked(outgoing.about, secrets), most, left))
        return left

    def let_all(self, many: Iterable[Outgoing], *, by: str) -> list[Let]:
        """Apply `let` to several subjects."""
        return [self.let(outgoing, by=by) for outgoing in many]


def _masked(text: str, secrets: Iterable[str]) -> str:
    sendable = text.encode("utf-8", "replace").decode()  # half a surrogate pair, as cuts leave it, is not
    return mask(secret_values.mask_values(sendable, secrets))


def _entry(by: str, about: str, level: Level, left: Let) -> Entry:
    name = about if len(about) <= NAME else f"{about[:NAME]}\u2026"
    return Entry(by, name, level.name.lower(), tokens_of(left.text), len(left.text.encode()), len(left.images))


def _withheld(outgoing: Outgoing, level: Level) -> str:
    """Return a note for the model if something is held back, so that it does not take the rest for all."""
    needed = {piece.level for piece in outgoing.pieces if piece.level > level and piece.text.strip()}
    needed |= {Level.FULL} if outgoing.images and level < Level.FULL else set()
    if not needed:
        return ""
    names = " or ".join(one.name.lower() for one in sorted(needed))
    return f"\n[Withheld: the user's privacy level is {level.name.lower()}; the rest needs {names}.]"
