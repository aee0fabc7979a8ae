"""Describe calls of the kernel's own tools: their titles, and the blocks of what they showed to the user.

Owns the knowledge of these tools' inputs, and of the blocks in `TurnState.shown` (docs/kernel.md). They are read
defensively: without them, as after a reload, a call shows its output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from opencode_nb.diffs.cells import patch
from opencode_nb.render.markup.table import Table
from opencode_nb.render.turn.card_model import Attachment, Block, Change, Code, Json, Output, Pairs, Traceback
from opencode_nb.render.turn.phrases import shorten

PYTHON = "python"
"""The tool that runs code."""

RUN_CELL = "run_cell"
"""The tool that runs a cell of the notebook."""

ASKING = frozenset({PYTHON, RUN_CELL, "edit_cell", "insert_cell", "delete_cell", "move_cell"})
"""The kernel's tools that ask. What nobody has seen of their calls cannot be allowed."""

MAX_ROWS, MAX_COLUMNS = 60, 40
"""Rows and columns of a table that are shown: a head is enough on a card, and in a saved notebook."""

_LONG_LINE = 120
_PNG = "image/png"


class Title(NamedTuple):
    """A card's glyph, name, and subject."""

    glyph: str
    name: str
    about: str


def title(tool: str, arguments: Json, shown: Sequence[Json] = ()) -> Title:
    """Return the title of a call of the kernel's tool with this name, which is without its prefix.

    A cell is named by its number in `shown`, as people count it; by its id where nobody knows what was shown.
    """
    code = arguments.get("code")
    if tool == PYTHON:
        return Title("\u203a", "Python", _first_line(code if isinstance(code, str) else ""))
    given = (value for name, value in arguments.items() if name != "source" and isinstance(value, str))
    about = next((cell_number(block) for block in shown if is_cell(block)), "") or next(given, "")
    glyph, about_none = _TITLES.get(tool, ("\u25c7", ""))
    return Title(glyph, tool.replace("_", " ").capitalize(), shorten(about or about_none, _LONG_LINE))


_TITLES = {
    "variables": ("\u2261", ""),
    "inspect": ("\u2315", ""),
    "figure": ("\u25a6", "the last shown"),
    "history": ("\u21ba", ""),
    "progress": ("\u25d4", "what the kernel is doing"),
    "cells": ("\u2630", "of the notebook"),
    "edit_cell": ("\u270e", ""),
    "insert_cell": ("+", ""),
    "delete_cell": ("\u2212", ""),
    "move_cell": ("\u2195", ""),
    RUN_CELL: ("\u25b7", ""),
}
"""Glyph of each tool, and its subject if it is called without one."""


def _first_line(code: str) -> str:
    """Return the first line that says something, and the number of all others."""
    lines = [line for line in code.split("\n") if line.strip()]
    if not lines:
        return ""
    first = shorten(lines[0].lstrip("# "), _LONG_LINE)
    return first if len(lines) == 1 else f"{first} (+{len(lines) - 1} line{'s' * (len(lines) > 2)})"


@dataclass(slots=True, frozen=True)
class Work:
    """What there is to show of a call: its code, its output for the model, attachments, and blocks for the user.

    `shown` is empty where nobody knows what was shown.
    """

    code: str
    output: str
    attachments: Sequence[Json]
    shown: Sequence[Json]


def blocks(work: Work) -> list[Block]:
    """Return a call's blocks: the code, what it printed, returned and drew, and at last what it changed."""
    made: list[Block] = [Code(work.code, "code.py", "Python code")] if work.code else []
    if not work.shown and work.output:
        made.append(Output(work.output))
    shown = [(str(block.get("kind")), block) for block in work.shown if isinstance(block, dict)]
    figures = _figures(work.attachments, [block for kind, block in shown if kind == "image"])
    drawn: list[Block | None] = [next(figures) if kind == "image" else _drawn(kind, block) for kind, block in shown]
    changes = [Pairs([("Changed", text)]) for kind, block in shown if kind == "changes" and (text := _text(block))]
    return [*made, *(one for one in drawn if one), *figures, *changes]


def _drawn(kind: str, block: Json) -> Block | None:
    return _BLOCKS[kind](block) if kind in _BLOCKS else None


def progress(shown: Sequence[Json]) -> str:
    """Return how far a call is; "" if it does not say."""
    return next((_text(block) for block in shown if isinstance(block, dict) and block.get("kind") == "progress"), "")


def has_failed(made: Sequence[Block]) -> bool:
    """Return whether the blocks tell an error."""
    return any(isinstance(block, Traceback) for block in made)


def is_vivid(made: Sequence[Block]) -> bool:
    """Return whether the blocks are worth being seen at once: there is a figure among them."""
    return any(isinstance(block, Attachment) for block in made)


def _figures(attachments: Sequence[Json], images: Sequence[Json]) -> Iterator[Attachment]:
    """Yield the pictures in order: attached by the server, or ours where the gate did not let them through."""
    files = [*attachments, *map(_picture, images[len(attachments) :])]
    for number, file in enumerate(files, 1):
        mime = str(file.get("mime") or "")
        name = "Figure" if mime.startswith("image/") else "File"
        yield Attachment(mime, name if len(files) == 1 else f"{name} {number}", str(file.get("url") or ""))


def _picture(block: Json) -> Json:
    """Return a picture of ours as an attachment; without data if it was left out."""
    data = block.get("png")
    return {"mime": _PNG, "url": f"data:{_PNG};base64,{data}" if isinstance(data, str) and data else ""}


def _text(block: Json) -> str:
    return _string(block.get("text"))


def table(block: Json) -> Table | Output | None:
    """Return what a block of the kind "table" shows: at most MAX_ROWS and MAX_COLUMNS of it."""
    columns, size = _texts(block.get("columns")), _string(block.get("size"))
    listed = block.get("rows")
    rows = [_filled(_texts(row), len(columns))[:MAX_COLUMNS] for row in listed] if isinstance(listed, list) else []
    if not columns:
        return Output(size) if size else None
    if len(rows) > MAX_ROWS or len(columns) > MAX_COLUMNS:
        size = f"{size} (here {min(len(rows), MAX_ROWS)} rows, {min(len(columns), MAX_COLUMNS)} columns)".lstrip()
    index = _texts(block.get("index"))
    index = _filled(index, len(rows))[:MAX_ROWS] if index else []
    dtypes = _texts(block.get("dtypes"))[:MAX_COLUMNS]
    return Table(columns[:MAX_COLUMNS], rows[:MAX_ROWS], dtypes, index, size)


def is_cell(block: Any) -> bool:
    """Whether a block is about a cell of the notebook."""
    return isinstance(block, dict) and block.get("kind") == "cell"


def cell_name(block: Json) -> str:
    """Return how a block of the kind "cell" names its cell, within a sentence: `cell 2`."""
    name = _string(block.get("title"))
    return name[:1].lower() + name[1:]


def cell_number(block: Json) -> str:
    """Return how it names its cell after the word "cell": `2`; all of its name if it has no number yet."""
    return cell_name(block).removeprefix("cell ")


def cell_change(block: Json) -> Json:
    """Return what a block of the kind "cell" changes, as the change of a file that is named as the cell."""
    before, after = block.get("before"), block.get("after")
    changed = patch(_string(before), _string(after))
    status = "added" if before is None else "deleted" if after is None else "modified"
    return {"file": _string(block.get("title")) or "Cell", "patch": changed, "status": status}


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _filled(texts: list[str], count: int) -> list[str]:
    return [*texts[:count], *[""] * (count - len(texts))]


def _texts(value: Any) -> list[str]:
    return ["" if item is None else str(item) for item in value] if isinstance(value, list) else []


def _output(block: Json, heading: str = "") -> Output | None:
    return Output(_text(block), title=heading) if _text(block) else None


def _cell(block: Json) -> Block:
    """Return a cell's change; its code where there is none, as when it is run."""
    before = _string(block.get("before"))
    return Code(before, "cell.py", "Cell") if before == block.get("after") else Change(cell_change(block))


_BLOCKS: dict[str, Callable[[Json], Block | None]] = {
    "stdout": _output,
    "stderr": lambda block: _output(block, "Standard error"),
    "value": _output,
    "table": table,
    "error": lambda block: Traceback(_text(block)) if _text(block) else None,
    "cell": _cell,
}
