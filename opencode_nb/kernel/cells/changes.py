"""What turns changed in the notebook's cells, to take it back and bring it again.

Each change is undone by its opposite, in the reverse order, with the cell as the turn left it: a cell that the user has
changed since is left alone, and named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from opencode_nb.diffs.cells import CellChange
from opencode_nb.diffs.memory import Restored
from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.pages import NoPageError, NotebookPage
from opencode_nb.tools.tool import Json

KEPT = 50
"""Number of turns whose changes are kept."""

_NO_PAGE = "the notebook's page cannot be reached"
_OTHER_PATH = "the notebook was renamed, or the page shows another one"
_REASONS = {
    "gone": "it was deleted since",
    "changed": "it was changed since",
    "there": "it is there again already",
}

FindAt = Callable[[str], Awaitable[NotebookPage | None]]


@dataclass(slots=True)
class Step:
    """One change: the cell and its source before and after, and the requests that undo and redo it.

    `before` is None for a new cell, `after` for a deleted one.
    """

    cell: Cell
    path: str
    before: str | None
    after: str | None
    back: Json
    again: Json
    is_undone: bool = False


class Changes:
    """The changes of one session's turns. `find` returns the page of the notebook at a path."""

    def __init__(self, find: FindAt) -> None:
        self._find = find
        self._steps: dict[str, list[Step]] = {}

    def __contains__(self, turn: object) -> bool:
        return turn in self._steps

    def __bool__(self) -> bool:
        return bool(self._steps)

    # -- noting ----------------------------------------------------------------------------------------------------

    def edited(self, turn: str, page: NotebookPage, before: Cell, after: Cell) -> None:
        """Note that a cell's source was replaced."""
        same = {"op": "edit", "cell": before.id}
        back = {**same, "expected": after.source, "source": before.source}
        again = {**same, "expected": before.source, "source": after.source}
        self._note(turn, Step(after, page.path, before.source, after.source, back, again))

    def inserted(self, turn: str, page: NotebookPage, cell: Cell) -> None:
        """Note that a cell was inserted."""
        json = {"id": cell.id, "cell_type": cell.type, "source": cell.source, "metadata": {}}
        back = {"op": "delete", "cell": cell.id, "expected": cell.source}
        again = {"op": "insert", "index": cell.index, "json": json}
        self._note(turn, Step(cell, page.path, None, cell.source, back, again))

    def deleted(self, turn: str, page: NotebookPage, cell: Cell, json: Json) -> None:
        """Note that a cell was deleted; `json` is all of it."""
        again = {"op": "delete", "cell": cell.id, "expected": cell.source}
        back = {"op": "insert", "index": cell.index, "json": json}
        self._note(turn, Step(cell, page.path, cell.source, None, back, again))

    def moved(self, turn: str, page: NotebookPage, cell: Cell, origin: int) -> None:
        """Note that a cell was moved to where it is, from an index."""
        same = {"op": "move", "cell": cell.id, "expected": cell.source}
        back, again = {**same, "index": origin}, {**same, "index": cell.index}
        self._note(turn, Step(cell, page.path, cell.source, cell.source, back, again))

    def _note(self, turn: str, step: Step) -> None:
        self._steps.setdefault(turn, []).append(step)
        while len(self._steps) > KEPT:
            del self._steps[next(iter(self._steps))]

    def listed(self, turns: Sequence[str]) -> list[CellChange]:
        """Return what these turns changed, by cell: give the earliest first. From any thread."""
        cells: dict[str, list[Step]] = {}
        for turn in turns:
            for step in list(self._steps.get(turn, ())):
                cells.setdefault(step.cell.id, []).append(step)
        return [joined for steps in cells.values() if (joined := _joined(steps)) is not None]

    # -- undoing ---------------------------------------------------------------------------------------------------

    async def undo(self, turns: Sequence[str], cells: Collection[str] | None = None) -> Restored:
        """Take back what these turns changed, in all cells or some: give the latest first."""
        return await self._switch(turns, cells, back=True)

    async def redo(self, turns: Sequence[str], cells: Collection[str] | None = None) -> Restored:
        """Bring back what undone turns changed, in all cells or some: give the earliest first."""
        return await self._switch(turns, cells, back=False)

    async def _switch(self, turns: Sequence[str], cells: Collection[str] | None, *, back: bool) -> Restored:
        """Undo or redo the steps of these turns; one that is refused stays as it is."""
        every = (step for turn in turns for step in self._in_order(turn, back=back) if step.is_undone is not back)
        pages: dict[str, NotebookPage | None] = {}
        result = Restored()
        for step in [step for step in every if cells is None or step.cell.id in cells]:
            if step.path not in pages:
                pages[step.path] = await self._find(step.path)
            done = await _done(pages[step.path], step, step.back if back else step.again)
            step.is_undone = back if done.restored else step.is_undone
            result += done
        return result

    def _in_order(self, turn: str, *, back: bool) -> Iterator[Step]:
        steps = self._steps.get(turn, [])
        return reversed(steps) if back else iter(steps)


def _joined(steps: Sequence[Step]) -> CellChange | None:
    """Return the changes of one cell as one; None if nothing is left of them."""
    first, last = steps[0], steps[-1]
    moved = any(step.back["op"] == "move" for step in steps)
    if first.before == last.after and not (moved and last.after is not None):
        return None
    undone = all(step.is_undone for step in steps)
    return CellChange(last.cell.id, last.path, last.cell.title, first.before, last.after, moved, undone)


async def _done(page: NotebookPage | None, step: Step, request: Json) -> Restored:
    """Make a change; say whether it was made. What it deletes is kept with all its outputs, to be inserted again."""
    if page is None:
        return Restored(refused=((step.cell.title, _NO_PAGE),))
    if request["op"] == "insert" and page.path != step.path:  # others name their cell, and find it in no other notebook
        return Restored(refused=((step.cell.title, _OTHER_PATH),))
    answer: Json = {"refused": _NO_PAGE}
    with contextlib.suppress(NoPageError):
        answer = await page.ask(**request)
    if refused := answer.get("refused"):
        return Restored(refused=((step.cell.title, _REASONS.get(str(refused), str(refused))),))
    if request["op"] == "delete" and isinstance(whole := answer["cell"].get("json"), dict):
        (step.again if request is step.back else step.back)["json"] = whole
    return Restored(restored=(step.cell.title,))
