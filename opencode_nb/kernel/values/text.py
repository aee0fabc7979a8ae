"""Text of values: cut, fenced, aligned, with secrets masked before a cut can hide what they are. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from opencode_nb.secret import mask

MARGIN = 200
"""Characters to read beyond a cut, so that a secret that spans the cut is still recognised."""


def cut(text: str, length: int) -> str:
    """Cut a text to so many characters, and mark the cut."""
    return text if len(text) <= length else f"{text[:length]}\u2026"


def clean(text: str, length: int) -> str:
    """Mask what looks like a secret in a text, and cut it."""
    return cut(mask(str.__getitem__(text, slice(length + MARGIN))), length)


def fenced(text: str) -> str:
    """Put a text into a Markdown fence that is longer than any inside it."""
    fence = "`" * max(3, 1 + max((len(list(run)) for tick, run in itertools.groupby(text) if tick == "`"), default=0))
    return f"{fence}\n{text}\n{fence}"


def memory(size: int) -> str:
    """Return a number of bytes for people: `84.1 kB`."""
    if size < 1_000:
        return f"{size} B"
    amount, units = float(size), iter(("kB", "MB", "GB", "TB"))
    unit = "B"
    while amount >= 1_000 and (larger := next(units, "")):
        amount, unit = amount / 1_000, larger
    return f"{amount:.1f} {unit}" if amount < 100 else f"{amount:.0f} {unit}"


def number(value: float) -> str:
    """Return a number with six digits."""
    return f"{value:.6g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Align columns of text: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
