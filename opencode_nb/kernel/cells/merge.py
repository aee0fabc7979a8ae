"""Find what was written to a notebook's file, cell by cell, and what of it can be done in the open notebook. Pure.

Cells are known by their ids. Only sources, new cells and deleted cells can be taken over; and nothing of what the user
has written since: such cells are named, with why.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from opencode_nb.kernel.cells import cell as cells
from opencode_nb.kernel.cells.cell import Cell
from opencode_nb.kernel.cells.reading import OUTPUT_CHARACTERS
from opencode_nb.tools.tool import Json

NO_IDS = "its cells have no ids"
CHANGED = "{}: you have changed it, too"
DELETED = "{}: you have deleted it"
BEYOND = "outputs, metadata, types or the order of cells"


@dataclass(slots=True)
class Plan:
    """New sources and deletions by id, insertions after a cell (None: at the top); `left` is what cannot be done."""

    edits: list[tuple[str, str]] = field(default_factory=list)
    deletions: list[str] = field(default_factory=list)
    insertions: list[tuple[str | None, Cell]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def plan(before: bytes, after: bytes, live: Sequence[Cell]) -> Plan:
    """Plan how to bring a change of the file into the live notebook. Raises ValueError if a side is no notebook."""
    sides = [json.loads(side) for side in (before, after)]
    if not all(isinstance(side, dict) for side in sides):
        raise ValueError("This is no notebook.")
    old, new = (cells.of_file(side, OUTPUT_CHARACTERS) for side in sides)
    was, now = {cell.id: cell for cell in old}, {cell.id: cell for cell in live}
    made = Plan()
    if not all(map(_are_told_apart, (old, new))):
        made.left.append(NO_IDS)
        return made
    above: str | None = None
    for cell in new:
        _add(made, was.get(cell.id), cell, now.get(cell.id), above)
        above = cell.id
    for cell in old:
        mine = now.get(cell.id)
        if mine is not None and all(cell.id != other.id for other in new):
            _add_deletion(made, cell, mine)
    both = was.keys() & {cell.id for cell in new}
    brings_outputs = any(cell.get("outputs") for cell in _cells(sides[1]) if cell.get("id") not in was)
    if brings_outputs or _rest(sides[0], both) != _rest(sides[1], both):
        made.left.append(BEYOND)
    return made


def _add(made: Plan, old: Cell | None, new: Cell, mine: Cell | None, above: str | None) -> None:
    if old is None and mine is None:
        made.insertions.append((above, new))
    elif old is not None and old.source == new.source:
        return
    elif mine is None:
        made.left.append(DELETED.format(new.title))
    elif old is not None and mine.source == old.source:
        made.edits.append((new.id, new.source))
    elif mine.source != new.source:
        made.left.append(CHANGED.format(mine.title))


def _add_deletion(made: Plan, old: Cell, mine: Cell) -> None:
    if mine.source == old.source:
        made.deletions.append(mine.id)
    else:
        made.left.append(CHANGED.format(mine.title))


def _are_told_apart(side: Sequence[Cell]) -> bool:
    ids = [cell.id for cell in side]
    return all(ids) and len(set(ids)) == len(ids)


def _rest(side: Json, known: Collection[str]) -> Json:
    """Return what cannot be taken over of these cells, in order, and of the notebook."""
    rest = [{name: value for name, value in cell.items() if name != "source"} for cell in _cells(side)]
    return {**side, "cells": [cell for cell in rest if cell.get("id") in known]}


def _cells(side: Json) -> list[Json]:
    return [cell for cell in side.get("cells") or [] if isinstance(cell, dict)]
