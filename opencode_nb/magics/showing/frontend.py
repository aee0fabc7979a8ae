"""Detect where a cell's output goes: a page with widgets, a terminal, or a headless run."""

from __future__ import annotations

import sys
from enum import Enum

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell


class Frontend(Enum):
    """A kind of front end that displays turns."""

    PAGE = "page"
    TERMINAL = "terminal"
    HEADLESS = "headless"


def detect(shell: InteractiveShell | None) -> Frontend:
    """Return the front end of the running cell. One without stdin (nbclient, papermill) counts as headless."""
    if shell is None:
        return Frontend.PAGE if _in_marimo() else Frontend.TERMINAL
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return Frontend.TERMINAL
    return Frontend.PAGE if getattr(kernel, "_allow_stdin", True) else Frontend.HEADLESS


def _in_marimo() -> bool:
    """Return whether this is a marimo cell: marimo has widgets but no IPython."""
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


def in_page() -> bool:
    """Return whether a cell runs whose output goes to a page."""
    shell = get_ipython()
    return shell is not None and detect(shell) is Frontend.PAGE


def can_ask() -> bool:
    """Return whether the running cell can ask the user for input."""
    shell = get_ipython()
    if shell is None or detect(shell) is Frontend.HEADLESS:
        return False
    return detect(shell) is Frontend.PAGE or sys.stdin.isatty()
