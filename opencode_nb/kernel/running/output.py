"""What code printed, displayed and evaluated to, in order: as blocks for the card, and as text for the model."""

from __future__ import annotations

import base64
import html
from typing import Any

from opencode_nb.kernel.running import tables
from opencode_nb.kernel.running.clip import Clip, clipped, plain

Json = dict[str, Any]

MOST_BLOCKS = 30
MOST_IMAGES = 4
TEXT_HEAD = 16_000
TEXT_TAIL = 8_000
"""Characters of one call's output for the model, at most."""

TABLE = "application/x-opencode-nb-table"
"""The key of a `table` block in a MIME bundle, inside this process."""


class Output:
    """Collects output on the main thread; nothing here runs code of the user's."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, Any]] = []
        self._ids: dict[str, int] = {}
        self._left_out = 0
        self.images: list[bytes] = []

    def write(self, kind: str, text: str) -> None:
        """Add printed text of kind "stdout" or "stderr"."""
        if not (self._entries and self._entries[-1][0] == kind):
            self._add(kind, Clip())
        last = self._entries[-1]
        if last[0] == kind:
            last[1].write(text)

    def error(self, text: str) -> None:
        """Add a traceback."""
        self._add("error", clipped(text), most=MOST_BLOCKS + 1)

    def bundle(self, data: Json, *, display_id: str = "", is_update: bool = False) -> None:
        """Add what was displayed, or replace what was displayed under this id before."""
        kind, content = self._of(data)
        if not kind:
            return
        if is_update and display_id in self._ids:
            self._entries[self._ids[display_id]] = (kind, content)
            return
        if self._add(kind, content) and display_id:
            self._ids[display_id] = len(self._entries) - 1

    def clear(self) -> None:
        """Forget everything so far, as `clear_output` does."""
        self._entries.clear()
        self._ids.clear()
        self.images.clear()

    def _of(self, data: Json) -> tuple[str, Any]:
        if TABLE in data:
            return "table", data[TABLE]
        image = data.get("image/png")
        if isinstance(image, bytes):
            return self._image(image)
        text = data.get("text/plain")
        return ("value", clipped(plain(text))) if isinstance(text, str) and text else ("", None)

    def _image(self, png: bytes) -> tuple[str, Any]:
        """Keep an image; drop one that is here already: a figure displayed, and then left open, is one."""
        if png in self.images:
            return "", None
        if len(self.images) == MOST_IMAGES:
            return "value", f"[An image is left out: a call returns at most {MOST_IMAGES}.]"
        self.images.append(png)
        return "image", png

    def _add(self, kind: str, content: Any, most: int = MOST_BLOCKS) -> bool:
        if len(self._entries) >= most:
            self._left_out += 1
            return False
        self._entries.append((kind, content))
        return True

    @property
    def blocks(self) -> list[Json]:
        """Return the blocks for the card."""
        blocks = [_block(kind, content) for kind, content in self._entries]
        return [block for block in blocks if block.get("text") != ""] + self._note()

    def _note(self) -> list[Json]:
        note = f"[… {self._left_out:,} further outputs left out.]"
        return [{"kind": "stderr", "text": note}] if self._left_out else []

    @property
    def text(self) -> str:
        """Return all of it as text for the model; images stand beside it."""
        return clipped("\n".join(filter(None, map(_text, self.blocks))), TEXT_HEAD, TEXT_TAIL)


def _block(kind: str, content: Any) -> Json:
    if kind == "table":
        return dict(content)
    if kind == "image":
        return {"kind": kind, "png": base64.b64encode(content).decode("ascii")}
    text = plain(content.text()) if isinstance(content, Clip) else content
    return {"kind": kind, "text": text}


def _text(block: Json) -> str:
    match block["kind"]:
        case "table":
            return tables.as_text(block)
        case "image":
            return "[image]"
        case "stderr":
            return f"[stderr]\n{block['text'].rstrip()}"
        case _:
            return str(block["text"]).rstrip()


def page_text(data: object) -> str:
    """Return the text that IPython would show in its pager, as for `name?`."""
    if isinstance(data, dict):
        data = data.get("text/plain") or html.unescape(str(data.get("text/html", "")))
    return plain(str(data))
