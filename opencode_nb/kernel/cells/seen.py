"""What the agent of each session knows of the cells: the source of each as it last read or wrote it.

A change is refused where the cell is no longer so: then the user has changed it, and nothing of that may get lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from opencode_nb.kernel.cells.cell import Cell

MOST = 2_000
"""Cells remembered for a session; the oldest are forgotten, and have to be read again."""


class Seen:
    """The cells that the agent of one session has read."""

    def __init__(self) -> None:
        self._cells: dict[str, Cell] = {}

    def note(self, cells: Iterable[Cell]) -> None:
        """Note that the agent now knows these cells."""
        for cell in cells:
            self._cells.pop(cell.id, None)
            self._cells[cell.id] = cell
        for cell_id in list(self._cells)[:-MOST]:
            del self._cells[cell_id]

    def forget(self, cell_id: str) -> None:
        """Note that a cell is gone."""
        self._cells.pop(cell_id, None)

    @property
    def ids(self) -> Iterable[str]:
        """The ids of the cells that it has read."""
        return self._cells.keys()

    def get(self, cell_id: str) -> Cell | None:
        """Return a cell as the agent knows it; None if it has not read it."""
        return self._cells.get(cell_id)
