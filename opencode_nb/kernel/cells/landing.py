"""Puts code that the agent ran by `python` into the notebook, with outputs and execution number, as the user chose.

New cells stand below the cell whose prompt waits, one after another; for a panel's prompt, below the selected cell.
What goes to a given cell is added at its end, so that the cell can be run again.
"""

from __future__ import annotations

from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.editing import Editor, RefusedError, UnreachableError
from opencode_nb.kernel.cells.pages import NotebookPage
from opencode_nb.kernel.cells.place import BELOW, CARD
from opencode_nb.tools.tool import Json

NO_PAGE = (
    "The notebook's page cannot be reached, so the agent's code stays in its cards: IPython's next input could hold "
    "the code, but no outputs."
)
NO_CELL = "There is no code cell with the id {!r} in this notebook, so the agent's code stays in its cards."
NOT_TAKEN = (
    "The notebook's page did not answer, or the cell was changed meanwhile, so the agent's code stays in its cards."
)


class NotLandedError(Exception):
    """Code that was not put into the notebook. Its text says why, to people and to the agent."""


class Landing:
    """Where the code of one turn lands: `place`, and at first below the cell `after`, "" for the selected one."""

    def __init__(self, turn: str, place: str, after: str) -> None:
        self.turn, self._place, self._after = turn, place, after
        self._outputs: list[Json] = []  # of the given cell

    @property
    def in_card_only(self) -> bool:
        """Whether nothing is to be put into the notebook."""
        return self._place == CARD

    def stay_in_card(self) -> None:
        """Put nothing into the notebook from now on."""
        self._place = CARD

    async def land(self, editor: Editor, code: str, outputs: list[Json], number: int) -> Cell:
        """Put code that ran into the notebook; return its cell. Raises NotLandedError."""
        put = self._below if self._place == BELOW else self._at_end
        try:
            return await put(editor, await editor.page(), code, outputs, number)
        except UnreachableError:
            raise NotLandedError(NO_PAGE) from None
        except RefusedError:
            raise NotLandedError(NOT_TAKEN) from None

    async def _below(self, editor: Editor, page: NotebookPage, code: str, outputs: list[Json], number: int) -> Cell:
        ran = {"outputs": outputs, "execution_count": number, "metadata": {"trusted": True}}  # as what the user runs
        after = self._after or await editor.selected(page)
        cell = await editor.insert_ran(page, {"cell_type": "code", "source": code, **ran}, after)
        self._after = cell.id
        return cell

    async def _at_end(self, editor: Editor, page: NotebookPage, code: str, outputs: list[Json], number: int) -> Cell:
        now = await editor.now(page, self._place)
        if now is None or now.type != "code":
            raise NotLandedError(NO_CELL.format(self._place))
        source = f"{now.source.rstrip()}\n\n{code}" if now.source.strip() else code
        self._outputs += outputs
        return await editor.show(await editor.edit(now.id, source), self._outputs, number)
