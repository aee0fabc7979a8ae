"""The elements that streamed Markdown makes on the page: blocks, growing lists and tables, and open code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from markdown_it.token import Token

from opencode_nb.render.markup.patch_ops import keyed


@dataclass(slots=True)
class Node:
    """An element for the page: its parent's key, tags and content; once sent, also its `key` and spliced `source`."""

    parent: str
    head: str
    inner: str
    tail: str
    key: str = ""
    source: str = ""

    @property
    def html(self) -> str:
        """The whole element."""
        return f"{self.head}{self.inner}{self.tail}"

    def fits(self, other: Node) -> bool:
        """Return whether changing the content turns this element into the other."""
        return (self.parent, self.head) == (other.parent, other.head)


@dataclass(slots=True)
class Container:
    """A list or table on the page that may grow; `prefix` is what the parser must see before the items."""

    key: str
    opening: Token
    head: str
    tail: str
    prefix: str
    source: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    loose: bool = False

    @property
    def parent(self) -> str:
        """The key of the element that the items are in."""
        return f"{self.key}b" if self.prefix else self.key

    @property
    def html(self) -> str:
        """The container with its finished items."""
        return f"{self.head}{''.join(self.items)}{self.tail}"

    def keyed(self, items: str) -> str:
        """Return the container with its keys, around these items."""
        if not self.prefix:
            return keyed(f"{self.head}{items}{self.tail}", self.key)
        head = self.head.removesuffix("<tbody>") + keyed("<tbody>", self.parent)
        return keyed(f"{head}{items}{self.tail}", self.key)


@dataclass(slots=True)
class Fence:
    """An open code block, which only grows. `partial` counts the shown characters of the incomplete line."""

    key: str
    end: re.Pattern[str]
    indent: int
    source: list[str]
    code: list[str] = field(default_factory=list)
    partial: int = 0
