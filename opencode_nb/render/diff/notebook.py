"""Render a changed notebook on the live page as cells: added, removed, moved, and changed in their sources.

Outputs and execution counts change with every run; they are shown on request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opencode_nb.diffs.blocks import prepare
from opencode_nb.diffs.build import hunks
from opencode_nb.diffs.notebook import CellDiff, NotebookDiff, compare
from opencode_nb.diffs.reviewable import ReviewableFile
from opencode_nb.render.diff.box import block
from opencode_nb.render.diff.patched_notebook import SUFFIX, cell_hunks, cell_title
from opencode_nb.render.diff.rows import Painted, lines, number_width, numbered, paint
from opencode_nb.render.markup import ansi
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join

if TYPE_CHECKING:
    from opencode_nb.diffs.patch import Hunk

    Json = dict[str, Any]

_LANGUAGES = {"code": "cell.py", "markdown": "cell.md"}


def read(file: ReviewableFile, *, outputs: bool) -> NotebookDiff | None:
    """Return a changed notebook's cells; None if it is not a notebook, or its versions are unknown."""
    if not file.file.endswith(SUFFIX) or (file.before is None and file.after is None):
        return None
    try:
        return compare(file.before, file.after, outputs=outputs)
    except ValueError:  # a broken one is shown as text
        return None


def cells_html(index: int, notebook: NotebookDiff, *, columns: int, outputs: bool) -> Iterator[Html]:
    """Render the changed cells."""
    changed = notebook.changed
    prepare(_printed(cell) for cell in changed if outputs and cell.ran)
    if not changed:
        what = "its metadata" if notebook.metadata else "outputs, counts or ids"
        yield element("div", escape(f"No cell source changed, only {what}."), classes="oc-facts")
    for number, cell in enumerate(changed):
        yield _cell_html(f"{index}.c{number}", cell, columns, outputs)


def _cell_html(key: str, cell: CellDiff, columns: int, outputs: bool) -> Html:
    title = element("span", escape(cell_title(cell)), classes="oc-range")
    pieces = [element("div", title, classes="oc-change-bar"), _source(cell, columns)]
    if outputs and cell.ran:
        pieces.append(_outputs(cell, columns))
    return element(
        "div",
        join(pieces),
        classes="oc-change",
        role="group",
        tabindex="-1",
        aria_label=cell_title(cell),
        data_hunk=key,
    )


def _source(cell: CellDiff, columns: int) -> Html:
    shown = cell.after or cell.before
    return _changes(cell_hunks(cell), _LANGUAGES.get(shown.type if shown else "", ""), columns)


def _outputs(cell: CellDiff, columns: int) -> Html:
    found = hunks(*_printed(cell))
    title = element("div", escape("Outputs"), classes="oc-facts")
    return join([title, _changes(found, "", columns)]) if found else NOTHING


def _printed(cell: CellDiff) -> tuple[str, str]:
    before, after = (_text(side.outputs) if side else "" for side in (cell.before, cell.after))
    return before, after


def _text(outputs: list[Json]) -> str:
    return "\n".join(ansi.plain(_output_text(output)) for output in outputs)


def _output_text(output: Json) -> str:
    """Return an output's text; for pictures and the like, their types."""
    data = output.get("data")
    data = data if isinstance(data, dict) else {}
    for text, between in ((output.get("text"), ""), (data.get("text/plain"), ""), (output.get("traceback"), "\n")):
        lines = text if isinstance(text, list) else [text]
        if shown := between.join(line for line in lines if isinstance(line, str)):
            return shown
    return f"({', '.join(data) or output.get('output_type')})"


def _changes(found: Sequence[Hunk], path: str, columns: int) -> Html:
    """Render changed lines. They cannot be commented on: their numbers are not those of the file."""
    # In almost every notebook, a cell's last line has no newline: not worth showing.
    rows = [[replace(row, newline=True) for row in numbered(hunk)] for hunk in found]
    width = number_width(row for hunk in rows for row in hunk)
    painted: list[Painted] = [item for hunk in rows for item in paint(hunk, path)]
    return block(lines(painted, width, columns)) if painted else NOTHING
