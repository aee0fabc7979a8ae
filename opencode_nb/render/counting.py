"""Counts results on a terminal: a bar, how many failed, and the time left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

BAR = 30  # characters


def counted(done: int, failed: int, total: int) -> str:
    """Return a line such as "8 of 10 prompts, 2 failed"."""
    line = f"{done:,} of {total:,} prompts"
    return f"{line}, {failed:,} failed" if failed else line


class TerminalBar:
    """A bar on stderr, for the duration of the `with` block."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        columns = (BarColumn(BAR), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._bars = Progress(*columns, console=console or Console(stderr=True))
        self._task = self._bars.add_task("prompts", total=total)
        self._failed = 0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def tell(self, failed: bool) -> None:
        """Count a result."""
        self._failed += failed
        self._bars.update(
            self._task, advance=1, description=f"prompts, {self._failed:,} failed" if self._failed else "prompts"
        )

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Stop the bar for a question."""
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
