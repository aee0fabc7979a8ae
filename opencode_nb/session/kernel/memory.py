"""The kernel's part of undo and redo. A session does not know the kernel: the kernel gives it a `Memory`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from opencode_nb.api.verifying import refuse_acts
from opencode_nb.portal import run
from opencode_nb.tools.names import CELL_CHANGES, own_tool
from opencode_nb.transcript.state import Json, TurnState

if TYPE_CHECKING:
    from opencode_nb.changes.diff import Diff
    from opencode_nb.diffs.cells import CellChange
    from opencode_nb.diffs.memory import Restored

GONE = "Nothing was restored in the kernel: it was restarted since, or another one ran the code."

CHANGING = frozenset({"python", "run_cell", *CELL_CHANGES})
"""The kernel's tools that change its memory, or its notebook's cells."""


class Memory(Protocol):
    """Takes back and brings again what turns changed in a kernel. Implemented by `kernel.undo.Undo`."""

    @property
    def has_changed_cells(self) -> bool:
        """Whether turns have changed cells of the notebook, which only a reached page takes back."""

    async def undo(self, turns: Sequence[str]) -> Restored:
        """Take back what these turns changed, the latest first."""

    async def redo(self, turns: Sequence[str]) -> Restored:
        """Bring back what these turns changed, the earliest first."""

    def cells(self, turns: Sequence[str]) -> Sequence[CellChange]:
        """Return what these turns, the earliest first, changed in the notebook's cells."""

    async def switch_cells(self, turns: Sequence[str], cells: Sequence[str], *, back: bool) -> Restored:
        """Take back what these turns, the earliest first, changed in these cells, or bring it again."""

    async def take_over(self, turn: str, began: float, diff: Callable[[], Awaitable[Diff]]) -> str:
        """Take over into the open notebook what a turn wrote to its file since then, in seconds since the epoch.

        Return what to tell the user, or "".
        """


@dataclass(frozen=True, slots=True)
class TurnCells:
    """The cells that some turns, the earliest first, changed."""

    memory: Memory
    turns: Sequence[str]

    @classmethod
    def of(cls, memory: Memory | None, turns: Iterable[TurnState]) -> TurnCells | None:
        """Return those of these turns; None without a kernel that changed any."""
        return cls(memory, [turn.id for turn in turns]) if memory is not None else None

    def listed(self) -> Sequence[CellChange]:
        """Return the cells, in the order in which they were first changed."""
        return self.memory.cells(self.turns)

    def switch(self, cells: Sequence[str], *, back: bool) -> Restored:
        """Take back what the turns changed in these cells, by id, or bring it again. Blocking."""
        refuse_acts()
        return run(self.memory.switch_cells, self.turns, cells, back=back)


async def restore(memory: Memory | None, undoing: Sequence[TurnState], redoing: Sequence[TurnState]) -> Restored | None:
    """Undo and redo turns in the kernel; None if none of them ran code there."""
    back = [turn.id for turn in reversed(undoing) if _ran_code(turn)]
    again = [turn.id for turn in redoing if _ran_code(turn)]
    if not back and not again:
        return None
    if memory is None:
        from opencode_nb.diffs.memory import Restored

        return Restored(note=GONE)
    return await memory.undo(back) + await memory.redo(again)


def _ran_code(turn: TurnState) -> bool:
    return bool(turn.kernel) or any(_may_have_changed(part) for part in turn.parts)


def _may_have_changed(part: Json) -> bool:
    """Whether a call may have changed something: code that raised may have, a cell's change that failed has not."""
    tool, status = own_tool(str(part.get("tool") or "")), (part.get("state") or {}).get("status")
    return tool == "python" or (tool in CHANGING and status == "completed")
