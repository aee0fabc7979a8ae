"""Show a notebook's change as cells if only its patch is known: outputs change with every run.

This needs a patch with the whole file in it, as in the server's diffs of a turn. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from opencode_nb.diffs.build import hunks
from opencode_nb.diffs.notebook import CellDiff, compare
from opencode_nb.diffs.patch import FilePatch, Hunk

SUFFIX = ".ipynb"

Section = tuple[str, Hunk]
"""Changed lines and their title: a hunk's header, or a cell's change."""


def sections(path: str, files: Sequence[FilePatch]) -> list[Section]:
    """Return what to show of a patch: its hunks, or the changed cells of a whole notebook."""
    found = hunks_of(files)
    if is_notebook(path) and len(found) == 1:
        try:
            changed = compare(*_sides(found[0][1])).changed
        except ValueError:  # only part of the file, or not a notebook: shown as text
            changed = None
        if changed is not None:
            return list(_of_cells(changed))
    return found


def is_notebook(path: str) -> bool:
    """Return whether a file is named like a notebook."""
    return path.endswith(SUFFIX)


def hunks_of(files: Sequence[FilePatch]) -> list[Section]:
    """Return all hunks of a patch with their headers."""
    return [(hunk.header, hunk) for file in files for hunk in file.hunks]


def _sides(hunk: Hunk) -> tuple[bytes | None, bytes | None]:
    before, after = ("".join(lines) for lines in (hunk.old, hunk.new))
    return before.encode() or None, after.encode() or None


def _of_cells(changed: Sequence[CellDiff]) -> Iterator[Section]:
    for cell in changed:
        for hunk in cell_hunks(cell):
            # In almost every notebook, a cell's last line has no newline: not worth showing.
            yield cell_title(cell), replace(hunk, lines=tuple(replace(line, newline=True) for line in hunk.lines))


def cell_hunks(cell: CellDiff) -> Sequence[Hunk]:
    """Return the changed lines of a cell's source: all of them if it was added or removed."""
    before, after = (side.source if side else "" for side in (cell.before, cell.after))
    return cell.hunks or (hunks(before, after) if cell.status in ("added", "removed") else ())


def cell_title(cell: CellDiff) -> str:
    """Return a title like `Cell 3, code: changed, moved from 5, ran`; numbers count from 1, as people do."""
    place, shown = cell.new_index if cell.after else cell.old_index, cell.after or cell.before
    assert place is not None
    assert shown is not None
    facts: list[str] = [cell.status]
    if cell.status == "moved" and cell.old_index is not None:
        facts = [f"moved from {cell.old_index + 1}", *(["changed"] if cell.hunks else [])]
    if cell.before and cell.after and cell.before.type != cell.after.type:
        facts.append(f"was {cell.before.type}")
    if cell.ran:
        facts.append("outputs changed")
    return f"Cell {place + 1}, {shown.type}: {', '.join(facts)}"
