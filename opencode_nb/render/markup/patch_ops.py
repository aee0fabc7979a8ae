"""The operations the page understands, and how to send only the changed part of a string. See wire_protocol.json."""

from __future__ import annotations

import re
from typing import Any

from opencode_nb.render.markup.escape import Html, escape

Op = list[Any]
"""One increment for the page: `[name, key, ...]`, where the name is put, text, splice or drop."""

_CHUNK = 256
_FIRST_TAG = re.compile(r"<[a-z0-9]+")


def put(key: str, parent: str, html: str, before: str = "") -> Op:
    """Replace the node with that key, append it to `parent` or insert it before `before`; adds the key to `html`."""
    op = ["put", key, parent, keyed(html, key)]
    return [*op, before] if before else op


def keyed(html: str, key: str) -> Html:
    """Add `data-key` to an element's markup."""
    return Html(_FIRST_TAG.sub(lambda match: f'{match[0]} data-key="{escape(key)}"', html, count=1))


def splice(key: str, old: str, new: str) -> Op:
    """Set a node's content to `new`; `old` is its content from earlier splices, "" after a put."""
    keep = shared(old, new)
    return ["splice", key, utf16_length(new[:keep]), new[keep:]]


def shared(old: str, new: str) -> int:
    """Return the length of the common prefix of two strings."""
    limit = min(len(old), len(new))
    start = 0
    while start < limit and old[start : start + _CHUNK] == new[start : start + _CHUNK]:
        start += _CHUNK
    while start < limit and old[start] == new[start]:
        start += 1
    return min(start, limit)


def utf16_length(text: str) -> int:
    """Return the length of a string in JavaScript."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
