"""CellDiff: what turns changed in a cell of the notebook, as a value to inspect, and to revert or reapply.

The cells are those of the open notebook's page, not of its file; the kernel that changed them takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from opencode_nb.diffs import cells
from opencode_nb.diffs.cells import CellChange, ChangedCells
from opencode_nb.diffs.memory import Restored
from opencode_nb.diffs.outcome import Outcome
from opencode_nb.errors import DiffConflictError


class CellDiff:
    """One cell's change: `id`, `notebook`, `title`, `status`, `before`, `after`, `patch`; `revert()` and `apply()`."""

    def __init__(self, change: CellChange, source: ChangedCells) -> None:
        self._change = change
        self._source = source

    @property
    def id(self) -> str:
        """The cell's id in its notebook."""
        return self._change.id

    @property
    def notebook(self) -> str:
        """The notebook's path, as Jupyter's server names it."""
        return self._change.notebook

    @property
    def title(self) -> str:
        """What people call the cell, counted from 1: `cell 3`."""
        return self._change.title

    @property
    def status(self) -> str:
        """added, deleted, modified, or moved if its source is the same."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "deleted"
        return "moved" if self.before == self.after else "modified"

    @property
    def moved(self) -> bool:
        """Whether it was moved."""
        return self._change.moved

    @property
    def before(self) -> str | None:
        """Its source before; None for a new cell."""
        return self._change.before

    @property
    def after(self) -> str | None:
        """Its source after; None for a deleted cell."""
        return self._change.after

    @property
    def patch(self) -> str:
        """The changed lines of its source, as hunks."""
        return cells.patch(self.before, self.after)

    @property
    def reverted(self) -> bool:
        """Whether the change is taken back now."""
        return any(change.id == self.id and change.undone for change in self._source.listed())

    def revert(self) -> Outcome:
        """Take the change back on the page. Raises DiffConflictError if it was changed since, or no page is there."""
        return _outcome(self._source.switch([self.id], back=True))

    def apply(self) -> Outcome:
        """Bring the change back after a revert. Raises DiffConflictError like `revert`."""
        return _outcome(self._source.switch([self.id], back=False))

    def __repr__(self) -> str:
        return f"<CellDiff {self.status} {self.title} of {self.notebook}>"


class Together:
    """All cells of a diff, taken back in the reverse order of their changes: places depend on it."""

    status = "modified"

    def __init__(self, diffs: Sequence[CellDiff], source: ChangedCells) -> None:
        self._diffs, self._source = diffs, source

    def _switch(self, *, back: bool) -> Outcome:
        return _outcome(self._source.switch([one.id for one in self._diffs], back=back))

    _finish = _switch


def _outcome(restored: Restored) -> Outcome:
    if restored.refused and not restored.restored:
        told = " ".join(f"{name}: {reason}" for name, reason in restored.refused)
        raise DiffConflictError(f"Nothing was changed: {told}", refused=restored.refused)
    return Outcome(restored.restored, restored.refused)
