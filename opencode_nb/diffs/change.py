"""One file's change with both sides: what every source of changes returns, and every revert works on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["added", "deleted", "modified", "renamed"]

REGULAR, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
"""Git's modes for a file, an executable, a symbolic link (its content is the target) and a submodule's commit."""


_SHA1 = 40
"""Digits of a SHA-1 id. Ids in SHA-256 repositories are longer."""


@dataclass(frozen=True, slots=True)
class Side:
    """A file at one moment: git's `mode`, and its bytes, read lazily.

    `id` identifies the bytes if the source has such an id, else "".
    """

    mode: str
    read: Callable[[], bytes] = field(repr=False)
    id: str = ""

    @property
    def blob(self) -> str:
        """Git's blob id of the content."""
        if len(self.id) == _SHA1:
            return self.id
        data = self.read()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def same(self, other: Side) -> bool:
        """Return whether mode and bytes are the same."""
        if self.mode != other.mode:
            return False
        return self.id == other.id if self.id and other.id else self.read() == other.read()


@dataclass(frozen=True, slots=True)
class Change:
    """One file's change. `path` is relative to the work tree, with `/`; a side is None where the file does not exist.

    `old_path` is the path before a rename, else "". `additions` and `deletions` count lines, None if not counted yet.
    If only a `patch` is known, not the bytes, both sides are None and `unknown` says why. `is_own` tells whether some
    other state of the file was made only by whoever made this change. `certain` means that nobody else can have
    contributed to this change; if False, `explained` checks more closely.
    """

    path: str
    before: Side | None = None
    after: Side | None = None
    old_path: str = ""
    similarity: int | None = None
    additions: int | None = None
    deletions: int | None = None
    patch: str = ""
    unknown: str = ""
    given_status: Status = "modified"
    is_own: Callable[[Side | None], bool] | None = field(default=None, repr=False, compare=False)
    certain: bool = True
    explained: Callable[[], bool] | None = field(default=None, repr=False, compare=False)

    @property
    def status(self) -> Status:
        """added, deleted, modified or renamed."""
        if self.unknown:
            return self.given_status
        if self.old_path:
            return "renamed"
        return "added" if self.before is None else "deleted" if self.after is None else "modified"


def known(data: bytes, mode: str = REGULAR) -> Side:
    """Return a side with these bytes."""
    return Side(mode, lambda: data)
