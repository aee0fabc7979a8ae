"""Values that are pictures, as PNG files: figures of matplotlib and its kin, PIL images, PNG bytes."""

from __future__ import annotations

import base64
import io
from typing import Any

PNG = b"\x89PNG\r\n\x1a\n"


def is_picture(value: object) -> bool:
    """Return whether a value can be shown as a picture. Runs none of its code."""
    return _drawing(value) is not None or (isinstance(value, bytes) and value.startswith(PNG))


def png_of(value: Any) -> bytes:
    """Return the picture that a value is. Raises TypeError if it is none; its own code may raise anything."""
    if isinstance(value, (bytes, bytearray)) and bytes(value[: len(PNG)]) == PNG:
        return bytes(value)
    drawing: Any = _drawing(value)
    if drawing is None:
        raise TypeError(f"{type(value).__name__} is not a picture: give a figure, an image, PNG bytes or a path.")
    data = _saved(drawing) if _has(drawing, "savefig") else drawing._repr_png_()
    data = data[0] if isinstance(data, tuple) else data
    data = base64.b64decode(data) if isinstance(data, str) else data
    if not isinstance(data, bytes) or not data.startswith(PNG):
        raise TypeError(f"{type(value).__name__} gave no PNG file.")
    return data


def _drawing(value: Any) -> object | None:
    """Return what draws a value: itself, or the figure that a plot stands in."""
    if _has(value, "savefig") or _has(value, "_repr_png_"):
        return value  # type: ignore[no-any-return]
    figure = (
        value.__dict__.get("_parent_figure") or value.__dict__.get("figure") if hasattr(value, "__dict__") else None
    )
    return figure if _has(figure, "savefig") else None


def _has(value: object, method: str) -> bool:
    return not isinstance(value, type) and callable(getattr(type(value), method, None))


def _saved(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
