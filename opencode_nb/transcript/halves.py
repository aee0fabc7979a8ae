"""Characters that a stream cut between the two halves of their UTF-16 form, as JavaScript does: made whole again.

Python can't write half a character anywhere: not in UTF-8, not in a page, a file or a terminal. One that never gets its
other half becomes U+FFFD.
"""

from __future__ import annotations

import itertools
from typing import Any

_HIGH = ("\ud800", "\udbff")


def split_end(text: str) -> tuple[str, str]:
    """The text with its halves joined, and the first half of a character that ends it: it waits for the other."""
    cut = text[-1:] if _HIGH[0] <= text[-1:] <= _HIGH[1] else ""
    return joined(text.removesuffix(cut)), cut


def joined(text: str) -> str:
    """The text with its halves joined."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def whole(value: Any) -> Any:
    """The same JSON without halves; the value itself where it has none."""
    return _mended(value) if _has_halves(value) else value


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return joined(value)
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return [_mended(item) for item in value] if isinstance(value, list) else value


def _has_halves(value: Any) -> bool:
    """Looked for in every event, and found in hardly any."""
    if isinstance(value, str):
        return not value.isascii() and joined(value) is not value
    if isinstance(value, dict | list):
        items = itertools.chain(value, value.values()) if isinstance(value, dict) else value
        return any(map(_has_halves, items))
    return False
