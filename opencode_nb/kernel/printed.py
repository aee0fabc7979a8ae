"""What the cells of a shell printed and displayed, where IPython keeps it (9 and newer)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from IPython.core.interactiveshell import InteractiveShell


def printed(shell: InteractiveShell, number: int) -> str | None:
    """Return what a cell printed and displayed, as text; None if this IPython does not keep it."""
    kept: Any = getattr(shell.history_manager, "outputs", None)
    return "".join(_texts(kept.get(number, ()))) if kept is not None else None


@contextlib.contextmanager
def unrecorded(shell: InteractiveShell) -> Iterator[None]:
    """Keep what the body prints out of what IPython records as printed by the current cell."""
    number, kept = shell.execution_count, getattr(shell.history_manager, "outputs", {})
    before = list(kept.get(number, ()))
    try:
        yield
    finally:
        kept.pop(number, None)
        if before:
            kept[number] = before


def _texts(outputs: Any) -> Iterator[str]:
    for output in list(outputs):
        bundle = output.bundle
        if output.output_type in ("out_stream", "err_stream"):
            yield "".join(map(str, bundle.get("stream", ())))
        elif output.output_type == "display_data":
            yield f"{bundle.get('text/plain', '')}\n"
