"""Run the cells of a notebook that can be run from the top, and say of each what it did.

Left out: what is for the agent, cells that need a name which a cell that was left out or failed would have set, and,
after a failed check (`assert`, `sys.exit()`), all cells that follow: a check may be there to keep them from running.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from opencode_nb.api.verifying import VerifyingError
from opencode_nb.verify.cells import CodeCell
from opencode_nb.verify.kernel import FreshKernel, KernelEndedError, Raised, Ran
from opencode_nb.verify.limits import Limits

if TYPE_CHECKING:
    from nbformat import NotebookNode

_CHECKS = ("AssertionError", "SystemExit")
"""Errors after which nothing else is run."""
_NAME_ERROR = re.compile(r"name '(\w+)' is not defined")
_VALUE = "_"

Tell = Callable[[str], None]


Fate = Literal["ran", "skipped", "depends", "unrun"]


class Outcome(NamedTuple):
    """What became of a cell, why if it did not run, and what it did if it ran."""

    fate: Fate
    reason: str = ""
    ran: Ran = Ran()


class _Missing(NamedTuple):
    """Why a name is not there: the cell that would have set it, and whether that is because of a prompt."""

    number: int
    prompt: bool


@dataclass
class Course:
    """A run of the cells, in their order."""

    cells: Sequence[CodeCell]
    limits: Limits
    kernel: FreshKernel
    tell: Tell
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """The outcomes by the cells' numbers, while they come."""
    _missing: dict[str, _Missing] = field(default_factory=dict)
    _prompt: int = 0
    _over: str = ""

    async def go(self) -> None:
        """Run all cells that can be run."""
        end = time.monotonic() + self.limits.total
        for position, cell in enumerate(self.cells, 1):
            if time.monotonic() >= end:
                self._over = self._over or f"The time limit of {self.limits.total:g} s for all cells was reached."
            outcome = self._left_out(cell)
            if outcome is None:
                self.tell(f"Running cell {position} of {len(self.cells)}")
                outcome = await self._run(cell, end)
            self.outcomes[cell.number] = outcome
            self._note(cell, outcome)

    def _left_out(self, cell: CodeCell) -> Outcome | None:
        """Return why a cell is not run; None if it is."""
        if self._over:
            return Outcome("unrun", self._over)
        if not cell.may_run:
            return Outcome("skipped", "Its tag says so.")
        if not cell.prompts.rest:
            return Outcome("skipped", "It sends something to the agent.")
        lacking = sorted(cell.names.reads & self._missing.keys())
        return self._lacking(lacking[0]) if lacking else None

    def _lacking(self, name: str) -> Outcome:
        missing = self._missing[name]
        what = "the value" if name == _VALUE else f"`{name}`"
        if missing.prompt:
            return Outcome("depends", f"It reads {what} of cell {missing.number}.")
        return Outcome("unrun", f"It reads {what}, which cell {missing.number} was to set.")

    async def _run(self, cell: CodeCell, end: float) -> Outcome:
        timeout = max(0.0, min(self.limits.cell, end - time.monotonic()))
        try:
            ran = await self.kernel.run(cell.index, cell.prompts.rest, timeout)
        except KernelEndedError as error:
            self._over = f"The kernel ended in cell {cell.number}."
            return Outcome("ran", ran=Ran(stopped=str(error)))
        return self._of_prompt(ran.error) or Outcome("ran", ran=ran)

    def _of_prompt(self, error: Raised | None) -> Outcome | None:
        """Return the outcome of a cell that sends something from Python, or lacks a name which one may have set."""
        if error and error.name == VerifyingError.__name__:
            return Outcome("depends", "It sends something to the agent from Python.")
        found = _NAME_ERROR.search(error.text) if error and error.name == "NameError" else None
        if found is None:
            return None
        if found[1] in self._missing:
            return self._lacking(found[1])
        above = (cell for cell in self.cells if cell.number in self.outcomes)
        if self._prompt and not any(found[1] in cell.names.sets for cell in above):
            return Outcome("depends", f"It reads `{found[1]}`, which the prompt in cell {self._prompt} may have set.")
        return None

    def _note(self, cell: CodeCell, outcome: Outcome) -> None:
        """Keep in mind which names there are now, and which there are not."""
        ran, prompted = outcome.ran, cell.prompts.asks
        failed = ran.error is not None and not cell.may_raise
        sound = outcome.fate == "ran" and not ran.stopped and not failed
        self._prompt = cell.number if prompted else self._prompt
        for name in (*cell.names.sets, *([_VALUE] if outcome.fate == "ran" else ())):
            self._missing.pop(name, None)
        lost = {*cell.prompts.names, *(() if sound else cell.names.sets), *([_VALUE] if prompted else ())}
        of_prompt = prompted or outcome.fate == "depends"
        self._missing |= {name: _Missing(cell.number, of_prompt) for name in lost}
        if failed and ran.error and ran.error.name in _CHECKS:
            self._over = f"The check in cell {cell.number} failed."


async def run_cells(
    notebook: NotebookNode, path: Path, cells: Sequence[CodeCell], limits: Limits, tell: Tell
) -> Course:
    """Run the cells in a fresh kernel, as far as they can be run. Raises OpencodeError if it does not start."""
    tell("Starting a fresh kernel")
    async with FreshKernel(notebook, path) as kernel:
        course = Course(cells, limits, kernel, tell)
        await course.go()
        return course
