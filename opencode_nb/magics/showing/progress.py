"""Show the progress of a long step: an updating line in a page, a bar in a terminal, else one line per step."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from IPython.core.getipython import get_ipython
from IPython.display import display

from opencode_nb.magics.showing.frontend import Frontend, detect

Tell = Callable[[str, int, int | None], None]


@contextlib.contextmanager
def progress() -> Iterator[Tell]:
    """Yield a function to call with (step, bytes done, total bytes or None) inside the block."""
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


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Yield a function to call with each step in words. It is one line that changes, and is gone in the end.

    Headless runs show nothing: their output is kept.
    """
    shell = get_ipython()
    frontend = detect(shell) if shell is not None else Frontend.HEADLESS
    if frontend is Frontend.PAGE:
        shown = display({"text/plain": ""}, raw=True, display_id=True)
        try:
            yield lambda step: shown.update({"text/plain": f"{step}…"}, raw=True)
        finally:
            shown.update({"text/plain": ""}, raw=True)
    elif frontend is Frontend.TERMINAL and sys.stdout.isatty():
        from rich.console import Console

        with Console().status("") as status:
            yield lambda step: status.update(f"{step}…")
    else:
        yield lambda step: None


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
