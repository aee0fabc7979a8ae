"""Protocols of what render/diff draws: a diff, its files and their hunks, read-only. Pure.

The classes in `changes.diff` implement them, and can also revert changes; drawing never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from opencode_nb.diffs.memory import KernelChanges
from opencode_nb.diffs.patch import Line


class ReviewableHunk(Protocol):
    """Some changed lines with context. Numbers count from 1."""

    @property
    def header(self) -> str:
        """The `@@ -1,2 +1,3 @@` line."""

    @property
    def old_start(self) -> int:
        """The number of the first line before the change."""

    @property
    def old_lines(self) -> int:
        """Number of lines before the change."""

    @property
    def new_start(self) -> int:
        """The number of the first line after the change."""

    @property
    def new_lines(self) -> int:
        """Number of lines after the change."""

    @property
    def lines(self) -> Sequence[Line]:
        """The lines, including unchanged ones."""


class ReviewableFile(Protocol):
    """One file's change, and its state on disk."""

    @property
    def file(self) -> str:
        """The path, relative to the work tree, with `/`."""

    @property
    def old_file(self) -> str:
        """The path before a rename; "" if it was not renamed."""

    @property
    def status(self) -> str:
        """added, deleted, modified or renamed."""

    @property
    def additions(self) -> int:
        """Lines added."""

    @property
    def deletions(self) -> int:
        """Lines removed."""

    @property
    def patch(self) -> str:
        """The change as `git diff` shows it."""

    @property
    def before(self) -> bytes | None:
        """The whole file before; None if it did not exist or is unknown."""

    @property
    def after(self) -> bytes | None:
        """The whole file after; None if it does not exist or is unknown."""

    @property
    def binary(self) -> bool:
        """Whether it has no lines to show."""

    @property
    def old_mode(self) -> str:
        """Git's mode before; "" for no file."""

    @property
    def new_mode(self) -> str:
        """Git's mode after; "" for no file."""

    @property
    def hunks(self) -> Sequence[ReviewableHunk]:
        """The hunks, in order."""

    @property
    def reverted(self) -> Sequence[bool | None]:
        """Whether each hunk is reverted on disk now; None for those that others changed since."""

    @property
    def state(self) -> str:
        """The file's state on disk now: "applied", "reverted", "partly" or "changed since"."""


class ReviewableCell(Protocol):
    """What changed in one cell of an open notebook, and whether it is taken back."""

    @property
    def id(self) -> str:
        """The cell's id in its notebook."""

    @property
    def notebook(self) -> str:
        """The notebook's path, as Jupyter's server names it."""

    @property
    def title(self) -> str:
        """What people call the cell: `cell 3`."""

    @property
    def status(self) -> str:
        """added, deleted, modified, or moved if its source is the same."""

    @property
    def moved(self) -> bool:
        """Whether it was moved."""

    @property
    def patch(self) -> str:
        """The changed lines of its source, as hunks."""

    @property
    def reverted(self) -> bool:
        """Whether the change is taken back now."""


class ReviewableDiff(Protocol):
    """Changed files and cells, and the source of the changes."""

    @property
    def files(self) -> Sequence[ReviewableFile]:
        """The changed files."""

    @property
    def cells(self) -> Sequence[ReviewableCell]:
        """The changed cells of the open notebook."""

    @property
    def additions(self) -> int:
        """Lines added in all files."""

    @property
    def deletions(self) -> int:
        """Lines removed in all files."""

    @property
    def patch(self) -> str:
        """The patches of all files."""

    @property
    def source(self) -> str:
        """The source of the changes, and what it can miss, in one line."""

    @property
    def kernel(self) -> KernelChanges | None:
        """What a turn's code changed in the kernel; None if it ran none."""
