"""Compare two pictures by their pixels. With Pillow, which who draws has; without it, by the rows of PNG files."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

CHANNEL = 8
"""Difference of a colour, of 255, below which a pixel is the same: what nobody sees."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")


def difference(before: bytes, after: bytes) -> str:
    """Return in words how two pictures differ; "" if their pixels are the same."""
    if before == after:
        return ""
    try:
        from PIL import Image
    except ImportError:
        return "" if _rows(before) == _rows(after) else "Its pixels differ."
    try:
        old, new = (Image.open(io.BytesIO(data)).convert("RGBA") for data in (before, after))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return "" if _rows(before) == _rows(after) else "It differs, and cannot be read as a picture."
    if old.size != new.size:
        return f"It had {_size(old)} pixels, and has {_size(new)}."
    differ = _differing(old, new)
    return f"{differ:,} of its {old.width * old.height:,} pixels differ." if differ else ""


def _size(image: Any) -> str:
    return f"{image.width} × {image.height}"


def _differing(old: Any, new: Any) -> int:
    """Count the pixels that differ in any channel."""
    from PIL import ImageChops

    first, *others = ImageChops.difference(old, new).split()
    most = first
    for other in others:
        most = ImageChops.lighter(most, other)
    return sum(most.histogram()[CHANNEL + 1 :])


def _rows(data: bytes) -> bytes:
    """Return what draws a PNG file's picture, without its texts; any other data as it is."""
    try:
        chunks = list(_chunks(data)) if data.startswith(_SIGNATURE) else []
        rows = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT")) if chunks else data
    except (struct.error, zlib.error):
        return data
    return b"".join([*(body for kind, body in chunks if kind != b"IDAT"), rows])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind in _PICTURE:
            yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length
