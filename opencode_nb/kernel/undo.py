"""What an undo takes back in this kernel for one session: what its turns changed in memory, and in the cells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opencode_nb.diffs.cells import CellChange
from opencode_nb.diffs.memory import Restored
from opencode_nb.kernel.cells.seen import Seen
from opencode_nb.kernel.cells.taking_over import take_over
from opencode_nb.kernel.cells.tools import Notebook
from opencode_nb.kernel.memory.turns import Turns

if TYPE_CHECKING:
    from opencode_nb.changes.diff import Diff


@dataclass(frozen=True, slots=True)
class Undo:
    """The kernel's memory and the notebook of one session."""

    memory: Turns
    notebook: Notebook

    @property
    def has_changed_cells(self) -> bool:
        """Whether a turn has changed cells of the notebook."""
        return bool(self.notebook.changes)

    async def undo(self, turns: Sequence[str]) -> Restored:
        """Take back what these turns changed: give the latest first."""
        return await self.memory.undo(self._in_memory(turns)) + await self.notebook.changes.undo(turns)

    async def redo(self, turns: Sequence[str]) -> Restored:
        """Bring back what undone turns changed: give the earliest first."""
        return await self.memory.redo(self._in_memory(turns)) + await self.notebook.changes.redo(turns)

    def cells(self, turns: Sequence[str]) -> Sequence[CellChange]:
        """Return what these turns changed in the cells: give the earliest first."""
        return self.notebook.changes.listed(turns)

    async def switch_cells(self, turns: Sequence[str], cells: Sequence[str], *, back: bool) -> Restored:
        """Take back what these turns changed in some cells, or bring it again: give the earliest turn first."""
        changes = self.notebook.changes
        return await (changes.undo(turns[::-1], cells) if back else changes.redo(turns, cells))

    async def take_over(self, turn: str, began: float, diff: Callable[[], Awaitable[Diff]]) -> str:
        """Take over into the open notebook what a turn wrote to its file; return what to tell the user, or ""."""
        editor = replace(self.notebook.editor(turn), seen=Seen())  # what is taken over, the agent has not read
        return await take_over(editor, began, diff)

    def _in_memory(self, turns: Sequence[str]) -> list[str]:
        """Leave out turns that changed cells only: there is no checkpoint of the memory to miss."""
        return [turn for turn in turns if turn in self.memory or turn not in self.notebook.changes]
