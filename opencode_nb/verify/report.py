"""What a run from the top found, by cell: as text, Markdown, HTML, and for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from opencode_nb.verify.compare import Difference
from opencode_nb.verify.text import shortened

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


LISTED = 100
"""Most cells that are listed in a report: it is saved in the notebook."""
TOLD = 20
"""Most cells that a model is told of at once: the next report has the others."""
LINE = 300
"""Most characters of a line that are shown."""

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
        said = [self.reason, *(one.what for one in self.differences), *self.notes]
        lines = tuple(shortened(line, LINE) for line in said if line)
        return Finding(_WORDS[self.status][0], self.title, shortened(self.first_line, LINE), lines, tuple(blocks))


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
        if not self.ok:
            return f"{self.path.name} is not sound: {', '.join(self._counts(FAILED))}."
        limited = ", as far as it was run" if any(cell.status in ("skipped", "depends") for cell in self.cells) else ""
        return f"{self.path.name} is sound{limited}."

    @property
    def ran(self) -> str:
        """What was run, and what became of all cells, in one line."""
        counts = ", ".join(self._counts(_WORDS)) or "it has no code"
        return f"Run from the top in a fresh kernel ({self.kernel}, {self.seconds:.0f} s): {counts}."

    def _counts(self, statuses: Iterable[Status]) -> Iterator[str]:
        for status in statuses:
            _mark, one, several = _WORDS[status]
            count = sum(cell.status == status for cell in self.cells)
            if count:
                yield f"1 cell {one}" if count == 1 else f"{count} cells {several}"

    # -- forms ---------------------------------------------------------------------------------------------------------

    def _shown(self) -> tuple[str, list[Finding], list[str]]:
        more = [f"{len(self.listed) - LISTED} more cells are not listed."] if len(self.listed) > LISTED else []
        return self.summary, [cell.finding for cell in self.listed[:LISTED]], [*more, self.ran, *self.notes]

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
        yield f"{self.summary} {self.ran}\nCells are counted from 1 on, Markdown cells included.\n", False
        for cell in self.listed[:TOLD]:
            yield f"\n{cell.title} Its id: {cell.id}\n", False
            finding = cell.finding
            yield "\n".join([finding.source, *finding.lines, *finding.blocks, ""]), True
        yield "\n".join(["", *self.notes]), False
