"""How a long step is told in a cell: a line that changes in a page, a bar in a terminal, else a line for each step."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from IPython.core.getipython import get_ipython
from IPython.display import display

from opencode_nb.magics.frontend import Frontend, detect

Tell = Callable[[str, int, int | None], None]


@contextlib.contextmanager
def progress() -> Iterator[Tell]:
    """What to call with (step, bytes done, bytes in all or None), for as long as the block lasts."""
    shell = get_ipython()
    frontend = detect(shell) if shell is not None else Frontend.HEADLESS
    if frontend is Frontend.PAGE:
        yield _updating_line()
    elif frontend is Frontend.TERMINAL and sys.stdout.isatty():
        from rich.console import Console

        from opencode_nb.render.progress import TerminalProgress

        with TerminalProgress(Console()) as bar:
            yield bar.tell
    else:
        yield _lines()


def _updating_line() -> Tell:
    from opencode_nb.render.progress import progress_line

    shown = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda step, done, total: shown.update({"text/plain": progress_line(step, done, total)}, raw=True)


def _lines() -> Tell:
    told: set[str] = set()

    def tell(step: str, _done: int, _total: int | None) -> None:
        if step not in told:
            told.add(step)
            print(f"{step}…")  # noqa: T201

    return tell
