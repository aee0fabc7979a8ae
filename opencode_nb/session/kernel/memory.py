"""The kernel's part of undo and redo. A session does not know the kernel: the kernel gives it a `Memory`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from opencode_nb.tools.names import own_tool
from opencode_nb.transcript.state import Json, TurnState

if TYPE_CHECKING:
    from opencode_nb.diffs.memory import Restored

GONE = "Nothing was restored in the kernel: it was restarted since, or another one ran the code."

CHANGING = frozenset({"python", "run_cell", "edit_cell", "insert_cell", "delete_cell", "move_cell"})
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
