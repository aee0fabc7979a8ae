"""Show the progress of a long step: a bar in a terminal, a line of text elsewhere."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

__all__ = ["TerminalProgress", "progress_line"]

BAR = 20  # characters
MEGABYTE = 1_000_000


def progress_line(step: str, done: int, total: int | None) -> str:
    """Return the step and its progress in bytes as text: "Downloading x  [####----]  30 of 60 MB"."""
    if total:
        full = BAR * min(done, total) // total
        return f"{step}  [{'#' * full}{'-' * (BAR - full)}]  {done // MEGABYTE} of {total // MEGABYTE} MB"
    return f"{step}  {done // MEGABYTE} MB" if done >= MEGABYTE else f"{step}…"


class TerminalProgress:
    """A progress bar on a terminal for the current step, for the duration of the `with` block."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(BAR), DownloadColumn(), TransferSpeedColumn())
        self._bars = Progress(*columns, console=console, transient=True)
        self._task: TaskID | None = None
        self._step = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def tell(self, step: str, done: int, total: int | None) -> None:
        """Show the progress of `step`; the previous step has ended."""
        if self._task is None or step != self._step:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task, self._step = self._bars.add_task(escape(step), total=total), step
        self._bars.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
