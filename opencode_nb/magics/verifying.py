"""Verify a notebook from a cell: ask first, show the progress, and let the agent mend what the report says."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from opencode_nb.api.verifying import VERIFYING
from opencode_nb.errors import OpencodeError
from opencode_nb.kernel import notebook
from opencode_nb.kernel.context.subjects import Subject
from opencode_nb.magics.options import prompt_parser
from opencode_nb.magics.prompt import run_prompt
from opencode_nb.magics.showing.asking import asked
from opencode_nb.magics.showing.frontend import can_ask
from opencode_nb.magics.showing.progress import steps
from opencode_nb.magics.showing.reaching import live_cells
from opencode_nb.magics.workspace import Workspace
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.transcript.state import Json
from opencode_nb.verify.kernel import require_nbclient
from opencode_nb.verify.limits import ROUNDS, Limits
from opencode_nb.verify.mend import IN_FILE, IN_PAGE, TASK, mend
from opencode_nb.verify.report import Report
from opencode_nb.verify.verify import read, verify

_OF_ONE_PROMPT: dict[str, Any] = {
    "session": None,
    "new": False,
    "output": None,
    "file": [],
    "image": [],
    "verify": False,
    "schema": None,
}
"""Options of a prompt that those after it do not take over."""


class DeclinedError(OpencodeError):  # internal to the magics
    """The user does not want the notebook to be run."""


@dataclass(frozen=True)
class Verification:
    """A notebook to verify. `own`: it is the one of the running cell; `asks`: the user is asked before each run."""

    shell: InteractiveShell
    workspace: Workspace
    path: Path
    own: bool
    limits: Limits
    asks: bool

    def report(self) -> Report:
        """Run the notebook and return the report. Raises DeclinedError if the user says no.

        Asks each time: since the last one, the agent may have changed what is run.
        """
        if self.asks:
            _ask(self.shell, self.path, self.limits)
        cells = self._live()
        with steps() as tell:
            found = verify(self.path, self.limits, tell, cells=cells)
        if not self.own:
            return found
        return replace(found, notes=list(self._notes(found) if cells is None else _unsaved(self.path, cells)))

    @cached_property
    def _has_page(self) -> bool:
        """Whether the notebook's page can be reached. Asked once: without one, that takes seconds."""
        return self.own and live_cells(self.shell) is not None

    def _live(self) -> list[Json] | None:
        """Return the cells as the page shows them; None without one."""
        return live_cells(self.shell) if self._has_page else None

    def _state(self) -> object:
        """Return what is run, to see whether it was changed."""
        cells = self._live()
        return self.path.read_bytes() if cells is None else [(one.get("id"), one.get("source")) for one in cells]

    def _notes(self, report: Report) -> Iterator[str]:
        saved = datetime.fromtimestamp(self.path.stat().st_mtime)
        yield f"It was run as it was saved at {saved:%H:%M:%S}: what changed since then was not."
        cell = ((getattr(self.shell, "parent_header", None) or {}).get("metadata") or {}).get("cellId")
        if cell and cell not in {one.id for one in report.cells}:
            yield "The saved file does not have this cell: save the notebook or, if it was renamed, name its file."

    def mended(self, rounds: int, options: Namespace | None = None) -> Report:
        """Let the agent mend the notebook; show each report but the last, which is returned.

        The agent's turns have the `options` of a prompt.
        """
        given = vars(prompt_parser().parse_line("")) | vars(options or Namespace()) | _OF_ONE_PROMPT
        reports = list(mend(self.report, lambda one: self._tell(one, Namespace(**given)), rounds, self._state))
        if rounds and not reports[-1].ok:
            print("The notebook is not mended: the report says what is left.")  # noqa: T201  # the cell's own output
        return reports[-1]

    def _tell(self, report: Report, options: Namespace) -> None:
        display(report)
        text = TASK.format(path=self.path, where=IN_PAGE if self._has_page else IN_FILE)
        also = [Subject("report", "what a run from the top found", lambda _may_draw: outgoing(report))]
        run_prompt(self.shell, self.workspace, "%opencode verify", options, text, whole=False, also=also)


def outgoing(report: Report) -> Outgoing:
    """Return the report as it may leave the kernel: outputs and sources are data, what became of cells is not."""
    told = (Piece(text, Level.FULL if is_data else Level.NAMES) for text, is_data in report.told())
    return Outgoing("report", tuple(told))


def _unsaved(path: Path, cells: list[Json]) -> Iterator[str]:
    """Say that the page's cells were run, and which of them are not in the file as they are."""
    saved = {str(one.get("id")): one["source"] for one in read(path).cells}
    numbers = [str(at) for at, one in enumerate(cells, 1) if saved.get(str(one.get("id")), "") != one.get("source")]
    gone = len(saved.keys() - {str(one.get("id")) for one in cells})
    new = f"cell{'s' * (len(numbers) > 1)} {', '.join(numbers)}" if numbers else ""
    deleted = f"{gone} deleted cell{'s' * (gone > 1)}" if gone else ""
    left = " and ".join(filter(None, (new, deleted)))
    yield f"It was run as the page shows it.{f' Not saved yet: {left}.' if left else ''}"


def prepared(
    shell: InteractiveShell,
    workspace: Workspace,
    path: str | None = None,
    *,
    limits: Limits | None = None,
    permission: Any = None,
    yes: bool = False,
) -> Verification:
    """Find the notebook. Its cells are run without a question if `yes` says so, or the permission `allow`.

    Raises OpencodeError if there is no such notebook, and if nobody can be asked.
    """
    if os.environ.get(VERIFYING):
        raise OpencodeError("This notebook is being verified now: it is not verified once more from within.")
    require_nbclient()
    found, session = _found(path), workspace.session
    rule = permission or (session.permission if session else None) or workspace.options.get("permission")
    asks = not yes and rule != "allow"
    if asks and not can_ask():
        raise OpencodeError(
            f"Nobody can be asked here whether to run the cells of {found.name}: `%opencode verify --yes` runs them, "
            "and so does the permission `allow`."
        )
    return Verification(shell, workspace, found, path is None, limits or Limits(), asks)


def _found(path: str | None) -> Path:
    if path is not None:
        found = Path(path).expanduser().absolute()
    elif (mine := notebook.current()) is not None:
        found = mine.path
    else:
        raise UsageError("%opencode verify: name the notebook's file: Jupyter did not start this kernel for one.")
    if not found.is_file():
        renamed = " If the notebook was renamed, name its file." if path is None else ""
        raise OpencodeError(f"There is no file {found}.{renamed}")
    return found


def _ask(shell: InteractiveShell, path: Path, limits: Limits) -> None:
    told = {
        "Notebook": path.name,
        "Its cells": f"They may change files or call services, and take up to {limits.cell:g} s each.",
        "Its prompts": "They are left out.",
    }
    request = {"id": "verify", "permission": "%opencode verify", "asked_by": "this cell", "metadata": told}
    answer = asked(shell, request)
    if answer is None or answer.reply == "reject":
        raise DeclinedError("The notebook was not run.")


def run_and_verify(
    shell: InteractiveShell, workspace: Workspace, magic: str, options: Namespace, text: str, *, whole: bool, note: str
) -> Any:
    """Run a prompt, then verify the notebook, and let the agent mend it; return what the cell's prompt would.

    Raises what `run_prompt` and `prepared` raise; the latter before the prompt is sent.
    """
    if options.background:
        raise UsageError(f"{magic}: --verify is for prompts that the cell waits for: remove it, or --background.")
    verification = prepared(shell, workspace, permission=options.permission)
    turn = run_prompt(shell, workspace, magic, options, text, whole=False, note=note)
    try:
        display(verification.mended(0 if options.replay else ROUNDS, options))
    except DeclinedError as error:
        print(error)  # noqa: T201  # the cell's own output
    return None if whole else turn
