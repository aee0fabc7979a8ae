"""Find which magic the cursor is in, and what of it stands before the cursor. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_CELL = re.compile(r"\s*(%%prompt|%%opencode)(?=\s|$)(.*)")
_LINE = re.compile(r"\s*(?:[^%\"'#]*=\s*)?(%prompt|%opencode)(?=\s)(.*)", re.DOTALL)


class Place(NamedTuple):
    """`line` follows the magic's name, up to the cursor; `body` is below it, and None with the cursor in the line."""

    magic: str
    line: str
    body: str | None = None


def place_of(cell: str, row: int, column: int) -> Place | None:
    """Return the magic that the cursor (0-based) is in; None outside of our magics, and in the name of one."""
    rows = cell.split("\n")
    before = [*rows[:row], rows[row][:column]]
    first = next((number for number, text in enumerate(before) if text.strip()), row)
    if found := _CELL.match(before[first]):
        return _of_cell(found[1], found[2], before[first + 1 :])
    found = _LINE.match(_continued(before))
    return Place(found[1], found[2]) if found else None


def _of_cell(magic: str, line: str, body: list[str]) -> Place | None:
    if body:
        return Place(magic, line, "\n".join(body)) if magic == "%%prompt" else None  # what is below is code
    return Place(magic, line) if line else None


def _continued(before: list[str]) -> str:
    """Return the last line together with those above it that end with a backslash."""
    start = len(before) - 1
    while start and before[start - 1].endswith("\\"):
        start -= 1
    return " ".join([*(text[:-1] for text in before[start:-1]), before[-1]])
