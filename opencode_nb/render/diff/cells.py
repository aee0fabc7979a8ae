"""Render the cells of open notebooks that turns changed, below a heading for each notebook: a part of a diff. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from opencode_nb.diffs.reviewable import ReviewableCell
from opencode_nb.render.diff import box
from opencode_nb.render.diff.file import button
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join, visible

SHOWN = 100
"""Cells that are shown in a static form; the number of the others follows."""

_DID = {"added": "inserted", "deleted": "deleted", "modified": "edited", "moved": "moved"}
_MARKS = {"added": "A", "deleted": "D"}


def amount(count: int) -> str:
    """Return a number of cells in words: `2 cells`."""
    return f"{count} cell{'' if count == 1 else 's'}"


def did(cell: ReviewableCell) -> str:
    """Return what was done to a cell, such as `edited, moved`."""
    return ", ".join(dict.fromkeys([_DID[cell.status], *(["moved"] if cell.moved else [])]))


def cells_html(cells: Sequence[ReviewableCell], *, columns: int = 1) -> Html:
    """Render the cells for a form that cannot act; nothing without any."""
    rest = len(cells) - SHOWN
    more = element("div", escape(f"and {rest} more cells"), style="muted small") if rest > 0 else NOTHING
    return join([*_notebooks(cells[:SHOWN], columns, acts=False), more])


def live_cells_html(cells: Sequence[ReviewableCell], *, columns: int) -> Html:
    """Render the cells for a live page, each with a button; nothing without any."""
    if not cells:
        return NOTHING
    return element("div", join(_notebooks(cells, columns, acts=True)), data_key="cells")


def _notebooks(cells: Sequence[ReviewableCell], columns: int, *, acts: bool) -> list[Html]:
    numbered = sorted(enumerate(cells), key=lambda one: one[1].notebook)
    return [
        _notebook(path, list(group), columns, acts=acts)
        for path, group in groupby(numbered, key=lambda one: one[1].notebook)
    ]


def _notebook(path: str, cells: list[tuple[int, ReviewableCell]], columns: int, *, acts: bool) -> Html:
    heading = [
        element("span", escape("\u2630"), style="glyph"),
        element("span", escape(path), style="name"),
        element("span", escape(f"{amount(len(cells))} changed in the open notebook"), style="muted small"),
    ]
    body = [_cell(number, cell, columns, acts=acts) for number, cell in cells]
    return element(
        "details",
        join([element("summary", join(heading, Html(" ")), style="summary"), *body]),
        style="card",
        data_part="cells",
        data_fold=f"cells-{path}",
        open=True,
    )


def _cell(number: int, cell: ReviewableCell, columns: int, *, acts: bool) -> Html:
    reverted = cell.reverted
    name = f"C{cell.title[1:]}"
    head = [
        element("span", escape(name), style="strong"),
        element("span", escape(did(cell)), style="muted small"),
        element("span", escape("reverted"), style="warn small") if reverted else NOTHING,
        _button(number, cell, reverted=reverted) if acts else NOTHING,
    ]
    rows = box.whole({"file": "cell.py", "patch": cell.patch}, columns)
    return element(
        "div",
        join(
            [
                element("div", join((one for one in head if one), Html(" ")), style="fact"),
                box.block(rows) if rows else NOTHING,
            ]
        ),
        style="rule",
        role="group",
        aria_label=f"{name}, {did(cell)}",
        data_cell=cell.id,
    )


def _button(number: int, cell: ReviewableCell, *, reverted: bool) -> Html:
    label, act = ("Apply cell", "apply") if reverted else ("Revert cell", "revert")
    how = "Make the change to {} again" if reverted else "Take the change to {} back"
    return button(label, "act", id=f"c{number}", act=act, title=how.format(cell.title))


def cell_lines(cells: Sequence[ReviewableCell]) -> list[str]:
    """Return the section as lines of text, without sources; none without any cells."""
    rows = [f"{_MARKS.get(cell.status, 'M')} {cell.notebook}, {cell.title} ({did(cell)})" for cell in cells[:SHOWN]]
    return [visible(line) for line in (*rows, *([f"and {len(cells) - SHOWN} more cells"] if cells[SHOWN:] else []))]


def cells_patch(cells: Sequence[ReviewableCell]) -> str:
    """Return the cells with the changed lines of their sources, as text."""
    shown = (f"{cell.notebook}, {cell.title} ({did(cell)})\n{cell.patch}" for cell in cells[:SHOWN])
    return visible("".join(shown))
