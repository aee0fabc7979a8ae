"""Find the fenced code blocks of an answer's Markdown, in one pass over its lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*(?:\{\.?)?([^\s`{},]*)")


class Block(NamedTuple):
    """A fenced block: its `language` ("r" for `{r, echo=FALSE}`, "" if none is named), its text, whether it ends."""

    language: str
    text: str
    closed: bool


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks in order; the last one may have no end yet."""
    fence, language, lines = "", "", list[str]()
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if not fence:
            if found:
                fence, language, lines = found[1], found[2].lower(), []
        elif found and found[1].startswith(fence) and line.strip() == found[1]:
            yield Block(language, "".join(lines), closed=True)
            fence = ""
        else:
            lines.append(line)
    if fence:
        yield Block(language, "".join(lines), closed=False)
