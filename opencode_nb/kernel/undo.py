"""What an undo takes back in this kernel for one session: what its turns changed in memory, and in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opencode_nb.diffs.memory import Restored
from opencode_nb.kernel.cells.tools import Notebook
from opencode_nb.kernel.memory.turns import Turns


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

    def _in_memory(self, turns: Sequence[str]) -> list[str]:
        """Leave out turns that changed cells only: there is no checkpoint of the memory to miss."""
        return [turn for turn in turns if turn in self.memory or turn not in self.notebook.changes]
