"""What happened to one file, with both of its sides: what every source of changes gives, and every act works on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["added", "deleted", "modified", "renamed"]

REGULAR, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
"""Git's modes of a file, an executable, a symbolic link (its content is where it points) and a submodule's commit."""


_SHA1 = 40
"""Digits of an id; repositories that count by SHA-256 have longer ones."""


@dataclass(frozen=True, slots=True)
class Side:
    """A file at one moment: git's `mode`, and its bytes, read when first needed.

    `id` is the same for the same bytes, where the source has such a thing; "" where it has none.
    """

    mode: str
    read: Callable[[], bytes] = field(repr=False)
    id: str = ""

    @property
    def blob(self) -> str:
        """Git's id of its content."""
        if len(self.id) == _SHA1:
            return self.id
        data = self.read()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def same(self, other: Side) -> bool:
        """Whether mode and bytes are the same."""
        if self.mode != other.mode:
            return False
        return self.id == other.id if self.id and other.id else self.read() == other.read()


@dataclass(frozen=True, slots=True)
class Change:
    """One file's change. `path` is relative to the work tree, with `/`; a side that is None: there was no file.

    `old_path` is where it was before a rename, else "". `additions` and `deletions` are lines, None where nobody has
    counted yet. Where only a `patch` is known, not the bytes, both sides are None and `unknown` says why.
    `is_own` tells of other states of the file whether nobody but the change's makers had a hand in them.
    `certain`: nobody else can have had a hand in the change itself; where they can, `explained` looks closer.
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
    """A side whose bytes are at hand."""
    return Side(mode, lambda: data)
