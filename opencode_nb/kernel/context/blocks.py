"""Blocks of text for a model: fenced, without colours, shortened in the middle, with secrets masked first. Pure."""

from __future__ import annotations

import re

from opencode_nb.kernel.values.text import fenced
from opencode_nb.secret import mask

LONGEST = 6_000
"""Characters of the longest block; the middle of a longer text is left out."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_HEAD = 0.4
"""Share of a shortened text that is its beginning: errors and results stand at the end."""


def block(text: str, longest: int = LONGEST) -> str:
    """Return a text in a Markdown fence that is longer than any inside it; "" for a blank one."""
    shown = shortened(mask(_ANSI.sub("", text)), longest)
    return fenced(shown.rstrip()) if shown.strip() else ""


def shortened(text: str, longest: int) -> str:
    """Leave out the middle of a text with more characters, and say how much."""
    if len(text) <= longest:
        return text
    head = int(longest * _HEAD)
    tail = longest - head
    return f"{text[:head]}\n… {len(text) - longest:,} characters left out …\n{text[-tail:]}"
