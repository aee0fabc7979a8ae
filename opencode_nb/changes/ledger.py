"""Track which file states a session made: left by its turns, or by a revert or reapply of such a state.

Any other state may contain someone else's changes, and is never overwritten. States made by reverts are noted in a
file, as hashes, for later kernels; those made by turns are in the session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from opencode_nb.changes import backups
from opencode_nb.diffs.change import Change, Side

log = logging.getLogger("opencode_nb")


Turns = Callable[[], Iterable[Sequence[Change]]]


class Own:
    """The session's own file states, by path and content. Without a session id they are only in memory."""

    def __init__(self, session: str = "") -> None:
        self._session = session
        self._read: Turns | None = None
        self._has_turns = False

    @cached_property
    def _known(self) -> set[tuple[str, str]]:
        return {(path, digest) for path, digest in backups.notes(self._notes)} if self._session else set()

    @property
    def _notes(self) -> str:
        return f"{self._session}.own"

    def add(self, path: str, side: Side | None) -> None:
        """Record a state that a revert or reapply made."""
        state = path, _digest(side)
        if state not in self._known:
            self._known.add(state)
            if self._session:
                self._note(state)

    def _note(self, state: tuple[str, str]) -> None:
        try:
            backups.note(self._notes, state)
        except OSError as error:  # the change itself is done
            log.warning("A later kernel will not know what was done to %s: %s", state[0], error)

    def has(self, path: str, side: Side | None) -> bool:
        """Return whether a state is the session's own. Reads the turns of `learn_from` if needed."""
        state = path, _digest(side)
        if state not in self._known and self._read is not None:
            read, self._read = self._read, None
            self.learn(read())
        return state in self._known

    def is_pure(self, change: Change) -> bool:
        """Return whether the state before a change contains only the session's changes: then so does its revert.

        Without known turns, there is nothing to check against.
        """
        if change.unknown:
            return False
        return not self._has_turns or self.has(change.old_path or change.path, change.before)

    def learn_from(self, read: Turns | None) -> None:
        """Read these turns when an unknown state is looked up; None if the first turns are not loaded."""
        self._read, self._has_turns = read, read is not None

    def learn(self, turns: Iterable[Sequence[Change]]) -> None:
        """Record the states that turns, from the session's first on, found and left, up to changes by others."""
        self._has_turns = True
        last: dict[str, Side | None] = {}
        for change in (change for turn in turns for change in turn if not change.unknown):
            paths = {change.path: (change.before, change.after)}
            if change.old_path:
                paths = {change.old_path: (change.before, None), change.path: (None, change.after)}
            for path, (before, after) in paths.items():
                if path not in last or self.has(path, before):
                    self._known.update([(path, _digest(before)), (path, _digest(after))])
                last[path] = after


def _digest(side: Side | None) -> str:
    """Return the mode and git's id of the content."""
    if side is None:
        return ""
    return f"{side.mode} {side.blob}"
