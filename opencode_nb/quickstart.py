"""Find the quickstart notebook, and run a notebook without a browser.

Knows nothing of OpenCode: it executes a notebook and prints the cells' output. Needs the `lab` extra (nbclient,
nbconvert), imported on first use.
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
"""Timeout of one cell in seconds: a cold server and its first prompt take about 10."""

Say = Callable[[str], None]


def original() -> Path:
    """Return the path of the original notebook: in the installed package, or beside it in the source tree."""
    package = Path(__file__).parent
    places = [package / "notebooks" / NAME, package.parent / "notebooks" / NAME]
    return next(place for place in places if place.is_file())


def copy_to(directory: Path) -> Path:
    """Return the notebook in `directory`, copied there if missing."""
    target = directory / NAME
    if not target.exists():
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original(), target)
    return target


def run(notebook: Path, directory: Path, say: Say) -> tuple[Path, Path]:
    """Execute `notebook` in a kernel with `directory` as its working directory, without changing `notebook` itself.

    Call `say` with each cell's source when it starts and its output as text when it ends. Return the executed notebook
    and its HTML page, both in `directory`; they are also written if a cell fails, which raises OpencodeError.
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
        raise OpencodeError(f"The notebook failed ({reason}). The output so far is kept in {directory}.") from error


def _write_page(document: NotebookNode, file: Path) -> Path:
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter().from_notebook_node(document)
    file.write_text(page, encoding="utf-8")
    return file


def source_text(cell: NotebookNode) -> str:
    """Return a cell's source as in a terminal: prose unchanged, code after `>>>`."""
    if cell.cell_type != "code":
        return f"{cell.source}\n"
    first, *others = cell.source.splitlines() or [""]
    return "\n".join([f">>> {first}", *(f"... {line}" for line in others)])


def outputs_text(cell: NotebookNode) -> str:
    """Return a code cell's output as text, followed by an empty line."""
    return "\n".join([*map(_output_text, cell.outputs), ""])


def _output_text(output: NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text).rstrip("\n")
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/plain", ""))
