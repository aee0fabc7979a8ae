"""What turns changed in the notebook's cells, to take it back and bring it again.

Each change is undone by its opposite, in the reverse order, with the cell as the turn left it: a cell that the user has
changed since is left alone, and named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

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

Find = Callable[[], Awaitable[NotebookPage | None]]


@dataclass(slots=True)
class Step:
    """One change: the requests that undo and redo it, and how people call the cell."""

    title: str
    path: str
    back: Json
    again: Json
    is_undone: bool = False


class Changes:
    """The changes of one session's turns. `find` returns the page that shows the session."""

    def __init__(self, find: Find) -> None:
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
        self._note(turn, page, after, back, {**same, "expected": before.source, "source": after.source})

    def inserted(self, turn: str, page: NotebookPage, cell: Cell) -> None:
        """Note that a cell was inserted."""
        json = {"id": cell.id, "cell_type": cell.type, "source": cell.source, "metadata": {}}
        back = {"op": "delete", "cell": cell.id, "expected": cell.source}
        self._note(turn, page, cell, back, {"op": "insert", "index": cell.index, "json": json})

    def deleted(self, turn: str, page: NotebookPage, cell: Cell, json: Json) -> None:
        """Note that a cell was deleted; `json` is all of it."""
        again = {"op": "delete", "cell": cell.id, "expected": cell.source}
        self._note(turn, page, cell, {"op": "insert", "index": cell.index, "json": json}, again)

    def moved(self, turn: str, page: NotebookPage, cell: Cell, origin: int) -> None:
        """Note that a cell was moved to where it is, from an index."""
        same = {"op": "move", "cell": cell.id, "expected": cell.source}
        self._note(turn, page, cell, {**same, "index": origin}, {**same, "index": cell.index})

    def _note(self, turn: str, page: NotebookPage, cell: Cell, back: Json, again: Json) -> None:
        self._steps.setdefault(turn, []).append(Step(cell.title, page.path, back, again))
        while len(self._steps) > KEPT:
            del self._steps[next(iter(self._steps))]

    # -- undoing ---------------------------------------------------------------------------------------------------

    async def undo(self, turns: Sequence[str]) -> Restored:
        """Take back what these turns changed: give the latest first."""
        return await self._switch(turns, back=True)

    async def redo(self, turns: Sequence[str]) -> Restored:
        """Bring back what undone turns changed: give the earliest first."""
        return await self._switch(turns, back=False)

    async def _switch(self, turns: Sequence[str], *, back: bool) -> Restored:
        """Undo or redo the steps of these turns; one that is refused stays as it is."""
        steps = [step for turn in turns for step in self._in_order(turn, back=back) if step.is_undone is not back]
        if not steps:
            return Restored()
        page, result = await self._find(), Restored()
        for step in steps:
            done = await _done(page, step, step.back if back else step.again)
            step.is_undone = back if done.restored else step.is_undone
            result += done
        return result

    def _in_order(self, turn: str, *, back: bool) -> Iterator[Step]:
        steps = self._steps.get(turn, [])
        return reversed(steps) if back else iter(steps)


async def _done(page: NotebookPage | None, step: Step, request: Json) -> Restored:
    """Make a change; say whether it was made. What it deletes is kept with all its outputs, to be inserted again."""
    if page is None:
        return Restored(refused=((step.title, _NO_PAGE),))
    if request["op"] == "insert" and page.path != step.path:  # others name their cell, and find it in no other notebook
        return Restored(refused=((step.title, _OTHER_PATH),))
    answer: Json = {"refused": _NO_PAGE}
    with contextlib.suppress(NoPageError):
        answer = await page.ask(**request)
    if refused := answer.get("refused"):
        return Restored(refused=((step.title, _REASONS.get(str(refused), str(refused))),))
    if request["op"] == "delete" and isinstance(whole := answer["cell"].get("json"), dict):
        (step.again if request is step.back else step.back)["json"] = whole
    return Restored(restored=(step.title,))
