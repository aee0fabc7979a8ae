"""Undo a whole turn on the server when its diff is reverted, so that the conversation reflects it.

Only if nobody loses work: the session refuses to overwrite what somebody has changed (changes/undo_plan.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from opencode_nb.changes import sources
from opencode_nb.changes.diff import Diff
from opencode_nb.changes.undo_result import Undone
from opencode_nb.errors import DiffConflictError, OpencodeError
from opencode_nb.transcript.state import TurnState
from opencode_nb.transcript.transcript import Transcript

log = logging.getLogger("opencode_nb")


@dataclass(frozen=True, slots=True)
class TurnUndo:
    """Undoes and redoes one turn of a session: `revert` undoes it, `unrevert` redoes all undone turns. Both block."""

    turn: TurnState
    transcript: Transcript
    place: sources.Place
    revert: Callable[[], Undone]
    unrevert: Callable[[], Undone]

    def carry_out(self, diff: Diff, *, back: bool) -> Undone | None:
        """Undo the turn, or redo it with `back=False`; return None if it must be done file by file instead."""
        try:
            return self._revert(diff) if back else self._apply(diff)
        except DiffConflictError:  # file by file, the files in conflict are left alone
            return None
        except OpencodeError as error:  # file by file works without the server
            log.warning("The server did not %s the turn: %s", "undo" if back else "redo", error)
            return None

    def _revert(self, diff: Diff) -> Undone | None:
        """Undo it only if it is the last turn and all its files are still as it left them."""
        turns = self.transcript.visible_turns
        if not turns or turns[-1].id != self.turn.id or any(file.state != "applied" for file in diff.files):
            return None
        return self.revert() if self._is_guarded else None

    def _apply(self, diff: Diff) -> Undone | None:
        """Redo it only if it is the first undone turn and all its files are still reverted."""
        undone = self.transcript.info.get("revert") or {}
        if undone.get("messageID") != self.turn.id or any(file.state != "reverted" for file in diff.files):
            return None
        return self.unrevert() if self._is_guarded else None

    @property
    def _is_guarded(self) -> bool:
        """Whether the session can tell what the server would overwrite."""
        return sources.snapshots_of([self.turn], self.place) is not None
