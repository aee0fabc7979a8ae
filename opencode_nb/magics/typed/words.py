"""Split a magic's line into words. Quotes and backslashes group, but an apostrophe is only an apostrophe. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PIECE = re.compile(
    r"""(?<!\w)"(?P<double>(?:\\.|[^"\\])*)"(?!\w) | (?<!\w)'(?P<single>[^']*)'(?!\w) | \\(?P<escaped>.)""",
    re.DOTALL | re.VERBOSE,
)
"""What groups. A quotation neither opens after a letter (`it's`) nor closes before one (`'tis 5 o'clock`)."""

_WORD = re.compile(rf"(?:{_PIECE.pattern} | \S)+", re.DOTALL | re.VERBOSE)
_ESCAPED = re.compile(r'\\(["\\])')


def typed(line: str) -> Iterator[re.Match[str]]:
    """Yield the words as they are typed."""
    return _WORD.finditer(line)


def expression(word: str) -> str:
    """Return a Python expression that is typed as one word: without the quotes around all of it, but with its own."""
    return plain(word) if _PIECE.fullmatch(word) else word.replace("\\ ", " ")


def plain(word: str) -> str:
    """Return a word without the quotes and backslashes that group it."""
    return _PIECE.sub(_inside, word)


def _inside(piece: re.Match[str]) -> str:
    double, single, escaped = piece["double"], piece["single"], piece["escaped"]
    return _ESCAPED.sub(r"\1", double) if double is not None else single or escaped or ""
