"""Keeps the figures that the agent's code leaves open apart from those that the user's cell has open."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """In the body, the user's open figures are out of pyplot's sight: a backend that shows and closes all spares them.

    Figures that the body opens and does not close stay open.
    """
    before = dict(_table())
    _table().clear()
    try:
        yield
    finally:
        for number, manager in before.items():
            _table().setdefault(number, manager)


def left_open() -> list[Any]:
    """Return the figures that pyplot has open."""
    return [manager.canvas.figure for manager in _table().values()]


def _table() -> dict[Any, Any]:
    """Return pyplot's table of open figures; an empty one if pyplot is not imported."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    return helpers.Gcf.figs if helpers is not None else {}
