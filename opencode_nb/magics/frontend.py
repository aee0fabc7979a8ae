"""Where the output of a cell goes: a page with widgets, a terminal, or a file that nobody watches."""

from __future__ import annotations

import sys
from enum import Enum

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell


class Frontend(Enum):
    """The kinds of front-end that a turn is shown in."""

    PAGE = "page"
    TERMINAL = "terminal"
    HEADLESS = "headless"


def detect(shell: InteractiveShell | None) -> Frontend:
    """The front-end of the cell that runs now. Who cannot be asked (nbclient, papermill) does not watch either."""
    if shell is None:
        return Frontend.PAGE if _in_marimo() else Frontend.TERMINAL
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return Frontend.TERMINAL
    return Frontend.PAGE if getattr(kernel, "_allow_stdin", True) else Frontend.HEADLESS


def _in_marimo() -> bool:
    """Whether this is a cell of marimo, which has widgets and no IPython."""
    marimo = sys.modules.get("marimo")
    return marimo is not None and bool(marimo.running_in_notebook())


def can_ask() -> bool:
    """Whether somebody can be asked in the cell that runs now."""
    shell = get_ipython()
    if shell is None or detect(shell) is Frontend.HEADLESS:
        return False
    return detect(shell) is Frontend.PAGE or sys.stdin.isatty()
