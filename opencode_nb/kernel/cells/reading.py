"""What the agent reads of cells: an outline of many, or some in full. Sources and outputs are the user's data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opencode_nb.kernel.cells.cell import Cell, Output
from opencode_nb.kernel.running import images
from opencode_nb.tools.privacy import Level, Piece

MOST_CHARACTERS = 30_000
"""Characters of sources and outputs in one answer: further cells are named, to be asked for."""

OUTPUT_CHARACTERS = 2_000
"""Characters of one output."""

OUTLINE_CHARACTERS = 100
"""Characters of a cell's first line in an outline."""

MOST_IMAGES = 4


class Listing:
    """An answer about cells: pieces of text, images, and the cells that it shows in full."""

    def __init__(self, heading: str) -> None:
        self.pieces = [Piece(heading, Level.NAMES)]
        self.images: list[bytes] = []
        self.full: list[Cell] = []
        self._left = MOST_CHARACTERS

    def add(self, cell: Cell) -> None:
        """Add a cell in full; only its outline if there is no room left."""
        needed = len(cell.source) + sum(len(output.text) for output in cell.outputs)
        if needed > self._left:
            self.outline(cell, " (not shown in full: ask for it by its id)")
            return
        self._left -= needed
        self.full.append(cell)
        self.pieces += [Piece(f"{_head(cell)}\n", Level.NAMES), Piece(f"{cell.source}\n")]
        for output in cell.outputs:
            self.pieces += self._told(output)

    def outline(self, cell: Cell, note: str = "") -> None:
        """Add a cell's first line."""
        lines = [line for line in cell.source.split("\n") if line.strip()]
        first = lines[0][:OUTLINE_CHARACTERS] if lines else ""
        more = f" (+{len(lines) - 1} lines)" if len(lines) > 1 else ""
        self.pieces += [
            Piece(f"{_head(cell)}: ", Level.NAMES),
            Piece(f"{first}{more}"),
            Piece(f"{note}\n", Level.NAMES),
        ]

    def _told(self, output: Output) -> Iterator[Piece]:
        yield Piece(f"--- output{_media(output)}\n", Level.NAMES)
        if output.text:
            yield Piece(f"{output.text}\n")
        if output.png and len(self.images) < MOST_IMAGES and (image := images.of_data(output.png)) is not None:
            self.images.append(image)


def heading(path: str, total: int, selected: Sequence[str], note: str) -> str:
    """Return an answer's first lines."""
    chosen = f" Selected: {', '.join(selected)}." if selected else ""
    return f"{path or 'The notebook'}: {total} cells, indices from 0.{chosen}{f' {note}' if note else ''}\n"


def _head(cell: Cell) -> str:
    count = f" In[{cell.count}]" if cell.count is not None else ""
    return f"--- {cell.index} id={cell.id} {cell.type}{count}"


def _media(output: Output) -> str:
    rich = [kind for kind in output.types if kind != "text/plain"]
    return f" ({', '.join(rich)})" if rich else ""
