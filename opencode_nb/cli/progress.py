"""Show an installation's progress on stderr: a bar on a terminal, else one line per step."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Tell = Callable[[str, int, int | None], None]


@contextlib.contextmanager
def progress() -> Iterator[Tell]:
    """Yield a function to call with (step, bytes done, total bytes or None) inside the block."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console

    from opencode_nb.render.progress import TerminalProgress

    with TerminalProgress(Console(stderr=True)) as bar:
        yield bar.tell


def _lines() -> Tell:
    told: set[str] = set()

    def tell(step: str, _done: int, _total: int | None) -> None:
        if step not in told:
            told.add(step)
            print(step, file=sys.stderr, flush=True)

    return tell
