"""What is known of the cells that the user ran: their sources and values, the last one, and the last error.

IPython keeps sources and values by number; the rest is noted when a cell ends. What a cell printed is known where
IPython keeps it (9 and newer). Cells that are prompts do not count: the session has them already.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from opencode_nb.kernel.context.traceback_text import error_text
from opencode_nb.kernel.printed import printed

_OURS = re.compile(r"\s*%%?(?:prompt|opencode)\b")


@dataclass(frozen=True)
class Cell:
    """A cell that ran: its number, its source as written, and the error that ended it."""

    number: int
    source: str
    error: BaseException | None


class Cells:
    """The cells of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.last: Cell | None = None
        """The last cell that ran."""
        self.failed: Cell | None = None
        """The last cell that failed."""
        shell.events.register("post_run_cell", self._ran)

    def _ran(self, result: ExecutionResult) -> None:
        info = result.info
        if info is None or not info.store_history or result.execution_count is None or _OURS.match(info.raw_cell):
            return
        error = result.error_before_exec or result.error_in_exec
        self.last = Cell(result.execution_count, info.raw_cell, error)
        self.failed = self.last if error is not None else self.failed

    @property
    def error(self) -> BaseException | None:
        """The last error that was shown: of a cell, or the one that Python itself keeps."""
        found = self.failed.error if self.failed else getattr(sys, "last_value", None)
        return found if isinstance(found, BaseException) else None

    def traceback(self, error: BaseException) -> str:
        """Return an error's traceback without colours and without IPython's own frames."""
        return error_text(error, self._name_of_file)

    def _name_of_file(self, path: str) -> str:
        """Return `Cell In[3]` for the file that IPython names a cell's code after."""
        named = getattr(self._shell.compile, "format_code_name", lambda _path: None)(path)
        return " ".join(named) if named else path

    # -- by number -----------------------------------------------------------------------------------------------------

    @property
    def sources(self) -> dict[int, str]:
        """The source of each cell, as written."""
        history: Any = self._shell.history_manager
        return {number: text for number, text in enumerate(history.input_hist_raw) if text.strip()} if history else {}

    def numbered(self, number: int) -> Cell | None:
        """Return the cell with this number, with its error if it is the last one that failed; None if there is none."""
        source = self.sources.get(number)
        if source is None:
            return None
        return self.failed if self.failed and self.failed.number == number else Cell(number, source, None)

    @property
    def values(self) -> dict[int, object]:
        """The value of each cell that had one."""
        history: Any = self._shell.history_manager
        return dict(history.output_hist) if history else {}

    def printed(self, number: int) -> str | None:
        """Return what a cell printed and displayed, as text; None if this IPython does not keep it."""
        return printed(self._shell, number)


_known: WeakKeyDictionary[InteractiveShell, Cells] = WeakKeyDictionary()


def cells_of(shell: InteractiveShell) -> Cells:
    """Return the cells of a shell; notes them from the first call on."""
    if shell not in _known:
        _known[shell] = Cells(shell)
    return _known[shell]
