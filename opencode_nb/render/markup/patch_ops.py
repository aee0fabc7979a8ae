"""The operations that the page understands, and how to send only what changed of a string. See wire_protocol.json."""

from __future__ import annotations

import re
from typing import Any

from opencode_nb.render.markup.escape import Html, escape

Op = list[Any]
"""One increment for the page: `[name, key, ...]` with the names put, text, splice and drop."""

_CHUNK = 256
_FIRST_TAG = re.compile(r"<[a-z0-9]+")


def put(key: str, parent: str, html: str, before: str = "") -> Op:
    """Replace the node with that key, or append it to `parent`, or insert it before `before`; `html` has no key yet."""
    op = ["put", key, parent, keyed(html, key)]
    return [*op, before] if before else op


def keyed(html: str, key: str) -> Html:
    """One element's markup with `data-key` added."""
    return Html(_FIRST_TAG.sub(lambda match: f'{match[0]} data-key="{escape(key)}"', html, count=1))


def splice(key: str, old: str, new: str) -> Op:
    """Make a node's content `new`; `old` is what splices have made it since it was put, or ""."""
    keep = shared(old, new)
    return ["splice", key, utf16_length(new[:keep]), new[keep:]]


def shared(old: str, new: str) -> int:
    """How many characters two strings have in common at their beginning."""
    limit = min(len(old), len(new))
    start = 0
    while start < limit and old[start : start + _CHUNK] == new[start : start + _CHUNK]:
        start += _CHUNK
    while start < limit and old[start] == new[start]:
        start += 1
    return min(start, limit)


def utf16_length(text: str) -> int:
    """How long JavaScript takes a string to be."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
