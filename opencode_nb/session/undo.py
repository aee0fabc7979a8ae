"""Taking a whole turn back on the server, so that its conversation knows: only where that loses nothing of anybody's.

The session refuses where that would overwrite what somebody changed (undo_plan.py).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opencode_nb.changes import sources
from opencode_nb.errors import DiffConflictError, OpencodeError

if TYPE_CHECKING:
    from opencode_nb.changes.diff import Diff
    from opencode_nb.changes.undo_result import Undone
    from opencode_nb.session.blocking.session import Session
    from opencode_nb.session.turn import Turn

log = logging.getLogger("opencode_nb")


class TurnUndo:
    """Undoes and redoes one turn of a session on the server."""

    def __init__(self, session: Session, turn: Turn) -> None:
        self._session, self._turn = session, turn

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
        turns = self._session._async.transcript.visible_turns
        if not turns or turns[-1].id != self._turn.id or any(file.state != "applied" for file in diff.files):
            return None
        return self._session.revert(self._turn) if self._is_guarded else None

    def _apply(self, diff: Diff) -> Undone | None:
        """Only what was undone last."""
        undone = self._session._async.transcript.info.get("revert") or {}
        if undone.get("messageID") != self._turn.id or any(file.state != "reverted" for file in diff.files):
            return None
        return self._session.unrevert() if self._is_guarded else None

    @property
    def _is_guarded(self) -> bool:
        """Whether the session can tell what the server would overwrite."""
        return sources.snapshots_of([self._turn.state], self._session._async.place) is not None
