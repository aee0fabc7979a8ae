"""Display a static form that is brought up to date after each cell: for notebooks that run without a page."""

from __future__ import annotations

from collections.abc import Callable

from IPython.core.getipython import get_ipython
from IPython.display import display

from opencode_nb.transcript.state import Json

Bundle = Callable[[], tuple[Json, Json]]
"""Returns a MIME bundle and its metadata."""


def display_static(bundle: Bundle) -> Callable[[], None]:
    """Display `bundle()` in the running cell, and replace it after each cell that changes it; return what ends that."""
    shell = get_ipython()
    shown = bundle()
    handle = display(shown[0], metadata=shown[1], raw=True, display_id=True)
    if shell is None or handle is None:
        return lambda: None

    def update(_result: object) -> None:
        nonlocal shown
        if (now := bundle()) != shown:
            shown = now
            handle.update(shown[0], metadata=shown[1], raw=True)

    shell.events.register("post_run_cell", update)
    return lambda: shell.events.unregister("post_run_cell", update)
