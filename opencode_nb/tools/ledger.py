"""The ledger: what left the kernel, when, by which way, how much, and to which model. Never the data itself."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace

MOST = 1_000
"""Entries kept; older ones are dropped."""

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb: no tokenizer of the model is at hand."""


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that left: `by` a tool's name, "mention" or "context"; `about` a subject; at a privacy level.

    `time` is in seconds since the epoch. `model` is "provider/model", "" as long as it is unknown; `turn` the id of the
    turn that took it along.
    """

    by: str
    about: str
    level: str
    tokens: int
    size: int
    images: int = 0
    time: float = field(default_factory=time.time)
    session: str = ""
    turn: str = ""
    model: str = ""


class Ledger:
    """The entries of one session, oldest first."""

    def __init__(self, session: str = "") -> None:
        self._session = session
        self._entries: deque[Entry] = deque(maxlen=MOST)

    def add(self, entry: Entry) -> None:
        """Record that something left."""
        self._entries.append(replace(entry, session=entry.session or self._session))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What left so far."""
        return tuple(self._entries)
