"""Change cells through the page. Whatever the user has changed since the agent read it stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opencode_nb.kernel.cells import cell as cells
from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.changes import Changes
from opencode_nb.kernel.cells.pages import Find, NoPageError, NotebookPage
from opencode_nb.kernel.cells.seen import Seen
from opencode_nb.tools.tool import Json

NO_PAGE = (
    "The notebook's page cannot be reached, so its cells were not changed: it is closed, or this kernel cannot hear it "
    "now. Code still runs by `python`. To have cells changed, ask the user to open the notebook in JupyterLab and to "
    "run %opencode chat in it."
)
NO_ANSWER = "The page did not answer, so it is not known whether this was done. Read the cells again."
NOT_READ = "Read the cell with `cells` before you change it: there is none with the id {!r} among those you have read."
GONE = "There is no cell with the id {!r} any more: the user deleted it. Read the cells again."


class RefusedError(Exception):
    """A change that was not made. `now` is the cell as it is, if it is not as the agent has read it."""

    def __init__(self, why: str, now: Cell | None = None) -> None:
        super().__init__(why)
        self.now = now


class UnreachableError(RefusedError):
    """No page with the notebook can be reached."""

    def __init__(self) -> None:
        super().__init__(NO_PAGE)


@dataclass(frozen=True, slots=True)
class Editor:
    """Changes cells for one turn: `seen` is what its agent has read; `changes` notes what undoes it.

    `find` returns the page of the turn's notebook, None if it cannot be reached.
    """

    turn: str
    seen: Seen
    changes: Changes
    find: Find

    async def page(self) -> NotebookPage:
        """Return the page of the notebook. Raises UnreachableError if there is none."""
        page = await self.find()
        if page is None:
            raise UnreachableError
        return page

    def known(self, cell_id: Any) -> Cell:
        """Return a cell as the agent has read it. Raises RefusedError if it has not."""
        known = self.seen.get(cell_id) if isinstance(cell_id, str) else None
        if known is None:
            raise RefusedError(NOT_READ.format(cell_id))
        return known

    async def edit(self, cell_id: Any, source: str) -> Cell:
        """Replace a cell's source; return the cell."""
        known = self.known(cell_id)
        page = await self.page()
        now = await self._changed(page, "edit", known, source=source)
        self.changes.edited(self.turn, page, known, now)
        return now

    async def insert(self, page: NotebookPage, source: str, kind: str, place: Json) -> Cell:
        """Insert a cell into a page's notebook at `{index}` or `{after: id}`, else at the end; return it."""
        new = self._told(await self._ask(page, "insert", source=source, type=kind, **place), str(place.get("after")))
        self.changes.inserted(self.turn, page, new)
        return new

    async def insert_ran(self, page: NotebookPage, json: Json, after: str) -> Cell:
        """Insert a cell as nbformat has it, with its outputs, after another, or at the end without one; return it."""
        answer = await self._ask(page, "insert", json=json, **({"after": after} if after else {}))
        if after and answer.get("refused") == "gone":
            return await self.insert_ran(page, json, "")
        new = self._told(answer, after)
        self.changes.inserted(self.turn, page, new)
        return new

    async def delete(self, cell_id: Any) -> Cell:
        """Delete a cell; return it as it was."""
        known = self.known(cell_id)
        page = await self.page()
        answer = await self._ask(page, "delete", cell=known.id, expected=known.source)
        gone = self._told(answer, known.id)
        self.seen.forget(known.id)
        self.changes.deleted(self.turn, page, gone, dict(answer["cell"].get("json") or {}))
        return gone

    async def move(self, cell_id: Any, index: int) -> Cell:
        """Move a cell to an index; return it."""
        known = self.known(cell_id)
        page = await self.page()
        answer = await self._ask(page, "move", cell=known.id, expected=known.source, index=index)
        moved = self._told(answer, known.id)
        self.changes.moved(self.turn, page, moved, int(answer.get("from") or 0))
        return moved

    async def is_as_read(self, known: Cell) -> None:
        """Check that a cell is as the agent has read it. Raises RefusedError if not."""
        now = await self._now(await self.page(), known.id)
        if now is None:
            raise RefusedError(GONE.format(known.id))
        if now.source != known.source:
            raise self._conflict(now)

    async def now(self, page: NotebookPage, cell_id: str) -> Cell | None:
        """Return a cell as it is now, which counts as read; None if there is none with this id."""
        found = await self._now(page, cell_id)
        if found is not None:
            self.seen.note([found])
        return found

    async def _now(self, page: NotebookPage, cell_id: str) -> Cell | None:
        listed = (await self._ask(page, "cells", ids=[cell_id])).get("cells")
        return cells.of_page(listed[0]) if listed else None

    async def selected(self, page: NotebookPage) -> str:
        """Return the id of the last selected cell; "" if none is."""
        chosen = (await self._ask(page, "cells", ids=[])).get("selected")
        return str(chosen[-1]) if chosen else ""

    async def show(self, known: Cell, outputs: list[Json], count: int) -> Cell:
        """Show what running a cell came to as its outputs; return the cell."""
        page = await self.page()
        return await self._changed(page, "outputs", known, outputs=outputs, count=count)

    async def _changed(self, page: NotebookPage, op: str, known: Cell, **fields: Any) -> Cell:
        return self._told(await self._ask(page, op, cell=known.id, expected=known.source, **fields), known.id)

    async def _ask(self, page: NotebookPage, op: str, **fields: Any) -> Json:
        try:
            return await page.ask(op, **fields)
        except NoPageError:
            raise RefusedError(NO_ANSWER) from None

    def _told(self, answer: Json, cell_id: str) -> Cell:
        """Return the cell that an answer tells of, and note it. Raises RefusedError if nothing was changed."""
        refused = answer.get("refused")
        if refused == "changed":
            raise self._conflict(cells.of_page(answer.get("cell")))
        if refused == "gone":
            raise RefusedError(GONE.format(cell_id))
        if refused:
            raise RefusedError(f"The page refused it: {refused}.")
        told = cells.of_page(answer.get("cell"))
        self.seen.note([told])
        return told

    def _conflict(self, now: Cell) -> RefusedError:
        """The agent is told how the cell is now, and so has read it."""
        self.seen.note([now])
        return RefusedError("Nothing was changed: the user has changed this cell since you read it.", now)
