"""Record files before an undo, so that a redo restores exactly them, also in a later kernel. Blocking."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opencode_nb.changes import backups, git_objects, sources
from opencode_nb.diffs.change import SUBMODULE, Change, Side
from opencode_nb.transcript.state import TurnState


def note(session_id: str, sides: Mapping[str, Side | None], *, first: bool) -> None:
    """Record the files before an undo; `first`: nothing was undone before it."""
    with contextlib.suppress(OSError):  # a full disk: fall back on the server's snapshot and the turns themselves
        files = {path: _noted(side) for path, side in sides.items() if side is None or side.mode != SUBMODULE}
        backups.note(_name(session_id), {"first": first, "files": files})


def _noted(side: Side | None) -> list[str] | None:
    return [side.mode, backups.keep(side.read()).name] if side else None


def _name(session_id: str) -> str:
    return f"{session_id}.undo"


def state_before(place: sources.Place, change: Change, snapshot: str, turns: Sequence[TurnState]) -> Side | None:
    """Return a file as it was before the first undo that is not redone yet.

    From our own record, else from the server's snapshot of that time (another program may have undone it), else as the
    turns left it.
    """
    noted = _notes(place.session_id)
    if change.path in noted:
        return _side(noted[change.path], change.after)
    store = sources.snapshots_of(turns, place) if snapshot else None
    found = git_objects.sides(store, snapshot, [change.path])[change.path] if store is not None else None
    return found or change.after


def _notes(session_id: str) -> dict[str, Any]:
    """Return the records since the last first undo; the earliest of a file counts."""
    found: dict[str, Any] = {}
    for entry in backups.notes(_name(session_id)):
        found = {**entry["files"], **({} if entry["first"] else found)}
    return found


def _side(entry: Any, otherwise: Side | None) -> Side | None:
    """Return the recorded state; if its backup was removed, what the turns left."""
    if entry is None:
        return None
    mode, name = entry
    file: Path = backups.folder() / name
    return Side(mode, file.read_bytes) if file.exists() else otherwise
