"""What people are shown of a change to a cell: before it is made, with the request, and after, on its card.

Blocks of the kind "cell": `{kind, title, before, after}`; `before` is None for a new cell, `after` for a deleted one.
"""

from __future__ import annotations

from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.seen import Seen
from opencode_nb.tools.tool import Json


def of_request(tool: str, seen: Seen, arguments: Json) -> tuple[Json, ...]:
    """Return what a call is going to change, as far as the agent knows the cell; () if it does not."""
    source = str(arguments.get("source") or "")
    if tool == "insert_cell":
        return (_block(f"New {arguments.get('type', 'code')} cell{_where(seen, arguments)}", None, source),)
    known = seen.get(str(arguments.get("id")))
    if known is None:
        return ()
    if tool == "run_cell":
        return (_block(_titled(known), known.source, known.source),)
    if tool == "move_cell":
        return (_block(f"{_titled(known)} \u2192 {arguments.get('index', 0) + 1}", known.source, known.source),)
    return (_block(_titled(known), known.source, None if tool == "delete_cell" else source),)


def of_change(tool: str, before: Cell | None, cell: Cell) -> tuple[Json, ...]:
    """Return what a call has changed."""
    if tool == "insert_cell":
        return (_block(_titled(cell) if cell.id else "Next input", None, cell.source),)
    if tool == "delete_cell":
        return (_block(_titled(cell), cell.source, None),)
    return (_block(_titled(cell), before.source if before else cell.source, cell.source),)


def _block(title: str, before: str | None, after: str | None) -> Json:
    return {"kind": "cell", "title": title, "before": before, "after": after}


def _titled(cell: Cell) -> str:
    return f"C{cell.title[1:]}"


def _where(seen: Seen, arguments: Json) -> str:
    if (after := seen.get(str(arguments.get("after")))) is not None:
        return f" after {after.title}"
    if arguments.get("after") is not None:
        return f" after the cell {arguments['after']}"
    index = arguments.get("index")
    return f" at {index + 1}" if isinstance(index, int) else ""
