"""Compare two texts as results: times of the run, addresses and execution counts do not count. Pure.

Floating-point numbers may differ in their last digits; all other numbers count exactly. Where a line tells how long
something took, its numbers do not count.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

CLOSE = 1e-9
"""Relative difference below which two floating-point numbers are the same."""
TINY = 1e-12
"""Absolute difference below which they are the same: what should be zero."""
SLACK = 60.0
"""Seconds around the run that count as its time."""
SHOWN = 12
"""Most lines of a difference that are shown."""
WIDTH = 200
"""Most characters of a line that are shown."""
COMPARED = 400
"""Most lines that are paired where lines were added or removed."""

_ATOM = re.compile(
    r"(?P<count>\b(?:In|Out) ?\[\d+\])"
    r"|(?P<address>\b0x[0-9a-fA-F]{4,}\b)"
    r"|(?P<temporary>ipykernel_\d+[/\\]\d+\.py)"
    r"|(?P<moment>\bdatetime\.date(?:time)?\(\d+(?:, \d+){2,})"
    r"|(?P<date>(?<!\d)\d{4}-\d\d-\d\d(?!\d)T?)"
    r"|(?P<clock>(?<!\d)\d\d?:\d\d:\d\d(?:[.,]\d+)?)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<other>\S)"
)
_TIMING = re.compile(
    r"^(?:CPU times|Wall time):|per loop \(|\dit/s|\ds/it|\d[mµun]?s/step"
    r"|(?i:\b(?:elapsed|took|runtime|duration|(?:done|finished|completed|ran|run) (?:in|after)|execution time)\b)"
)
_UNITS = frozenset({"ns", "us", "µs", "μs", "ms", "s", "sec", "seconds", "min", "minutes", "h"})
_NEVER_COUNT = ("count", "address", "temporary")


@dataclass(frozen=True, slots=True)
class Span:
    """When a run began and ended, in seconds since the epoch."""

    start: float
    end: float

    def has_date(self, year: int, month: int, day: int) -> bool:
        """Whether this is a day of the run, in any time zone."""
        try:
            noon = datetime(year, month, day, 12, tzinfo=UTC)
        except ValueError:
            return False
        day_length = timedelta(days=1)
        return _moment(self.start) - day_length * 1.5 <= noon <= _moment(self.end) + day_length * 1.5

    def has_clock(self, hours: int, minutes: int, seconds: float) -> bool:
        """Whether this is a time of day during the run, here or in UTC."""
        given = hours * 3600 + minutes * 60 + seconds
        starts = (datetime.fromtimestamp(self.start), _moment(self.start))
        since = ((given - (s.hour * 3600 + s.minute * 60 + s.second) + SLACK) % 86_400 for s in starts)
        return any(after <= self.end - self.start + 2 * SLACK for after in since)

    def has_number(self, number: float) -> bool:
        """Whether this is a time during the run in seconds or milliseconds since the epoch."""
        return any(self.start - SLACK <= one <= self.end + SLACK for one in (number, number / 1000))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def difference(before: str, after: str, span: Span) -> str:
    """Return the lines that differ, `-` before and `+` after, shortened; "" if the texts are the same result."""
    if before == after:
        return ""
    old, new = _trimmed(before.rstrip().splitlines(), after.rstrip().splitlines(), span)
    if not (old or new):
        return ""
    if len(old) == len(new):
        pairs = [(a, b) for a, b in zip(old, new, strict=True) if not same_line(a, b, span)]
        return _shown([line for a, b in pairs for line in (f"- {a}", f"+ {b}")])
    changes = difflib.unified_diff(old[:COMPARED], new[:COMPARED], n=0, lineterm="")
    return _shown([f"{line[0]} {line[1:]}" for line in changes if not line.startswith(("---", "+++", "@@"))])


def _trimmed(old: list[str], new: list[str], span: Span) -> tuple[list[str], list[str]]:
    """Leave out the lines at the beginning and the end that are the same."""
    for _ in range(2):
        same = next(_unlike(old, new, span), min(len(old), len(new)))
        old, new = old[same:][::-1], new[same:][::-1]
    return old, new


def _unlike(old: Sequence[str], new: Sequence[str], span: Span) -> Iterator[int]:
    return (at for at, (a, b) in enumerate(zip(old, new, strict=False)) if not same_line(a, b, span))


def _shown(lines: list[str]) -> str:
    more = [f"  … {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else []
    return "\n".join([*(shortened(line, WIDTH) for line in lines[:SHOWN]), *more])


def shortened(line: str, length: int) -> str:
    """Return the beginning of a line that has more characters, and an ellipsis."""
    return line if len(line) <= length else f"{line[:length]}…"


def same_line(before: str, after: str, span: Span) -> bool:
    """Whether two lines are the same result."""
    if before == after:
        return True
    old, new = list(_ATOM.finditer(before)), list(_ATOM.finditer(after))
    timing = bool(_TIMING.search(before) and _TIMING.search(after))
    return len(old) == len(new) and all(_same(a, b, timing, span) for a, b in zip(old, new, strict=True))


def _same(before: re.Match[str], after: re.Match[str], timing: bool, span: Span) -> bool:
    kind, a, b = before.lastgroup, before[0], after[0]
    if a == b:
        return True
    if kind != after.lastgroup:
        return False
    if kind == "number":
        return timing or _same_number(a, b) or span.has_number(float(b))
    if kind == "word":
        return timing and {a, b} <= _UNITS
    return kind in _NEVER_COUNT or (kind in _OF_THE_RUN and _OF_THE_RUN[kind](span, b))


def _same_number(before: str, after: str) -> bool:
    floats = not (before.isdigit() or after.isdigit())
    return floats and math.isclose(float(before), float(after), rel_tol=CLOSE, abs_tol=TINY)


def _is_day(span: Span, text: str) -> bool:
    year, month, day = (int(number) for number in re.findall(r"\d+", text)[:3])
    return span.has_date(year, month, day)


def _is_clock(span: Span, text: str) -> bool:
    hours, minutes, seconds = text.replace(",", ".").split(":")
    return span.has_clock(int(hours), int(minutes), float(seconds))


_OF_THE_RUN = {"date": _is_day, "moment": _is_day, "clock": _is_clock}
