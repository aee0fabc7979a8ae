"""Insert a cell where no page can be reached: as the next input, which the front end shows after the running cell.

Terminals and consoles put it at their next prompt, JupyterLab into a new cell below. IPython keeps one for each cell
that runs.
"""

from __future__ import annotations

from functools import partial

from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.editing import NO_PAGE, RefusedError
from opencode_nb.kernel.running import main_thread
from opencode_nb.session.permissions.jobs import served_on_main

INSERTED = (
    "The notebook's page cannot be reached, so the code becomes the user's next input, wherever it was to stand: at "
    "their next prompt, or in a new cell below the one that runs now, once that has ended. Nothing has run it."
)
ONLY_CODE = f"{NO_PAGE} Without it only code can be inserted, as the user's next input."
ONLY_ONE = (
    "Not inserted: without the notebook's page there is one next input, and you have set it. Put all code into one."
)


class NextInput:
    """The next input of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._set_by = -1  # the number of the running cell

    async def insert(self, source: str, kind: str) -> Cell:
        """Set the next input; return a cell without an id. Raises RefusedError if there is none, or it is set."""
        if not self._is_shown:
            raise RefusedError(NO_PAGE)
        if kind != "code":
            raise RefusedError(ONLY_CODE)
        if self._set_by == self._shell.execution_count:
            raise RefusedError(ONLY_ONE)
        self._set_by = self._shell.execution_count
        await main_thread.run(partial(self._shell.set_next_input, source))
        return Cell("", 0, kind, source)

    @property
    def _is_shown(self) -> bool:
        """Whether a prompt waits whose front end listens: headless runs (nbclient, papermill) drop the next input."""
        kernel = getattr(self._shell, "kernel", None)
        return served_on_main() is not None and bool(getattr(kernel, "_allow_stdin", True))
