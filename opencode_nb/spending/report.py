"""Report: what was spent, as text: by day with a small bar chart, by model, by project. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from itertools import groupby
from typing import NamedTuple

from opencode_nb.spending.records import Entry

BAR = 18
"""Characters of the longest bar."""

ROWS = 12
"""Lines of a table: the days are the latest ones, else those that cost most."""

_NAME = 30


class Sum(NamedTuple):
    """What entries used together; `name` is what they have in common."""

    name: str
    cost: float
    tokens: int
    steps: int

    @classmethod
    def of(cls, entries: Iterable[Entry], name: str = "") -> Sum:
        """Add up these entries."""
        used = list(entries)
        return cls(name, sum(one.cost for one in used), sum(one.tokens for one in used), len(used))

    def __str__(self) -> str:
        return f"${self.cost:.4f}, {self.tokens:,} tokens, {self.steps:,} step{'' if self.steps == 1 else 's'}"


def grouped(entries: Iterable[Entry], key: Callable[[Entry], str]) -> list[Sum]:
    """Add up entries by a key, in its order."""
    return [Sum.of(group, name) for name, group in groupby(sorted(entries, key=key), key)]


def report(entries: Iterable[Entry], today: date, days: int) -> str:
    """Return the sums of today and of these days, and the tables."""
    used = list(entries)
    lines = [
        f"Today: {Sum.of(one for one in used if one.day == today)}",
        f"Last {days} days: {Sum.of(used)}",
    ]
    if used:
        lines += ["", *_chart(grouped(used, lambda one: one.day.isoformat()))]
        for title, key in (("model", lambda one: one.model), ("project", lambda one: one.directory)):
            lines += ["", *_table(f"By {title}", grouped(used, key))]
    return "\n".join(lines)


def _chart(by_day: list[Sum]) -> list[str]:
    """One bar a day, of its cost; of its tokens if nothing has a price."""
    free = not any(day.cost for day in by_day)
    size = [day.tokens if free else day.cost for day in by_day]
    bars = [round(BAR * one / (max(size) or 1)) for one in size]
    rows = [f"  {day.name}  {'█' * bar or '▏':<{BAR}}  {_row(day)}" for day, bar in zip(by_day, bars, strict=True)]
    return ["By day", *rows[-ROWS:]]


def _table(title: str, sums: list[Sum]) -> list[str]:
    sums = sorted(sums, key=lambda one: (one.cost, one.tokens), reverse=True)
    rows = [f"  {_name(one.name):<{_NAME}}  {_row(one)}" for one in sums[:ROWS]]
    return [title, *rows, *([f"  … and {len(sums) - ROWS} more"] if len(sums) > ROWS else [])]


def _row(one: Sum) -> str:
    return f"{f'${one.cost:.4f}':>10}  {one.tokens:>13,} tokens  {one.steps:>6,} steps"


def _name(name: str) -> str:
    """Return a name that fits, from its end, without what a terminal would act on."""
    plain = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    return plain if len(plain) <= _NAME else f"…{plain[1 - _NAME :]}"
