"""What a run from the top found, by cell: as text, Markdown, HTML, and for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from opencode_nb.verify.compare import Difference

if TYPE_CHECKING:
    from rich.console import RenderableType

    from opencode_nb.render.findings import Finding, Mark

Status = Literal["same", "new", "played", "skipped", "depends", "unrun", "differs", "stopped", "raises"]

FAILED: tuple[Status, ...] = ("raises", "stopped", "differs", "unrun")
"""What makes a notebook unsound. What depends on a prompt is not known to be sound, and not known to be wrong."""

_WORDS: dict[Status, tuple[Mark, str, str]] = {
    "raises": ("bad", "raises", "raise"),
    "stopped": ("bad", "was stopped", "were stopped"),
    "differs": ("warn", "differs", "differ"),
    "unrun": ("warn", "was not run", "were not run"),
    "depends": ("muted", "depends on a prompt that was not run again", "depend on a prompt that was not run again"),
    "skipped": ("muted", "was not run again", "were not run again"),
    "played": ("good", "was played from a recording", "were played from a recording"),
    "new": ("good", "has nothing to compare with", "have nothing to compare with"),
    "same": ("good", "shows what it showed", "show what they showed"),
}
"""Status -> its mark, and what is said of one cell and of several; what matters most comes first."""


_QUIET: tuple[Status, ...] = ("same", "new", "played")
"""What needs no words, unless there are notes."""


@dataclass(frozen=True, slots=True)
class CellReport:
    """What a code cell did. `number` counts all cells from 1 on; `count` is its saved execution count.

    `reason` says more of the status; `notes` say what its result depends on besides the cells above it.
    """

    number: int
    id: str
    count: int | None
    source: str
    status: Status
    reason: str = ""
    differences: Sequence[Difference] = ()
    traceback: str = ""
    notes: Sequence[str] = ()

    @property
    def title(self) -> str:
        """The cell and what became of it, in one line."""
        return f"Cell {self.number}{f' (In[{self.count}])' if self.count else ''} {_WORDS[self.status][1]}."

    @property
    def first_line(self) -> str:
        """The first line of its source that says something."""
        return next((line.strip() for line in self.source.splitlines() if line.strip()), "")

    @property
    def finding(self) -> Finding:
        """What to show of it."""
        from opencode_nb.render.findings import Finding

        blocks = [self.traceback] if self.traceback else [one.lines for one in self.differences if one.lines]
        lines = [self.reason, *(one.what for one in self.differences), *self.notes]
        return Finding(_WORDS[self.status][0], self.title, self.first_line, tuple(filter(None, lines)), tuple(blocks))


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a run. `notes` are about the whole notebook."""

    path: Path
    kernel: str
    seconds: float
    cells: Sequence[CellReport]
    notes: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Whether every cell that was to run did, and shows what stands in the notebook."""
        return not any(cell.status in FAILED for cell in self.cells)

    @property
    def listed(self) -> list[CellReport]:
        """The cells with something to say about."""
        return [cell for cell in self.cells if cell.status not in _QUIET or cell.notes]

    @property
    def summary(self) -> str:
        """The result in one line."""
        limited = ", as far as it was run" if any(cell.status in ("skipped", "depends") for cell in self.cells) else ""
        verdict = f"is sound{limited}" if self.ok else "is not sound"
        ran = f"run from the top in a fresh kernel ({self.kernel}, {self.seconds:.0f} s)"
        return f"{self.path.name} {verdict}: {', '.join(self._counts()) or 'it has no code'}, {ran}."

    def _counts(self) -> Iterator[str]:
        for status, (_mark, one, several) in _WORDS.items():
            count = sum(cell.status == status for cell in self.cells)
            if count:
                yield f"1 cell {one}" if count == 1 else f"{count} cells {several}"

    @property
    def rest(self) -> str:
        """Which cells show what they showed when they were saved; "" if none does."""
        numbers = [cell.number for cell in self.cells if cell.status == "same"]
        return f"Cells that show what they showed: {ranges(numbers)}." if numbers else ""

    # -- forms ---------------------------------------------------------------------------------------------------------

    def _shown(self) -> tuple[str, list[Finding], list[str]]:
        return self.summary, [cell.finding for cell in self.listed], [line for line in (self.rest, *self.notes) if line]

    def __str__(self) -> str:
        from opencode_nb.render.findings import findings_text

        return findings_text(*self._shown())

    __repr__ = __str__

    def __rich__(self) -> RenderableType:
        from opencode_nb.render.findings import findings_terminal

        return findings_terminal(*self._shown())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from opencode_nb.render.findings import findings_html, findings_markdown, findings_text

        shown = self._shown()
        return {
            "text/html": findings_html(*shown),
            "text/markdown": findings_markdown(*shown),
            "text/plain": findings_text(*shown),
        }

    def told(self) -> Iterator[tuple[str, bool]]:
        """Yield the report for a model, in pieces, each with whether it has the notebook's data in it."""
        yield f"{self.summary}\nCells are counted from 1 on, Markdown cells included.\n", False
        for cell in self.listed:
            yield f"\n{cell.title} Its id: {cell.id}\n", False
            finding = cell.finding
            yield "\n".join([finding.source, *finding.lines, *finding.blocks, ""]), True
        yield "\n".join(["", self.rest, *self.notes]), False


def ranges(numbers: Sequence[int]) -> str:
    """Write ascending numbers with their runs joined: 1, 3 to 5."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
