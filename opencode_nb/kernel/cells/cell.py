"""A cell as a page or the file tells it. Reads defensively: both are beyond our control. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opencode_nb.tools.tool import Json


@dataclass(frozen=True, slots=True)
class Output:
    """One output: its text, shortened where it came from; `png` in base64 if it was asked for; its media types."""

    kind: str
    text: str
    png: str = ""
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `index` is 0-based; `count` is the number of its last execution, None if it has none."""

    id: str
    index: int
    type: str
    source: str
    count: int | None = None
    outputs: tuple[Output, ...] = ()

    @property
    def title(self) -> str:
        """How people are told of it: `cell 3`, counted from 1."""
        return f"cell {self.index + 1}"


def of_page(told: Any) -> Cell:
    """Return the cell that a page described. Raises ValueError if that is no cell."""
    if not isinstance(told, dict) or not isinstance(told.get("id"), str) or not isinstance(told.get("source"), str):
        raise ValueError("The page described no cell.")
    count, index = told.get("count"), told.get("index")
    return Cell(
        told["id"],
        index if isinstance(index, int) else 0,
        str(told.get("type") or "code"),
        told["source"],
        count if isinstance(count, int) else None,
        tuple(_output(one) for one in _objects(told.get("outputs"))),
    )


def _output(told: Json) -> Output:
    png, types = told.get("png"), told.get("types")
    return Output(
        str(told.get("type") or ""),
        str(told.get("text") or ""),
        png if isinstance(png, str) else "",
        tuple(map(str, types)) if isinstance(types, list) else (),
    )


def of_file(notebook: Any, most: int) -> list[Cell]:
    """Return the cells of a notebook's file; the text of each output is cut to `most` characters."""
    cells = _objects(notebook.get("cells") if isinstance(notebook, dict) else None)
    return [_of_file(cell, index, most) for index, cell in enumerate(cells)]


def _of_file(cell: Json, index: int, most: int) -> Cell:
    count = cell.get("execution_count")
    return Cell(
        str(cell.get("id") or ""),
        index,
        str(cell.get("cell_type") or "code"),
        _joined(cell.get("source")),
        count if isinstance(count, int) else None,
        tuple(_output_of_file(one, most) for one in _objects(cell.get("outputs"))),
    )


def _output_of_file(output: Json, most: int) -> Output:
    kind = str(output.get("output_type") or "")
    if kind == "stream":
        return Output(kind, _cut(_joined(output.get("text")), most))
    if kind == "error":
        return Output(kind, _cut(f"{output.get('ename')}: {output.get('evalue')}", most))
    data = output.get("data")
    data = data if isinstance(data, dict) else {}
    return Output(kind, _cut(_joined(data.get("text/plain")), most), _joined(data.get("image/png")), tuple(data))


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else text if isinstance(text, str) else ""


def _objects(items: Any) -> Sequence[Json]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _cut(text: str, most: int) -> str:
    over = len(text) - most
    if over <= 0:
        return text
    return f"{text[: most // 2]}\n[... {over:,} characters left out ...]\n{text[-(most // 2) :]}"
