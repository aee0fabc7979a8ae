"""Keeps the head and the tail of a text that may be endless, without what only a terminal understands. Pure."""

from __future__ import annotations

import re

HEAD = 8_000
TAIL = 4_000
"""Characters kept of the beginning and the end of one text."""

MORE = "To see more, print less at a time, or put it in a variable and print a part of it."

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class Clip:
    """A text that grows by `write`, of which only the head and the tail are kept."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._most, self._least = head, tail
        self._head, self._tail, self._left_out = "", "", 0

    def write(self, text: str) -> None:
        """Append text."""
        room = self._most - len(self._head)
        if room > 0:
            self._head += text[:room]
            text = text[room:]
        if text:
            tail = self._tail + text if len(text) < self._least else text
            self._left_out += len(self._tail) + len(text) - min(len(tail), self._least)
            self._tail = tail[-self._least :]

    def text(self) -> str:
        """Return what is kept, with a note of what is not."""
        note = f"\n[… {self._left_out:,} characters left out. {MORE}]\n" if self._left_out else ""
        return self._head + note + self._tail


def clipped(text: str, head: int = HEAD, tail: int = TAIL) -> str:
    """Return the head and the tail of a text."""
    clip = Clip(head, tail)
    clip.write(text)
    return clip.text()


def plain(text: str) -> str:
    """Return the text without colours, and with what carriage returns overwrote left out, as in a progress bar."""
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
