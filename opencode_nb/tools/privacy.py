"""The gate: every byte of the kernel's data that goes to a model passes `Gate.let`.

Whoever describes a value says for each piece of text which privacy level it takes; the gate withholds what the level
does not allow, masks what looks like a secret at every level, and records what left in the ledger.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from opencode_nb.secret import mask
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


LEVELS = tuple(level.name.lower() for level in Level)
"""The names of the levels, from the strictest to `full`."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text, and the least level at which it may leave. Data of the user's is always FULL."""

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


@dataclass(frozen=True, slots=True)
class Let:
    """What the gate let through: text with its secrets masked, and images."""

    text: str
    images: tuple[bytes, ...] = ()


class Gate:
    """Keeps the privacy level of one session, and writes the ledger. Use from any thread."""

    def __init__(self, level: Level, ledger: Ledger) -> None:
        self.level, self.ledger = level, ledger

    def let(self, outgoing: Outgoing, *, by: str) -> Let:
        """Return what may leave, and record it. `by` is the way it leaves: a tool's name, "mention" or "context"."""
        passed = [piece.text for piece in outgoing.pieces if piece.level <= self.level]
        images = outgoing.images if self.level is Level.FULL else ()
        text = mask("".join(passed)) + self._withheld(outgoing, images)
        self.ledger.add(
            Entry(by, outgoing.about, self.level.name.lower(), tokens_of(text), len(text.encode()), len(images))
        )
        return Let(text, images)

    def let_all(self, many: Iterable[Outgoing], *, by: str) -> list[Let]:
        """Apply `let` to several subjects."""
        return [self.let(outgoing, by=by) for outgoing in many]

    def _withheld(self, outgoing: Outgoing, images: tuple[bytes, ...]) -> str:
        """Return a note for the model if something is held back, so that it does not take the rest for all."""
        held = any(piece.level > self.level and piece.text.strip() for piece in outgoing.pieces)
        if not held and len(images) == len(outgoing.images):
            return ""
        return f"\n[Withheld: the user's privacy level is {self.level.name.lower()}.]"
