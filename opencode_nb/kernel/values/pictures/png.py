"""PNG files small enough for a model: at most 1,024 pixels a side, without the texts that such files can carry."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Iterator
from typing import Any

SIDE = 1_024
"""Maximum width and height, in pixels."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def size_of(png: bytes) -> tuple[int, int]:
    """Return width and height in pixels. Raises ValueError if this is no PNG file."""
    if not png.startswith(_SIGNATURE) or png[12:16] != b"IHDR":
        raise ValueError("This is not a PNG file.")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def small(png: bytes) -> bytes:
    """Return the picture at most SIDE pixels wide and high, without texts. Raises ValueError if that cannot be done."""
    if max(size_of(png)) <= SIDE:
        return _SIGNATURE + b"".join(_chunks(png))
    try:
        from PIL import Image  # only to make a large picture smaller: a user with pictures has it
    except ImportError:
        raise ValueError(f"A picture of more than {SIDE:,} pixels needs Pillow: install it.") from None
    return from_pil(Image.open(io.BytesIO(png)))


def from_pil(image: Any) -> bytes:
    """Return an image of Pillow's as a PNG file."""
    copy = image.copy()
    copy.thumbnail((SIDE, SIDE))
    written = io.BytesIO()
    plain = sys.modules["PIL.Image"].new("RGBA", copy.size)  # its `info` would be written, too
    plain.paste(copy.convert("RGBA"))
    plain.save(written, "PNG")
    return written.getvalue()


def _chunks(png: bytes) -> Iterator[bytes]:
    """Yield the chunks of a PNG file that hold the picture."""
    at = len(_SIGNATURE)
    while at + 12 <= len(png):
        length = struct.unpack(">I", png[at : at + 4])[0]
        if png[at + 4 : at + 8] in _KEPT:
            yield png[at : at + 12 + length]
        at += 12 + length
