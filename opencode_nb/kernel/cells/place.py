"""Where the code that the agent runs by `python` is to stand: in its card, in new cells, or in a given cell. Pure."""

from __future__ import annotations

from difflib import get_close_matches

CARD, BELOW = "card", "below"

PLACES = {CARD: "in its card only", BELOW: "in new cells below as well"}
"""The places that have a name, in words; any other is the id of a cell."""

MISSPELT = 0.75
"""How alike a misspelt name is, as difflib counts: "belwo" is, and no id that Jupyter makes."""


def checked_place(text: str) -> str:
    """Return a place. Raises ValueError for what looks like a misspelt name."""
    if not text or any(map(str.isspace, text)):
        raise ValueError(f"{text!r} is no place for code: use {CARD}, {BELOW} or the id of a cell.")
    if text not in PLACES and (meant := get_close_matches(text, PLACES, 1, MISSPELT)):
        raise ValueError(f"{text!r} is no place for code. Did you mean {meant[0]}?")
    return text
