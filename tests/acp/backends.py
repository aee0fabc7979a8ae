"""The table of docs/acp.md: what `opencode acp` lacks, and how that shows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

DOCUMENT = Path(__file__).parents[2] / "docs/acp.md"


class Lacking(NamedTuple):
    """One row: a cell that needs the feature and a control of the panel, "" for none; the reason it is lacking."""

    feature: str
    cell: str
    control: str
    reason: str


def lacking() -> list[Lacking]:
    """Return the rows of the table."""
    _before, table = DOCUMENT.read_text(encoding="utf-8").split("| feature | in a cell |")
    rows = table.split("\n\n")[0].splitlines()[2:]
    cells = ([cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows)
    return [
        Lacking(feature, cell, control, f"The agent OpenCode has no {words}") for feature, cell, control, words in cells
    ]
