"""Sessions as OpenCode has stored them: which there are, and the facts of each."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opencode_nb.errors import OpencodeError
from opencode_nb.stored.store import opened, store_file

__all__ = ["StoredSession", "stored_session", "stored_sessions"]

_COLUMNS = (
    *("id", "title", "directory", "project_id", "parent_id", "time_created", "time_updated", "time_archived"),
    *("version", "share_url", "summary_additions", "summary_deletions", "summary_files"),
)
"""What both generations of the store have (until May 2026 without agent, model, cost and tokens)."""

_MESSAGES = "(SELECT count(*) FROM message WHERE session_id = session.id) AS messages"
_SELECT = f"SELECT {', '.join(_COLUMNS)}, {_MESSAGES} FROM session"  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session in OpenCode's store. Times are in UTC.

    `project` is the project's id, `parent` the id of the session that a sub-session belongs to. `archived` is None
    for a session that is not, `share_url` "" for one that is not shared. `additions`, `deletions` and `files` count
    what it changed, as far as the server recorded that. `messages` counts the user's and the model's messages.
    """

    id: str
    title: str
    directory: str
    project: str
    parent: str | None
    created: datetime
    updated: datetime
    archived: datetime | None
    version: str
    share_url: str
    additions: int
    deletions: int
    files: int
    messages: int


def stored_sessions(
    directory: str | os.PathLike[str] | None = None,
    *,
    archived: bool = False,
    limit: int | None = None,
    data: str | os.PathLike[str] | None = None,
) -> list[StoredSession]:
    """List the sessions in OpenCode's store, newest first, without a server, and without sub-sessions.

    directory: only those of this directory, as `Opencode.sessions` lists them; None for all of them.
    archived: include archived ones.
    limit: maximum number of sessions.
    data: OpenCode's data directory, or the store in it (default: $XDG_DATA_HOME/opencode, as for the program).

    Never changes the store. Raises OpencodeError, which names the file, if there is none, as [] would look like a
    store without sessions; also if it is locked, damaged, or of a layout that this version does not know.
    """
    if limit is not None and limit < 0:
        raise ValueError(f"limit={limit}: give a number of sessions, or None for all.")
    place = None if directory is None else str(Path(directory).expanduser().resolve())
    where = ["parent_id IS NULL", *(["directory = :place"] if place else [])]
    where += [] if archived else ["time_archived IS NULL"]
    order = "ORDER BY time_updated DESC, id DESC LIMIT :limit"
    return _found(f"WHERE {' AND '.join(where)} {order}", data, place=place, limit=-1 if limit is None else limit)


def stored_session(id: str, *, data: str | os.PathLike[str] | None = None) -> StoredSession:
    """Return one session of OpenCode's store, without a server; sub-sessions and archived ones too.

    `data` and errors as for `stored_sessions`. Raises OpencodeError if there is no session with this id.
    """
    found = _found("WHERE id = :id", data, id=id)
    if not found:
        raise OpencodeError(f"OpenCode's store has no session {id}: stored_sessions() lists them.")
    return found[0]


def _found(condition: str, data: str | os.PathLike[str] | None, **values: Any) -> list[StoredSession]:
    file = store_file(data, os.environ)
    with opened(file) as store:
        _check_layout(store, file)
        rows = store.execute(f"{_SELECT} {condition}", values).fetchall()
    try:
        return [_session(row) for row in rows]
    except (TypeError, ValueError, OverflowError, OSError) as error:  # OSError: a time out of the platform's range
        raise OpencodeError(f"The OpenCode store {file} has a session that can't be read ({error}).") from error


def _check_layout(store: sqlite3.Connection, file: Path) -> None:
    """Raise OpencodeError unless the store has what `_SELECT` reads. A newer OpenCode may keep it elsewhere."""
    names = {table: {row["name"] for row in store.execute(f"PRAGMA table_info({table})")} for table in _NEEDED}
    missing = [f"{table}.{name}" for table, wanted in _NEEDED.items() for name in wanted if name not in names[table]]
    if missing:
        raise OpencodeError(
            f"The OpenCode store {file} has a layout that this version does not know: no {', '.join(missing)}. Update "
            "opencode_nb, or list the sessions with Opencode().sessions()."
        )


_NEEDED = {"session": _COLUMNS, "message": ("session_id",)}


def _session(row: sqlite3.Row) -> StoredSession:
    return StoredSession(
        id=str(row["id"]),
        title=str(row["title"]),
        directory=str(row["directory"]),
        project=str(row["project_id"]),
        parent=row["parent_id"],
        created=_time(row["time_created"]),
        updated=_time(row["time_updated"]),
        archived=None if row["time_archived"] is None else _time(row["time_archived"]),
        version=str(row["version"]),
        share_url=row["share_url"] or "",
        additions=row["summary_additions"] or 0,
        deletions=row["summary_deletions"] or 0,
        files=row["summary_files"] or 0,
        messages=row["messages"],
    )


def _time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
