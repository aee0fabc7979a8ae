"""Verify a notebook: read it, run a copy from the top, compare, and report. Blocking; the notebook is not changed."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opencode_nb.errors import OpencodeError
from opencode_nb.portal import start
from opencode_nb.render.markup.ansi import plain
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.verify import order
from opencode_nb.verify.cells import CodeCell, code_cells
from opencode_nb.verify.compare import differences
from opencode_nb.verify.kernel import Raised, require_nbclient
from opencode_nb.verify.limits import Limits
from opencode_nb.verify.report import CellReport, Report
from opencode_nb.verify.run import Outcome, Tell, run_cells
from opencode_nb.verify.text import WIDTH, Span, shortened

if TYPE_CHECKING:
    from nbformat import NotebookNode

REPLAY = "OPENCODE_NB_REPLAY"
"""Where this variable is set, every prompt is played from a recording."""
TRACEBACK = 15
"""Most lines of a traceback that are shown: its last ones."""
LINE = 200
"""Most characters of an error's message that are shown."""

_WITH_IDS = 5
"""The first minor version of nbformat 4 whose cells have ids."""

_NO_INPUT = "StdinNotImplementedError"


def verify(
    path: Path,
    limits: Limits | None = None,
    tell: Tell = lambda step: None,
    notes: Sequence[str] = (),
    cells: Sequence[Mapping[str, Any]] | None = None,
) -> Report:
    """Run a copy of the notebook from the top in a fresh kernel, and report what it does other than what stands in it.

    `tell` is called with each step, on the calling thread; `notes` go into the report. `cells`, as nbformat has them,
    are run in the place of those in the file. An interrupt ends the kernel.
    Raises OpencodeError if nbclient is not installed, for a file that is no notebook, and if the kernel does not start.
    """
    require_nbclient()
    path = path.expanduser().absolute()
    notebook, jobs, begun = _with(read(path), cells), Jobs(), time.time()
    code = code_cells(notebook.cells, replaying=bool(os.environ.get(REPLAY)))

    def progress(step: str) -> None:
        jobs.post(partial(tell, step))

    running = start(run_cells, copy.deepcopy(notebook), path, code, limits or Limits(), progress)
    try:
        jobs.serve_until(running)
    except BaseException:
        running.cancel()  # ends the kernel
        raise
    course, span = running.result(), Span(begun, time.time())
    hidden = order.notes(code) if _is_python(notebook) else {}
    found = [_judged(cell, course.outcomes[cell.number], span, hidden.get(cell.number, ())) for cell in code]
    return Report(path, course.kernel.name, span.end - span.start, found, notes)


def read(path: Path) -> NotebookNode:
    """Read a notebook. Raises OpencodeError if there is none."""
    import nbformat

    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)
    except OSError as error:
        raise OpencodeError(f"{path}: {error.strerror}. Save the notebook, or name another file.") from error
    except (ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError) as error:
        raise OpencodeError(f"{path} is not a notebook: name a file that Jupyter opens as one.") from error
    return notebook


def _with(notebook: NotebookNode, cells: Sequence[Mapping[str, Any]] | None) -> NotebookNode:
    """Return the notebook with these cells; as it is with None."""
    if cells is None:
        return notebook
    import nbformat

    minor = max(notebook.nbformat_minor, _WITH_IDS)
    changed: NotebookNode = nbformat.reads(json.dumps({**notebook, "nbformat_minor": minor, "cells": [*cells]}), 4)
    return changed


def _is_python(notebook: NotebookNode) -> bool:
    metadata = notebook.metadata
    language = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    return language in (None, "python")


def _judged(cell: CodeCell, outcome: Outcome, span: Span, notes: Sequence[str]) -> CellReport:
    found = _found(cell, outcome, span)
    return CellReport(cell.number, cell.id, cell.count, cell.source, notes=notes, **found)


def _found(cell: CodeCell, outcome: Outcome, span: Span) -> dict[str, Any]:
    """Return the status of a cell, and what belongs to it."""
    ran = outcome.ran
    if outcome.fate != "ran":
        return {"status": outcome.fate, "reason": outcome.reason}
    if ran.stopped:
        return {"status": "stopped", "reason": ran.stopped}
    if ran.error and not cell.may_raise:
        return {"status": "raises", **_of_error(cell, ran.error)}
    if cell.prompts.taken:
        return {"status": "skipped", "reason": "What is for the agent was left out, and the rest was run."}
    if cell.prompts.played:
        return {"status": "played"}
    if not cell.outputs and cell.count is None:
        return {"status": "new"}
    differ = differences(cell.outputs, ran.outputs, span)
    return {"status": "differs" if differ else "same", "differences": differ}


def _of_error(cell: CodeCell, error: Raised) -> dict[str, Any]:
    if error.name == _NO_INPUT:
        return {"reason": "It asks for input, which nobody can give in a run from the top."}
    shown = shortened(" ".join(plain(error.text).split()), LINE)
    before = any(output.get("ename") == error.name for output in cell.outputs)
    reason = f"{error.name}: {shown}{' (as when it was saved)' if before else ''}"
    lines = plain(error.traceback).splitlines()[-TRACEBACK:]
    return {"reason": reason, "traceback": "\n".join(shortened(line, WIDTH) for line in lines)}
