"""Taking a whole turn back on the server, so that its conversation knows: only where that loses nothing of anybody's.

The server's undo checks nothing: it writes over what was changed since, a file that was renamed does not come back,
and its redo restores every file of the work tree to what it was at the undo. So: look before, and let `Diff` finish
file by file what the server left.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opencode_nb.conversation import git, sources
from opencode_nb.errors import OpencodeError

if TYPE_CHECKING:
    from opencode_nb.conversation.changes import Diff
    from opencode_nb.conversation.sync_session import Session
    from opencode_nb.conversation.turn import Turn

log = logging.getLogger("opencode_nb")


class TurnUndo:
    """Undoes and redoes one turn of a session on the server. What it returns says whether the server did."""

    def __init__(self, session: Session, turn: Turn) -> None:
        self._session, self._turn = session, turn

    def carry_out(self, diff: Diff, *, back: bool) -> bool:
        """Undo it, or with `back=False` redo it, if that overwrites nothing of anybody's."""
        try:
            return self._revert(diff) if back else self._apply(diff)
        except OpencodeError as error:  # then it is done file by file: nothing depends on the server
            log.warning("The server did not %s the turn: %s", "undo" if back else "redo", error)
            return False

    def _revert(self, diff: Diff) -> bool:
        """Only the last turn, and only while all files that a step of it has written are as the turn left them."""
        turns = self._session._async.transcript.visible_turns
        if not turns or turns[-1].id != self._turn.id or any(file.state != "applied" for file in diff.files):
            return False
        found = self._snapshots()
        if found is None or git.moved_since(*found) & self._touched(found[0]):
            return False
        self._session.revert(self._turn)
        return True

    def _apply(self, diff: Diff) -> bool:
        """Only what was undone last, and only while nothing else has changed since: it restores all files."""
        undone = self._session._async.transcript.info.get("revert") or {}
        if undone.get("messageID") != self._turn.id or any(file.state != "reverted" for file in diff.files):
            return False
        found = self._snapshots()
        mine = {path for file in diff.files for path in (file.file, file.old_file)}
        if found is None or git.moved_since(found[0], str(undone.get("snapshot"))) - mine:
            return False
        self._session.unrevert()
        return True

    def _snapshots(self) -> tuple[git.Repository, str] | None:
        return sources.snapshots_of(self._turn.state, self._session._async.place)

    def _touched(self, snapshots: git.Repository) -> set[str]:
        """The files that the server's undo would write: all that a step has changed."""
        root = f"{snapshots.worktree.as_posix()}/"
        patches = [part for part in self._turn.state.parts if part.get("type") == "patch"]
        return {str(file).removeprefix(root) for part in patches for file in part.get("files") or []}
