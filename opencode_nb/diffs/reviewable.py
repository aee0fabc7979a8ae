"""What render/diff draws: a diff, its files and their hunks, as they can be read. Pure.

`changes.diff` has the classes that fulfil these protocols, and can also take changes back; what is drawn never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from opencode_nb.diffs.patch import Line


class ReviewableHunk(Protocol):
    """A few changed lines with those around them. Numbers count from 1."""

    @property
    def header(self) -> str:
        """The `@@ -1,2 +1,3 @@` line."""

    @property
    def old_start(self) -> int:
        """The first line's number before."""

    @property
    def old_lines(self) -> int:
        """How many lines it has of the file before."""

    @property
    def new_start(self) -> int:
        """The first line's number after."""

    @property
    def new_lines(self) -> int:
        """How many lines it has of the file after."""

    @property
    def lines(self) -> Sequence[Line]:
        """Its lines, unchanged ones too."""


class ReviewableFile(Protocol):
    """One file's change, and how the file on disk stands to it."""

    @property
    def file(self) -> str:
        """Its path, relative to the work tree, with `/`."""

    @property
    def old_file(self) -> str:
        """Where it was before it was renamed; "" where it was not."""

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
        """The whole file before; None where there was none, or where it is not known."""

    @property
    def after(self) -> bytes | None:
        """The whole file after; None where there is none, or where it is not known."""

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
        """Its changed places, in order."""

    @property
    def reverted(self) -> Sequence[bool | None]:
        """Which hunks are taken back on disk now; None for those that somebody else changed since."""

    @property
    def state(self) -> str:
        """How the file on disk stands to it now: "applied", "reverted", "partly" or "changed since"."""


class ReviewableDiff(Protocol):
    """Changed files, and where it is known from that they changed."""

    @property
    def files(self) -> Sequence[ReviewableFile]:
        """The changed files."""

    @property
    def additions(self) -> int:
        """Lines added in all files."""

    @property
    def deletions(self) -> int:
        """Lines removed in all files."""

    @property
    def patch(self) -> str:
        """All files' patches."""

    @property
    def source(self) -> str:
        """Where the changes are known from, and what that can miss, in one line."""
