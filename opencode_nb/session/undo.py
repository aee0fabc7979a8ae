"""Undo a whole turn on the server when its diff is taken back, so that the conversation knows of it.

Only where that loses nothing of anybody's: the session refuses where it would overwrite what somebody changed
(changes/undo_plan.py).
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
    """Undoes and redoes one turn of a session: `revert` undoes it, `unrevert` redoes all that is undone. Both block."""

    turn: TurnState
    transcript: Transcript
    place: sources.Place
    revert: Callable[[], Undone]
    unrevert: Callable[[], Undone]

    def carry_out(self, diff: Diff, *, back: bool) -> Undone | None:
        """Undo it, or with `back=False` redo it; None where that would overwrite something of somebody else."""
        try:
            return self._revert(diff) if back else self._apply(diff)
        except DiffConflictError:  # file by file the others are left as they are
            return None
        except OpencodeError as error:  # then it is done file by file: nothing depends on the server
            log.warning("The server did not %s the turn: %s", "undo" if back else "redo", error)
            return None

    def _revert(self, diff: Diff) -> Undone | None:
        """Only the last turn, and only while all its files are as it left them."""
        turns = self.transcript.visible_turns
        if not turns or turns[-1].id != self.turn.id or any(file.state != "applied" for file in diff.files):
            return None
        return self.revert() if self._is_guarded else None

    def _apply(self, diff: Diff) -> Undone | None:
        """Only what was undone last."""
        undone = self.transcript.info.get("revert") or {}
        if undone.get("messageID") != self.turn.id or any(file.state != "reverted" for file in diff.files):
            return None
        return self.unrevert() if self._is_guarded else None

    @property
    def _is_guarded(self) -> bool:
        """Whether the session can tell what the server would overwrite."""
        return sources.snapshots_of([self.turn], self.place) is not None
