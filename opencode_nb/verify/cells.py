"""A notebook's code cells as they stand: what of each is for the agent, and the names of the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opencode_nb.verify.names import Names, names_of
from opencode_nb.verify.source import Prompts, without_prompts


@dataclass(frozen=True, slots=True)
class CodeCell:
    """A code cell: its place among all cells from 0 on, what was saved of it, and what its source says."""

    index: int
    id: str
    source: str
    count: int | None
    outputs: Sequence[Mapping[str, Any]]
    tags: Sequence[str]
    prompts: Prompts
    names: Names

    @property
    def number(self) -> int:
        """Its place from 1 on, as reports count."""
        return self.index + 1

    @property
    def label(self) -> str:
        """The cell as a report names it: `cell 3 (In[7])`."""
        return f"cell {self.number}" + (f" (In[{self.count}])" if self.count else "")

    @property
    def may_raise(self) -> bool:
        """Whether it is tagged as one that raises."""
        return "raises-exception" in self.tags

    @property
    def may_run(self) -> bool:
        """Whether it is not tagged as one to leave out."""
        return "skip-execution" not in self.tags


def code_cells(cells: Sequence[Mapping[str, Any]], *, replaying: bool = False) -> list[CodeCell]:
    """Read the code cells that have a source, from a notebook's `cells`; `replaying`: prompts are played."""
    code = [(i, cell) for i, cell in enumerate(cells) if cell["cell_type"] == "code" and cell["source"].strip()]
    return [_read(index, cell, without_prompts(cell["source"], replaying=replaying)) for index, cell in code]


def _read(index: int, cell: Mapping[str, Any], prompts: Prompts) -> CodeCell:
    names = names_of(prompts.rest)
    if prompts.asks:  # what the agent did in the kernel may have set anything
        names = Names(names.reads, names.later, names.sets | prompts.names, hidden=True)
    return CodeCell(
        index=index,
        id=str(cell.get("id") or ""),
        source=cell["source"],
        count=cell.get("execution_count"),
        outputs=cell.get("outputs") or (),
        tags=cell["metadata"].get("tags") or (),
        prompts=prompts,
        names=names,
    )
