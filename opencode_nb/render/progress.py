"""How far a long step is: a bar in a terminal, one line of text elsewhere."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

__all__ = ["TerminalProgress", "progress_line"]

BAR = 20  # characters
MEGABYTE = 1_000_000


def progress_line(step: str, done: int, total: int | None) -> str:
    """The step, and how many of its bytes are done, as text: "Downloading x  [####----]  30 of 60 MB"."""
    if total:
        full = BAR * min(done, total) // total
        return f"{step}  [{'#' * full}{'-' * (BAR - full)}]  {done // MEGABYTE} of {total // MEGABYTE} MB"
    return f"{step}  {done // MEGABYTE} MB" if done >= MEGABYTE else f"{step}…"


class TerminalProgress:
    """A bar on a terminal, for the step that runs, for as long as the `with` block lasts."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(BAR), DownloadColumn(), TransferSpeedColumn())
        self._bars = Progress(*columns, console=console, transient=True)
        self._task: TaskID | None = None
        self._step = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def tell(self, step: str, done: int, total: int | None) -> None:
        """Show how far `step` is; the step before has ended."""
        if self._task is None or step != self._step:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task, self._step = self._bars.add_task(escape(step), total=total), step
        self._bars.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
