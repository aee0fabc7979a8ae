"""What turns changed in the cells of a notebook. Pure data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from opencode_nb.diffs.memory import Restored


@dataclass(frozen=True, slots=True)
class CellChange:
    """What turns changed in one cell: `before` and `after` are its sources, None where it did not exist.

    `notebook` is its path as Jupyter's server names it, `title` what people call the cell ("cell 3"). `moved`: it was
    moved, too. `undone`: all of it is taken back.
    """

    id: str
    notebook: str
    title: str
    before: str | None
    after: str | None
    moved: bool = False
    undone: bool = False


class ChangedCells(Protocol):
    """The cells that some turns changed, and what takes that back. Implemented by `session.kernel.memory.TurnCells`."""

    def listed(self) -> Sequence[CellChange]:
        """Return the cells, in the order in which they were first changed."""

    def switch(self, cells: Sequence[str], *, back: bool) -> Restored:
        """Take back what the turns changed in these cells, by id, or bring it again. Blocking."""


def patch(before: str | None, after: str | None) -> str:
    """Return the changed lines of a cell's source. Its last line has a line break: cells lack it, and patches tell."""
    from opencode_nb.diffs.build import hunks

    return "".join(hunk.text for hunk in hunks(_lines(before), _lines(after)))


def _lines(source: str | None) -> str:
    return f"{source}\n" if source and not source.endswith("\n") else source or ""
