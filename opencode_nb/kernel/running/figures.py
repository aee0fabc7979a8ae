"""Keeps the figures that the agent's code leaves open apart from those that the user's cell has open."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def apart(show: Callable[[Any], None]) -> Iterator[None]:
    """In the body, the user's open figures are out of pyplot's sight: a backend that shows and closes all spares them.

    Figures that the body opened and did not close are given to `show`; they stay open.
    """
    before = _take()
    try:
        yield
        for manager in list(_open().values()):
            show(manager.canvas.figure)
    finally:
        for number, manager in before.items():
            _open().setdefault(number, manager)


def _open() -> dict[Any, Any]:
    """Return pyplot's table of open figures; an empty one if pyplot is not imported."""
    pyplot_helpers = sys.modules.get("matplotlib._pylab_helpers")
    return pyplot_helpers.Gcf.figs if pyplot_helpers is not None else {}


def _take() -> dict[Any, Any]:
    taken = dict(_open())
    _open().clear()
    return taken
