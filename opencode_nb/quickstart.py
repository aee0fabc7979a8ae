"""The quickstart notebook: where it is, and how a notebook is run without a browser.

Knows nothing of OpenCode: it executes a notebook and tells what its cells gave. Needs the `lab` extra (nbclient,
nbconvert), which is imported when first used.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from opencode_nb.errors import OpencodeError

if TYPE_CHECKING:
    from nbformat import NotebookNode

NAME = "quickstart.ipynb"
CELL_TIMEOUT = 180
"""Seconds that one cell may take: a cold server and its first prompt take about 10."""

Say = Callable[[str], None]


def original() -> Path:
    """Return the notebook as it was written: inside an installed package, or in the source tree beside it."""
    package = Path(__file__).parent
    places = [package / "notebooks" / NAME, package.parent / "notebooks" / NAME]
    return next(place for place in places if place.is_file())


def copy_to(directory: Path) -> Path:
    """Return the notebook in `directory`: the one that is there, else a fresh copy."""
    target = directory / NAME
    if not target.exists():
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original(), target)
    return target


def run(notebook: Path, directory: Path, say: Say) -> tuple[Path, Path]:
    """Execute `notebook` in a kernel with `directory` as its working directory; `notebook` itself stays as it is.

    `say` gets each cell's source when it starts, and what it gave when it has ended, as text. Returns the executed
    notebook and its HTML page, both in `directory`; they are written when a cell fails, too. Raises OpencodeError then.
    """
    import nbformat

    document = nbformat.read(notebook, as_version=4)
    directory.mkdir(parents=True, exist_ok=True)
    executed = directory / notebook.name
    try:
        _execute(document, directory, say)
    finally:
        nbformat.write(document, executed)
        page = _write_page(document, executed.with_suffix(".html"))
    return executed, page


def _execute(document: NotebookNode, directory: Path, say: Say) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(document, timeout=CELL_TIMEOUT, resources={"metadata": {"path": str(directory)}})
    client.on_cell_start = lambda cell, **_: say(source_text(cell))
    client.on_cell_executed = lambda cell, **_: say(outputs_text(cell))
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        reason = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else str(error)
        raise OpencodeError(f"The notebook failed ({reason}). What came before is kept in {directory}.") from error


def _write_page(document: NotebookNode, file: Path) -> Path:
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter().from_notebook_node(document)
    file.write_text(page, encoding="utf-8")
    return file


def source_text(cell: NotebookNode) -> str:
    """Return a cell's source as it would stand in a terminal: prose as it is, code behind `>>>`."""
    if cell.cell_type != "code":
        return f"{cell.source}\n"
    first, *others = cell.source.splitlines() or [""]
    return "\n".join([f">>> {first}", *(f"... {line}" for line in others)])


def outputs_text(cell: NotebookNode) -> str:
    """Return what a code cell gave, as text, with an empty line below."""
    return "\n".join([*map(_output_text, cell.outputs), ""])


def _output_text(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text).rstrip("\n")
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/plain", ""))
