"""Makes PNG files of figures and of displayed images: encoded here, and no larger than a model needs."""

from __future__ import annotations

import base64
import binascii
import io
import struct
import sys
from typing import Any

LARGEST = 1_024
"""Pixels of an image's longer side, at most."""

MOST_BYTES = 2_000_000
"""Bytes of a PNG file that is passed on without being encoded anew, where Pillow is missing."""

_PNG = b"\x89PNG\r\n\x1a\n"


def is_figure(value: object) -> bool:
    """Whether a value is a figure of matplotlib's. Never imports it."""
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    return isinstance(figure, type) and isinstance(value, figure)


def of_figure(figure: Any) -> bytes:
    """Return a figure as a PNG file. Raises what drawing raises."""
    buffer = io.BytesIO()
    longest = max(figure.get_size_inches())
    dpi = min(figure.get_dpi(), LARGEST / longest)
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", facecolor=figure.get_facecolor())
    return of_bytes(buffer.getvalue()) or buffer.getvalue()


def of_data(data: object) -> bytes | None:
    """Return a displayed image, in base64 or bytes, as a PNG file; None if it cannot be read."""
    if isinstance(data, str):
        try:
            data = base64.b64decode(data)
        except (binascii.Error, ValueError):
            return None
    return of_bytes(data) if isinstance(data, bytes) else None


def of_bytes(data: bytes) -> bytes | None:
    """Return an image as a PNG file of at most LARGEST pixels a side; None if that cannot be done."""
    try:
        from PIL import Image
    except ImportError:
        return _checked(data)
    try:
        with Image.open(io.BytesIO(data)) as opened:
            image = opened.convert("RGBA")
    except Exception:  # whatever a decoder raises, down to a bomb of pixels: not an image to pass on
        return None
    image.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _checked(data: bytes) -> bytes | None:
    """Without Pillow, return a PNG file as it is if it is small enough."""
    if not data.startswith(_PNG) or len(data) < 24 or len(data) > MOST_BYTES:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return data if max(width, height) <= LARGEST else None
