"""Turn figures and images of the kernel into PNG files for a model."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable, Mapping
from typing import Any

from opencode_nb.kernel.values import png
from opencode_nb.kernel.values.attributes import stored
from opencode_nb.kernel.values.bounded import within
from opencode_nb.kernel.values.describe import is_hidden
from opencode_nb.kernel.values.kinds import is_of, kind
from opencode_nb.kernel.values.last_shown import LastShown, decoded
from opencode_nb.kernel.values.paths import PathError, resolve
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.tool import Result

SECONDS = 8.0
"""How long drawing a figure may take, in seconds."""


def figure(
    path: str, namespace: Mapping[str, object], own: Mapping[str, object], last: LastShown, *, own_code: bool
) -> Result:
    """Return the figure at a path, or the one that was shown last if the path is empty."""
    if not path:
        return _last(last, own_code=own_code)
    try:
        found = resolve(path, namespace, own)
    except PathError as error:
        return _failed(*error.pieces)
    if any(is_hidden(name, found.value) for name in found.names if isinstance(name, str)):
        return _failed(_said(f"The name of `{path}` suggests a secret, so it is not shown."))
    return drawn(path, found.root, found.value, own_code=own_code)


def _last(last: LastShown, *, own_code: bool) -> Result:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if last.png:
        return _result("figure", "The picture shown last", png.small(last.png))
    if pyplot is not None and pyplot.get_fignums():
        return drawn("The current figure", "figure", pyplot.gcf(), own_code=own_code)
    return _failed(_said("No figure was shown yet. Name a variable that holds one."))


def is_figure(value: object) -> bool:
    """Whether a value can be drawn. Runs none of its code."""
    return _drawer(value) is not None


def drawn(name: str, root: str, value: object, *, own_code: bool) -> Result:
    """Draw a value that is known as `name`, and counts as `root` in the ledger; the result fails if that fails."""
    draw = _drawer(value)
    if draw is None:
        return _failed(_said(f"A `{kind(value)}` is not a figure. {_KNOWN}"))
    if not own_code:
        return _failed(_said("The kernel is computing: ask again later, drawing a figure needs its main thread."))
    try:
        picture = within(SECONDS, lambda: draw(value))
    except TimeoutError:
        return _failed(_said(f"Drawing it took more than {SECONDS:g} s."))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the user's own code, or a library that lacks another
        return _failed(_said(f"It could not be drawn: {type(error).__name__}"), Piece(f": {str(error)[:300]}"))
    return _result(root, f"`{name}`, a `{kind(value)}`", picture)


_KNOWN = "Name one of matplotlib, plotly or Pillow, or a value with `_repr_png_`."


def _drawer(value: object) -> Callable[[Any], bytes] | None:
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


def _result(about: str, what: str, picture: bytes) -> Result:
    width, height = png.size_of(picture)
    said = Piece(f"{what}: {width} x {height} pixels.", Level.NAMES)
    block = {"kind": "image", "png": base64.b64encode(picture).decode()}
    return Result(Outgoing(about, (said,), (picture,)), shown=(block,))


def _failed(*pieces: Piece) -> Result:
    return Result(Outgoing("figure", pieces), failed=True)


def _said(text: str) -> Piece:
    return Piece(text, Level.NAMES)
