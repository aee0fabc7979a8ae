"""The agent's tools for the notebook's cells: cells, edit_cell, insert_cell, delete_cell, move_cell and run_cell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from weakref import WeakValueDictionary

from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.kernel.cells import cell as cells
from opencode_nb.kernel.cells import disk, file, outputs, pages, preview, reading
from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.changes import Changes
from opencode_nb.kernel.cells.editing import Editor, RefusedError, UnreachableError
from opencode_nb.kernel.cells.landing import Landing, NotLandedError
from opencode_nb.kernel.cells.next_input import INSERTED, NextInput
from opencode_nb.kernel.cells.pages import NoPageError, NotebookPage
from opencode_nb.kernel.cells.place import CARD
from opencode_nb.kernel.cells.seen import Seen
from opencode_nb.kernel.running.execution import Ran
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.tool import Call, Json, Result, Tool

TYPES = ("code", "markdown", "raw")

FROM_DISK = "The page cannot be reached: this is the file as it was saved last, and its cells cannot be changed."
NO_NOTEBOOK = "No notebook can be read: no page with it can be reached, and its file is not known."

NOT_SHOWN = "The code has run; do not run it again. Its outputs could not be shown below the cell:"
IN_NOTEBOOK = "In the notebook, this code is cell {}, id={}."
NOT_IN_NOTEBOOK = "The code has run; do not run it again. It is not in the notebook:"
BY_USER = " The user changed your source before accepting it. What was written:\n"
NOT_AS_SHOWN = "Not done: the user was not shown the cell as you know it now. Call the tool again."

_ID = {"type": "string", "description": "the cell's id, as `cells` lists it"}
_SOURCE = {"type": "string", "description": "the whole source of the cell"}
_INDEX = {"type": "integer", "minimum": 0, "description": "where the cell is to stand, counted from 0"}
_OWN = (
    "Changes the notebook that the user has open, and can be undone there. Never edit the .ipynb file instead. Refused "
    "if the user has changed the cell since you read it."
)


Warn = Callable[[str, str, str], None]


class CellTools:
    """The tools, and what each session's agent has read and changed. Use on the package's loop.

    `warn` tells people something with a turn, from the ids of session and turn.
    """

    def __init__(self, shell: InteractiveShell, runner: Runner, warn: Warn = lambda *_told: None) -> None:
        self._shell, self._runner, self._warn = shell, runner, warn
        self._next_input = NextInput(shell)
        self._notebooks: WeakValueDictionary[str, Notebook] = WeakValueDictionary()

    def of(self, session: str) -> Notebook:
        """Return what is known for a session. Whoever wants it to last keeps it."""
        known = self._notebooks.get(session)
        if known is None:
            known = self._notebooks[session] = Notebook(session)
        return known

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools as they are offered."""
        return (
            _tool(
                "cells",
                "Read the cells of the user's open notebook: index, id, type, execution number, source and outputs, "
                "and which are selected. All of them if there is room, else their first lines: then ask by ids or "
                "by `start` and `stop`.",
                self._cells,
                (),
                None,
                ids={"type": "array", "items": {"type": "string"}},
                start={"type": "integer", "minimum": 0, "description": "the first index, counted from 0"},
                stop={"type": "integer", "minimum": 0, "description": "the index after the last"},
            ),
            self._changing(
                "edit_cell",
                f"Replace the source of a cell that you have read. {_OWN}",
                lambda editor, given: editor.edit(given.get("id"), given["source"]),
                "Edited",
                ("id", "source"),
                id=_ID,
                source=_SOURCE,
            ),
            self._changing(
                "insert_cell",
                f"Insert a cell at an index, or after another cell; at the end without either. {_OWN}",
                self._insert,
                "Inserted",
                ("source",),
                source=_SOURCE,
                index=_INDEX,
                after={"type": "string", "description": "the id of the cell before it"},
                type={"type": "string", "enum": list(TYPES), "description": "code by default"},
            ),
            self._changing(
                "delete_cell",
                f"Delete a cell that you have read. {_OWN}",
                lambda editor, given: editor.delete(given.get("id")),
                "Deleted",
                ("id",),
                id=_ID,
            ),
            self._changing(
                "move_cell",
                f"Move a cell that you have read. {_OWN}",
                lambda editor, given: editor.move(given.get("id"), given["index"]),
                "Moved",
                ("id", "index"),
                id=_ID,
                index=_INDEX,
            ),
            _tool(
                "run_cell",
                "Run a code cell that you have read, in the user's kernel, as `python` does; its outputs are shown "
                "below the cell.",
                self._run,
                ("id",),
                partial(self._preview, "run_cell", ("id",)),
                id=_ID,
            ),
        )

    def _changing(
        self,
        name: str,
        about: str,
        change: Callable[[Editor, Json], Awaitable[Cell]],
        done: str,
        required: tuple[str, ...],
        **arguments: Json,
    ) -> Tool:
        async def call(made: Call) -> Result:
            if problem := _problem(made.arguments, required):
                return _failed(name, problem)
            book = self.of(made.session)
            before = book.seen.get(str(made.arguments.get("id")))
            try:
                book.check_shown(made, before)
                cell = await _to_its_end(change(book.editor(made.turn), made.arguments))
            except RefusedError as error:
                return _refused(name, error)
            told = f"{done}: {cell.index} id={cell.id} {cell.type}." if cell.id else INSERTED
            pieces = [Piece(told, Level.NAMES)]
            if made.edited:
                pieces += [Piece(BY_USER, Level.NAMES), Piece(cell.source)]
            return Result(Outgoing(name, tuple(pieces)), shown=preview.of_change(name, before, cell))

        tool = _tool(name, about, call, required, partial(self._preview, name, required), **arguments)
        return replace(tool, guard=file.GUARD) if name == "edit_cell" else tool

    async def _insert(self, editor: Editor, given: Json) -> Cell:
        kind = given.get("type", "code")
        try:
            page = await editor.page()
        except UnreachableError:
            return await self._next_input.insert(given["source"], kind)
        return await editor.insert(page, given["source"], kind, _place(given))

    def _preview(self, name: str, required: tuple[str, ...], made: Call) -> tuple[Json, ...]:
        book = self.of(made.session)
        book.note_shown(made)
        return () if _problem(made.arguments, required) else preview.of_request(name, book.seen, made.arguments)

    # -- reading ---------------------------------------------------------------------------------------------------

    async def _cells(self, call: Call) -> Result:
        ids, start, stop = (call.arguments.get(name) for name in ("ids", "start", "stop"))
        if problem := _range_problem(ids, start, stop):
            return _failed("cells", problem)
        asked: Json = {"ids": ids, "from": start, "to": stop}
        book = self.of(call.session)
        found = await book.from_page({key: value for key, value in asked.items() if value is not None})
        found = found or await self._from_disk(book, ids, start, stop)
        if found is None:
            return _failed("cells", NO_NOTEBOOK)
        return Result(book.told(*found))

    # -- running ---------------------------------------------------------------------------------------------------

    async def _run(self, call: Call) -> Result:
        book = self.of(call.session)
        editor = book.editor(call.turn)
        try:
            known = editor.known(call.arguments.get("id"))
            book.check_shown(call, known)
            if known.type != "code":
                return _failed("run_cell", f"This is a {known.type} cell: only code can be run.")
            await editor.is_as_read(known)
            shown = preview.of_request("run_cell", book.seen, call.arguments)
        except RefusedError as error:
            return _refused("run_cell", error)
        number = self._shell.execution_count
        ran = await self._runner.run(known.source, session=call.session, turn=call.turn)
        outgoing = ran.outgoing
        try:
            await editor.show(known, outputs.of(ran.blocks, number), number)
        except RefusedError as error:  # it ran all the same: the agent must not run it again
            outgoing = outgoing.with_note(f"{NOT_SHOWN} {error}")
        return Result(outgoing, ran.failed, (*shown, *ran.blocks), ran.interrupted_by_user)

    async def land(self, call: Call, code: str, ran: Ran) -> Ran:
        """Put code that `python` ran where the user wants it; return what the agent is told of both."""
        book = self.of(call.session)
        landing = book.landing(call.turn)
        if landing.in_card_only or not ran.ended:
            return ran
        number, editor = self._shell.execution_count, book.editor(call.turn)
        try:
            cell = await _to_its_end(landing.land(editor, code.strip("\n"), outputs.of(ran.blocks, number), number))
        except NotLandedError as error:  # said once: the rest of the turn's code stays in its cards
            landing.stay_in_card()
            self._warn(call.session, call.turn, str(error))
            return ran.with_note(f"{NOT_IN_NOTEBOOK} {error}")
        return ran.with_note(IN_NOTEBOOK.format(cell.index, cell.id))

    async def _from_disk(
        self, book: Notebook, ids: Any, start: int | None, stop: int | None
    ) -> tuple[str, list[Cell]] | None:
        found = await disk.read({*book.seen.ids, disk.running_cell(self._shell)} - {""})
        if found is None:
            return None
        path, every = found
        chosen = [cell for cell in every if cell.id in ids] if ids is not None else every[start or 0 : stop]
        return reading.heading(path, len(every), [], FROM_DISK), chosen


class Notebook:
    """What the agent of one session has read of the notebook, and what its turns have changed there."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.seen = Seen()
        self.changes = Changes(self._page_at)
        self._cell, self._place = "", CARD
        self._landing = Landing("", CARD, "")
        self._shown: dict[str, str | None] = {}  # call -> the source that its request showed, None if it showed none

    def editor(self, turn: str) -> Editor:
        """Return what changes cells for a turn."""
        return Editor(turn, self.seen, self.changes, self.page)

    async def page(self) -> NotebookPage | None:
        """Return the page of the notebook that the latest prompt was sent from; None if it cannot be reached."""
        return await pages.find(self.session, cell=self._cell)

    async def _page_at(self, path: str) -> NotebookPage | None:
        """Return the page of the notebook that had this path, which may have been renamed since."""
        named = await pages.find(self.session, file=PurePosixPath(path).name)
        return named or await pages.find(self.session)

    def sent(self, cell: str, place: str) -> None:
        """Note that a prompt is sent: from which cell, "" if from a panel, and where its code is to stand."""
        self._cell, self._place = cell, place

    def landing(self, turn: str) -> Landing:
        """Return where the code of a turn lands."""
        if self._landing.turn != turn:
            self._landing = Landing(turn, self._place, self._cell)
        return self._landing

    def note_shown(self, call: Call) -> None:
        """Note what people are shown with a call's request."""
        known = self.seen.get(str(call.arguments.get("id")))
        self._shown[call.id] = known.source if known else None

    def check_shown(self, call: Call, known: Cell | None) -> None:
        """Raise RefusedError if the cell is not what people were shown: other calls have read or changed it since."""
        if call.id in self._shown and self._shown.pop(call.id) != (known.source if known else None):
            raise RefusedError(NOT_AS_SHOWN)

    async def from_page(self, asked: Json) -> tuple[str, list[Cell]] | None:
        """Return a heading and the cells that are asked for, from the page; None if it cannot be reached."""
        page = await self.page()
        if page is None:
            return None
        try:
            answer = await page.ask("cells", text=reading.OUTPUT_CHARACTERS, images=True, **asked)
        except NoPageError:
            return None
        listed = [cells.of_page(one) for one in answer.get("cells") or []]
        return reading.heading(page.path, int(answer.get("total") or 0), answer.get("selected") or [], ""), listed

    def told(self, heading: str, listed: list[Cell]) -> Outgoing:
        """Return what the agent is told of cells, within limits; those that it is told in full count as read."""
        listing = reading.Listing(heading)
        for cell in listed:
            listing.add(cell)
        self.seen.note(listing.full)
        return Outgoing("cells", tuple(listing.pieces), tuple(listing.images))


async def _to_its_end(change: Awaitable[Cell]) -> Cell:
    """Wait for a change. It goes on if nobody waits any more: a page may have made it, and its undo has to be noted."""
    task = asyncio.ensure_future(change)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # retrieved, if nobody waits
    return await asyncio.shield(task)


def _tool(
    name: str,
    about: str,
    call: Callable[[Call], Awaitable[Result]],
    /,
    required: tuple[str, ...],
    preview: Callable[[Call], tuple[Json, ...]] | None,
    **arguments: Json,
) -> Tool:
    """Return a tool; one with a preview asks."""
    schema: Json = {"type": "object", "properties": arguments, "required": list(required)}
    return Tool(name, about, schema | {"additionalProperties": False}, call, asks=preview is not None, preview=preview)


def _place(given: Json) -> Json:
    return {key: given[key] for key in ("index", "after") if given.get(key) is not None}


def _problem(given: Json, required: tuple[str, ...]) -> str:
    """Return what is wrong with a call's arguments; "" if nothing is."""
    texts = [name for name in ("id", "source", "after") if name in given and not isinstance(given[name], str)]
    if missing := [name for name in required if name not in given] or texts:
        return f"`{missing[0]}` is missing, or no text."
    index = given.get("index", 0)
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        return "`index` is a number from 0."
    if given.get("type", "code") not in TYPES:
        return f"`type` is one of {', '.join(TYPES)}."
    return "Give `index` or `after`, not both." if {"index", "after"} <= given.keys() else ""


def _range_problem(ids: Any, start: Any, stop: Any) -> str:
    numbers = [one for one in (start, stop) if one is not None]
    if any(not isinstance(one, int) or one < 0 for one in numbers):
        return "`start` and `stop` are numbers from 0."
    if ids is not None and not (isinstance(ids, list) and all(isinstance(one, str) for one in ids)):
        return "`ids` is a list of cell ids."
    return ""


def _failed(tool: str, why: str) -> Result:
    return Result(Outgoing(tool, (Piece(why, Level.NONE),)), failed=True)


def _refused(tool: str, error: RefusedError) -> Result:
    """Tell why nothing was changed, and how the cell is now."""
    pieces = [Piece(str(error), Level.NAMES)]
    if error.now is not None:
        pieces += [Piece(" It now reads:\n", Level.NAMES), Piece(error.now.source)]
    return Result(Outgoing(tool, tuple(pieces)), failed=True)
