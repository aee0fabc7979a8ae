"""Tell what in a notebook depends on the order in which its cells ran, or on what is no longer in it. Pure.

From the sources, and from the execution counts that were saved: they tell the order of each cell's last run.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Sequence

from opencode_nb.verify.cells import CodeCell

_GIVEN = frozenset({*dir(builtins), "display", "get_ipython", "exit", "quit", "__name__", "__doc__", "_", "__", "___"})
"""Names that every cell has."""
_NUMBERED = re.compile(r"_i?\d+|_[io]h|_i{1,3}|In|Out")
"""IPython's names for sources and values by number."""


def notes(cells: Sequence[CodeCell]) -> dict[int, list[str]]:
    """Return by a cell's number what its result depends on besides the cells above it, if anything."""
    found = {cell.number: list(_notes(cells, at)) for at, cell in enumerate(cells)}
    return {number: lines for number, lines in found.items() if lines}


def _notes(cells: Sequence[CodeCell], at: int) -> Iterator[str]:
    cell = cells[at]
    yield from _out_of_order(cells, at)
    for name in sorted(cell.names.reads - _GIVEN):
        if _NUMBERED.fullmatch(name):
            yield f"It reads `{name}`, which depends on the numbers of the cells' runs."
        elif note := _of_name(cells, at, name):
            yield note
    everywhere = {name for one in cells for name in one.names.sets}
    if not any(one.names.hidden for one in cells):
        for name in sorted(cell.names.later - everywhere - _GIVEN):
            yield f"Its functions read `{name}`, which no cell sets."


def _out_of_order(cells: Sequence[CodeCell], at: int) -> Iterator[str]:
    cell = cells[at]
    above = [one for one in cells[:at] if (one.count or 0) > (cell.count or 0) > 0 and _order_matters(one, cell)]
    if above:
        last = max(above, key=lambda one: one.count or 0)
        yield f"It last ran before {last.label}, which stands above it."


def _order_matters(one: CodeCell, other: CodeCell) -> bool:
    """Whether both use the same name, or one that may use any meets one that uses some."""
    mine, theirs = ((cell.names.reads | cell.names.later | cell.names.sets) - _GIVEN for cell in (one, other))
    if one.names.hidden or other.names.hidden:
        return bool(mine or one.names.hidden) and bool(theirs or other.names.hidden)
    return not mine.isdisjoint(theirs)


def _of_name(cells: Sequence[CodeCell], at: int, name: str) -> str:
    """Return where the value of a name was from, if a run from the top gets it from elsewhere; else ""."""
    cell = cells[at]
    above = next((one for one in reversed(cells[:at]) if name in one.names.sets), None)
    ran = _set_last_by(cells, cell, name)
    if above is None:
        return _not_above(cells, at, name, ran)
    if ran is not None and ran is not above and ran.number > above.number:
        return f"It read `{name}` of {ran.label}; from the top, it reads that of {above.label}."
    if name in cell.names.sets and _may_have_run_again(cells, cell):
        return f"It reads `{name}` and sets it: each run gives another value, and it may have run more than once."
    return ""


def _not_above(cells: Sequence[CodeCell], at: int, name: str, ran: CodeCell | None) -> str:
    below = ran or next((one for one in cells[at + 1 :] if name in one.names.sets), None)
    if below is not None:
        return f"It reads `{name}`, which {below.label}, below it, sets."
    if any(one.names.hidden for one in cells[:at]):
        return ""
    return f"It reads `{name}`, which no cell sets: its value was of code that is no longer here."


def _set_last_by(cells: Sequence[CodeCell], cell: CodeCell, name: str) -> CodeCell | None:
    """Return the cell that set a name last before this one ran, by the counts; None if they do not tell."""
    counts = [(one.count, one) for one in cells if one.count and cell.count and name in one.names.sets]
    return max(((n, one) for n, one in counts if n < (cell.count or 0)), key=lambda pair: pair[0], default=(0, None))[1]


def _may_have_run_again(cells: Sequence[CodeCell], cell: CodeCell) -> bool:
    """Whether a run just before the cell's is one that no cell has: the cell's own, perhaps."""
    return bool(cell.count) and cell.count != 1 and (cell.count or 0) - 1 not in {one.count for one in cells}
