"""Compare two versions of a notebook cell by cell: added, removed, moved, changed.

Only sources and cell types count. Outputs, execution counts, metadata and ids change with every run (nbdime separates
them the same way); they count only on request.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal

from opencode_nb.diffs.blocks import prepare
from opencode_nb.diffs.build import hunks
from opencode_nb.diffs.patch import Hunk

Json = dict[str, Any]
CellStatus = Literal["same", "added", "removed", "moved", "changed"]

_ALIKE = 0.5
"""Minimum similarity of two sources to be one changed cell, rather than one removed and one added."""

_MAX_BYTES = 64 << 20
"""Larger notebooks are not compared cell by cell: they are shown as text, with the middle left out."""

_MAX_COMPARED = 20_000
"""Longer sources, in characters, are not compared for similarity: the time grows with the product of both lengths."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `type` is code, markdown or raw; the rest is as in nbformat, with lists of lines joined."""

    type: str
    source: str
    id: str = ""
    execution_count: int | None = None
    outputs: list[Json] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CellDiff:
    """One cell's change. Indices count from 0, None on a side without the cell; a moved cell may be changed too.

    `hunks` is the change of its source; `ran` tells whether its outputs or execution count differ.
    """

    status: CellStatus
    before: Cell | None
    after: Cell | None
    old_index: int | None
    new_index: int | None
    hunks: tuple[Hunk, ...] = ()
    ran: bool = False


@dataclass(frozen=True, slots=True)
class NotebookDiff:
    """The cells in the new notebook's order, removed ones in their old places. `metadata`: whether it differs."""

    cells: tuple[CellDiff, ...]
    metadata: bool

    @property
    def changed(self) -> tuple[CellDiff, ...]:
        """The cells that differ."""
        return tuple(cell for cell in self.cells if cell.status != "same")


def compare(before: bytes | None, after: bytes | None, *, outputs: bool = False) -> NotebookDiff:
    """Compare two versions of a notebook (None: no file). Raises ValueError if one of them is not a notebook.

    With `outputs`, cells also count as changed if their outputs, execution counts, metadata or ids differ.
    """
    try:
        return _compared(before, after, outputs)
    except RecursionError:
        raise ValueError("This notebook cannot be shown: it is nested too deeply.") from None


def _compared(before: bytes | None, after: bytes | None, outputs: bool) -> NotebookDiff:
    (old, old_metadata), (new, new_metadata) = _read(before), _read(after)
    pairs = _pairs(old, new)
    prepare((old[i].source, new[j].source) for j, i in pairs.items())
    kept = _in_order(pairs)
    return NotebookDiff(tuple(_ordered(old, new, pairs, kept, outputs)), old_metadata != new_metadata)


# Reading


def _read(data: bytes | None) -> tuple[list[Cell], Json]:
    """Return the cells and the notebook's metadata. Raises ValueError for anything invalid in nbformat 4."""
    if data is None:
        return [], {}
    if len(data) > _MAX_BYTES:
        raise ValueError(f"This notebook has more than {_MAX_BYTES >> 20} MB.")
    notebook = _typed(json.loads(data.decode("utf-8"), parse_constant=str), dict)  # NaN as text: equal to itself
    return [_cell(_typed(cell, dict)) for cell in _typed(notebook.get("cells"), list)], _object(notebook)


def _cell(cell: Json) -> Cell:
    count = cell.get("execution_count")
    return Cell(
        type=_typed(cell.get("cell_type"), str),
        source=_joined(cell.get("source", "")),
        id=str(cell.get("id") or ""),
        execution_count=count if count is None else _typed(count, int),
        outputs=[_typed(output, dict) for output in _typed(cell.get("outputs") or [], list)],
        metadata=_object(cell),
    )


def _object(holder: Json) -> Json:
    metadata: Json = _typed(holder.get("metadata") or {}, dict)
    return metadata


def _joined(text: Any) -> str:
    return text if isinstance(text, str) else "".join(_typed(line, str) for line in _typed(text, list))


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        found = type(value).__name__
        raise ValueError(f"This is not an nbformat 4 notebook: expected {kind.__name__}, found {found}.")
    return value


# Pairing


def _pairs(old: Sequence[Cell], new: Sequence[Cell]) -> dict[int, int]:
    """Pair new cells with old ones: by id, then by equal content, then by similarity. Maps new index to old index."""
    found: dict[int, int] = {}
    _pair_by(found, [cell.id for cell in old], [cell.id for cell in new])
    _pair_by(found, [_content(cell) for cell in old], [_content(cell) for cell in new])
    free = [i for i in range(len(old)) if i not in found.values()]
    for j in (j for j in range(len(new)) if j not in found):
        likely = [i for i in free if _between_neighbours(found, i, j) and _alike(old[i], new[j])]
        if likely:
            found[j] = likely[0]
            free.remove(likely[0])
    return found


def _pair_by(found: dict[int, int], old: Sequence[str], new: Sequence[str]) -> None:
    """Pair cells with the same key, repeated keys in order."""
    taken = set(found.values())
    places: dict[str, list[int]] = {}
    for i, key in enumerate(old):
        if key and i not in taken:
            places.setdefault(key, []).append(i)
    for j, key in enumerate(new):
        if j not in found and places.get(key):
            found[j] = places[key].pop(0)


def _content(cell: Cell) -> str:
    return f"{cell.type}\n{cell.source}" if cell.source.strip() else ""


def _between_neighbours(found: dict[int, int], i: int, j: int) -> bool:
    """Return whether this pair would cross none of the nearest pairs: a similar cell must be in the same place."""
    above = max((k for k in found if k < j), default=None)
    below = min((k for k in found if k > j), default=None)
    return (above is None or found[above] < i) and (below is None or found[below] > i)


def _alike(old: Cell, new: Cell) -> bool:
    if old.type != new.type or max(len(old.source), len(new.source)) > _MAX_COMPARED:
        return False
    matcher = SequenceMatcher(None, old.source, new.source, autojunk=False)
    return matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def _in_order(pairs: dict[int, int]) -> set[int]:
    """Return the new indices of the longest run of pairs in the same order; the other cells were moved."""
    tails: list[int] = []  # the old index that ends the best run of each length
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for j in sorted(pairs):
        at = bisect_left(tails, pairs[j])
        before[j] = ends[at - 1] if at else None
        tails[at : at + 1], ends[at : at + 1] = [pairs[j]], [j]
    kept: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        kept.add(last)
        last = before[last]
    return kept


# The result


def _ordered(
    old: Sequence[Cell], new: Sequence[Cell], pairs: dict[int, int], kept: Iterable[int], outputs: bool
) -> Iterator[CellDiff]:
    """Yield the new cells in order, and removed ones before the first kept cell that followed them."""
    removed = [i for i in range(len(old)) if i not in pairs.values()]
    stays = set(kept)
    for j, cell in enumerate(new):
        i = pairs.get(j)
        if i is None:
            yield CellDiff("added", None, cell, None, j)
            continue
        while j in stays and removed and removed[0] < i:
            yield _removed(old, removed.pop(0))
        yield _paired(old[i], cell, i, j, j not in stays, outputs)
    for i in removed:
        yield _removed(old, i)


def _removed(old: Sequence[Cell], i: int) -> CellDiff:
    return CellDiff("removed", old[i], None, i, None)


def _paired(before: Cell, after: Cell, i: int, j: int, is_moved: bool, outputs: bool) -> CellDiff:
    ran = (before.outputs, before.execution_count) != (after.outputs, after.execution_count)
    changed = (before.type, before.source) != (after.type, after.source)
    changed = changed or (outputs and before != after)
    status: CellStatus = "moved" if is_moved else "changed" if changed else "same"
    return CellDiff(status, before, after, i, j, hunks(before.source, after.source), ran)
