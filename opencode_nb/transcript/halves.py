"""Rejoin characters that a stream split between UTF-16 surrogates, as JavaScript does.

Python cannot encode half a character: not in UTF-8, a page, a file or a terminal. A half that stays alone becomes
U+FFFD.
"""

from __future__ import annotations

import itertools
from typing import Any

_HIGH = ("\ud800", "\udbff")


def split_end(text: str) -> tuple[str, str]:
    """Return the text with its halves joined, and a first half at its end separately, to wait for the second."""
    cut = text[-1:] if _HIGH[0] <= text[-1:] <= _HIGH[1] else ""
    return joined(text.removesuffix(cut)), cut


def joined(text: str) -> str:
    """Join the halves of characters in a text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def whole(value: Any) -> Any:
    """Return the JSON value with all halves joined; the same object if it has none."""
    return _mended(value) if _has_halves(value) else value


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return joined(value)
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return [_mended(item) for item in value] if isinstance(value, list) else value


def _has_halves(value: Any) -> bool:
    """Runs on every event, and almost never finds any."""
    if isinstance(value, str):
        return not value.isascii() and joined(value) is not value
    if isinstance(value, dict | list):
        items = itertools.chain(value, value.values()) if isinstance(value, dict) else value
        return any(map(_has_halves, items))
    return False
