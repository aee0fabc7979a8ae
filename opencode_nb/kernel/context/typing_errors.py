"""Recognise a mention that is a mistyped variable. Pure."""

from __future__ import annotations

from collections.abc import Iterable

SHORTEST = 3
"""Letters of the shortest word that may be a mistyped variable: two letters are one edit away from too much."""


def one_edit_away(word: str, known: Iterable[str]) -> list[str]:
    """Return the known names that differ from a word by one letter: added, left out, another, or two swapped."""
    return [name for name in known if len(word) >= SHORTEST and word != name and _is_one_edit(word, name)]


def _is_one_edit(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    same = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    rests = short[same:], long[same:]
    swapped = len(short) == len(long) and rests[0][:2] == rests[1][1::-1] and rests[0][2:] == rests[1][2:]
    return rests[0] == rests[1][1:] or rests[0][1:] == rests[1][1:] or swapped
