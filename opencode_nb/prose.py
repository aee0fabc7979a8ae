"""Tell prose from code in a prompt: what stands in backticks or in a fence is code, and means only itself. Pure."""

from __future__ import annotations

import re

_CODE = re.compile(r"(`{3,}|~{3,}).*?(?:\1|\Z)|`[^`\n]*`", re.DOTALL)


def without_code(text: str) -> str:
    """Return the text with spaces in place of its code; everything else keeps its place."""
    return _CODE.sub(lambda found: " " * len(found[0]), text)
