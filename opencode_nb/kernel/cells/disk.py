"""Read the notebook's cells from its file, where no page can be reached: as they were when it was saved last."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import cell
from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.reading import OUTPUT_CHARACTERS


async def read(known: Collection[str]) -> tuple[str, list[Cell]] | None:
    """Return the path and the cells of this kernel's notebook; None without one that can be read.

    Its path is wrong after a rename: the file must have one of the `known` cell ids, if there are any.
    """
    mine = notebook.current()
    found = None if mine is None else await asyncio.to_thread(_read, mine.path)
    if found is None or (known and not any(one.id in known for one in found[1])):
        return None
    return found


def running_cell(shell: Any) -> str:
    """Return the id of the cell that runs, as JupyterLab and Notebook send it; "" if it is not known."""
    parent = getattr(shell, "parent_header", None)
    cell_id = (parent.get("metadata") or {}).get("cellId") if isinstance(parent, dict) else None
    return str(cell_id or "")


def _read(path: Path) -> tuple[str, list[Cell]] | None:
    try:
        if path.stat().st_size > notebook.LARGEST:
            return None
        return path.name, cell.of_file(json.loads(path.read_bytes()), OUTPUT_CHARACTERS)
    except (OSError, ValueError, RecursionError):  # renamed, damaged, or being written
        return None
