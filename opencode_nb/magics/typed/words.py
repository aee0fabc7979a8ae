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


def words(line: str) -> list[str]:
    """Return the words, without the quotes and backslashes that group them."""
    return [_plain(word[0]) for word in typed(line)]


def _plain(word: str) -> str:
    return _PIECE.sub(_inside, word)


def _inside(piece: re.Match[str]) -> str:
    double, single, escaped = piece["double"], piece["single"], piece["escaped"]
    return _ESCAPED.sub(r"\1", double) if double is not None else single or escaped or ""
