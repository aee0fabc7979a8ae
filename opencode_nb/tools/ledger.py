"""The ledger: what left the kernel, when, by which way, how much, and to which model. Never the data itself."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

MOST = 1_000
"""Entries kept; older ones are dropped."""

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb: no tokenizer of the model is at hand."""

PENDING = "not sent yet"


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that left: `by` a tool's name, "mention" or "context"; `about` a subject; at a privacy level.

    `size` is in bytes of text, `images` their number, `time` in seconds since the epoch. `model` is "provider/model",
    and `turn` the id of the turn that took it along: both are "" until the session stamps them.
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

    @property
    def what(self) -> str:
        """The subject and how much of it: `df: schema, 412 tokens, 1 image`."""
        images = f", {self.images} image{'s' if self.images > 1 else ''}" if self.images else ""
        return f"{self.about}: {self.level}, {self.tokens:,} tokens{images}"

    @property
    def facts(self) -> dict[str, Any]:
        """Names, level, sizes and time, for the metadata of a saved notebook."""
        facts: dict[str, Any] = {"by": self.by, "about": self.about, "level": self.level, "tokens": self.tokens}
        facts |= {"bytes": self.size, "time": round(self.time)}
        return facts | ({"images": self.images} if self.images else {})

    @classmethod
    def of(cls, facts: Mapping[str, Any], *, session: str, turn: str, model: str) -> Entry:
        """Return the entry that these facts tell of; "" and 0 for what they lack."""
        by, about, level = (str(facts.get(name) or "") for name in ("by", "about", "level"))
        tokens, size, images, time = (int(facts.get(name) or 0) for name in ("tokens", "bytes", "images", "time"))
        return cls(by, about, level, tokens, size, images, time, session, turn, model)


class Entries(tuple[Entry, ...]):
    """Entries of the ledger, oldest first. Shows as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        """The table as aligned text."""
        rows = [_HEADINGS, *map(_row, self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows) if self else _EMPTY

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))

    def _repr_markdown_(self) -> str:
        if not self:
            return _EMPTY
        rows = [_HEADINGS, ["---"] * len(_HEADINGS), *([_escaped(cell) for cell in _row(entry)] for entry in self)]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)


_EMPTY = "Nothing left the kernel."
_HEADINGS = ["When", "What", "By", "To"]
_SPECIAL = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]()#+!|~$<&"})


def _row(entry: Entry) -> Sequence[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.time)) if entry.time else ""
    return [when, entry.what, entry.by, entry.model or PENDING]


def _escaped(cell: str) -> str:
    """Escape a name for Markdown."""
    return cell.translate(_SPECIAL)


class Ledger:
    """The entries of one session, oldest first. Use from any thread."""

    def __init__(self, session: str = "") -> None:
        self._session = session
        self._entries: deque[Entry] = deque(maxlen=MOST)
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Record that something left."""
        with self._lock:
            self._entries.append(replace(entry, session=entry.session or self._session))

    def stamp(self, *, turn: str, model: str) -> None:
        """Note the turn and the model ("provider/model") that took along all that left since the last stamp.

        Call it when a turn is sent, for its mentions and context, and when it ends, for its tools.
        """
        with self._lock:
            new = [entry if entry.turn else replace(entry, turn=turn, model=model) for entry in self._entries]
            self._entries = deque(new, MOST)

    @property
    def entries(self) -> Entries:
        """What left so far."""
        with self._lock:
            return Entries(self._entries)

    def of(self, turn: str) -> Entries:
        """What left in one turn."""
        return Entries(entry for entry in self.entries if entry.turn == turn)

    def __str__(self) -> str:
        """The table as aligned text."""
        return str(self.entries)

    def _repr_markdown_(self) -> str:
        return self.entries._repr_markdown_()
