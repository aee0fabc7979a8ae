"""Which states of files a session knows to be its own doing: turns left them so, or acts did from such a state.

What is not its own may have another's changes in it, and is never overwritten. In memory only: after a restart of the
kernel, states between turns count as another's where they are no plain mixture of before and after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from opencode_nb.diffs.change import Change, Side


class Own:
    """The known states, by path and content."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def add(self, path: str, side: Side | None) -> None:
        """Take note of a state."""
        self._known.add((path, _digest(side)))

    def has(self, path: str, side: Side | None) -> bool:
        """Whether a state is known."""
        return (path, _digest(side)) in self._known

    def learn(self, turns: Iterable[Sequence[Change]]) -> None:
        """Take note of what the turns, from the session's first on, found and left, until somebody else was there."""
        last: dict[str, Side | None] = {}
        for change in (change for turn in turns for change in turn if not change.unknown):
            paths = {change.path: (change.before, change.after)}
            if change.old_path:
                paths = {change.old_path: (change.before, None), change.path: (None, change.after)}
            for path, (before, after) in paths.items():
                if path not in last or self.has(path, before):
                    self.add(path, before)
                    self.add(path, after)
                last[path] = after


def _digest(side: Side | None) -> str:
    """Mode and git's id of the content; a source that knows the id saves reading it."""
    if side is None:
        return ""
    return f"{side.mode} {side.id if len(side.id) == _SHA1 else _blob_id(side.read())}"


_SHA1 = 40


def _blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
