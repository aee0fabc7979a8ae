"""Draw figures and images of matplotlib, plotly and Pillow, and what has `_repr_png_`, as PNG files."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable
from typing import Any

from opencode_nb.kernel.values.attributes import stored
from opencode_nb.kernel.values.kinds import is_of
from opencode_nb.kernel.values.pictures import png


def drawer(value: object) -> Callable[[Any], bytes] | None:
    """Return the function that draws a value; None if it is no figure."""
    known = (draw for module, of, draw in _DRAWERS if is_of(value, module, (of,)))
    method = stored(type(value), "_repr_png_")
    return next(known, _own if callable(method) else None)


def _matplotlib(value: Any) -> bytes:
    written, inches = io.BytesIO(), max(value.get_size_inches())
    value.savefig(written, format="png", dpi=min(value.dpi, png.SIDE / inches))
    return png.small(written.getvalue())


def _plotly(value: Any) -> bytes:
    return png.small(value.to_image(format="png"))


def _own(value: Any) -> bytes:
    return png.small(decoded(type(value)._repr_png_(value)))


_DRAWERS: tuple[tuple[str, str, Callable[[Any], bytes]], ...] = (
    ("matplotlib.figure", "Figure", _matplotlib),
    ("matplotlib.axes", "Axes", lambda axes: _matplotlib(axes.get_figure())),
    ("PIL.Image", "Image", png.from_pil),
    ("plotly.basedatatypes", "BaseFigure", _plotly),
)
"""(module, its type, the function that draws it)."""


def decoded(data: object) -> bytes:
    """Return the bytes of a picture in a MIME bundle: they may be there as they are, or in base64."""
    if isinstance(data, bytes):
        return data
    try:
        return base64.b64decode(data) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        return b""
