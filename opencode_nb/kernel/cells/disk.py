"""Read the notebook's cells from its file, where no page can be reached: as they were when it was saved last."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import cell
from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.reading import OUTPUT_CHARACTERS


async def read() -> tuple[str, list[Cell]] | None:
    """Return the path and the cells of this kernel's notebook; None without one that can be read."""
    mine = notebook.current()
    return None if mine is None else await asyncio.to_thread(_read, mine.path)


def _read(path: Path) -> tuple[str, list[Cell]] | None:
    try:
        if path.stat().st_size > notebook.LARGEST:
            return None
        return path.name, cell.of_file(json.loads(path.read_bytes()), OUTPUT_CHARACTERS)
    except (OSError, ValueError, RecursionError):  # renamed, damaged, or being written
        return None
