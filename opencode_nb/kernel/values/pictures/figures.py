"""The tool figure: a figure or image of the kernel as a PNG file for a model, by name or the last shown."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping

from opencode_nb.kernel.values.bounds.bounded import within
from opencode_nb.kernel.values.describe import is_hidden, message_of
from opencode_nb.kernel.values.kinds import kind
from opencode_nb.kernel.values.paths import PathError, resolve
from opencode_nb.kernel.values.pictures import png
from opencode_nb.kernel.values.pictures.drawing import drawer
from opencode_nb.kernel.values.pictures.last_shown import LastShown
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
        found = within(SECONDS, lambda: resolve(path, namespace, own))
    except PathError as error:
        return _failed(*error.pieces)
    except TimeoutError:
        return _failed(_said("Reading it took too long."))
    if any(is_hidden(name, found.value) for name in found.names if isinstance(name, str)):
        return _failed(_said(f"The name of `{path}` suggests a secret, so it is not shown."))
    return drawn(f"`{path}`", found.root, found.value, own_code=own_code)


def _last(last: LastShown, *, own_code: bool) -> Result:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if last.value is not None:
        return drawn("The picture shown last", "figure", last.value, own_code=own_code)
    if last.png:
        return _result("figure", "The picture shown last", png.small(last.png))
    if pyplot is not None and pyplot.get_fignums():
        return drawn("The current figure", "figure", pyplot.gcf(), own_code=own_code)
    return _failed(_said("No figure was shown yet. Name a variable that holds one."))


def drawn(name: str, root: str, value: object, *, own_code: bool) -> Result:
    """Draw a value; `name` is how the model reads of it, `root` the ledger. The result has failed if it cannot be."""
    draw = drawer(value)
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
        return _failed(_said(f"It could not be drawn: {type(error).__name__}"), Piece(f": {message_of(error)}"))
    return _result(root, f"{name}, a `{kind(value)}`", picture)


_KNOWN = "Name one of matplotlib, plotly or Pillow, or a value with `_repr_png_`."


def _result(about: str, what: str, picture: bytes) -> Result:
    width, height = png.size_of(picture)
    said = Piece(f"{what}: {width} x {height} pixels.", Level.NAMES)
    block = {"kind": "image", "png": base64.b64encode(picture).decode()}
    return Result(Outgoing(about, (said,), (picture,)), shown=(block,))


def _failed(*pieces: Piece) -> Result:
    return Result(Outgoing("figure", pieces), failed=True)


def _said(text: str) -> Piece:
    return Piece(text, Level.NAMES)
