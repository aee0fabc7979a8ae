"""The file with all sessions: where it is, how to open it without changing anything, and why it can't be read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from opencode_nb.errors import OpencodeError
from opencode_nb.server.files import data_directory

FILE = "opencode.db"
LOCATION = "OPENCODE_DB"  # variable of OpenCode: another name, in the data directory, or a whole path
BUSY_SECONDS = 2.0  # how long to wait for another program's lock; the server itself holds none that stops readers

_NEXT = {
    sqlite3.SQLITE_BUSY: "is locked by another program. Try again, or close what has it open.",
    sqlite3.SQLITE_CANTOPEN: "can't be opened. Check the permissions of the file and its folder.",
    sqlite3.SQLITE_PERM: "can't be read. Check its permissions.",
    sqlite3.SQLITE_READONLY: "needs a recovery that only OpenCode may write. Start OpenCode once.",
    **dict.fromkeys(
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
        "is damaged, or no store of OpenCode. Restore it from a backup, or give the right directory as data=.",
    ),
}


def store_file(data: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> Path:
    """Return the store in the data directory, by default OpenCode's own. Raises OpencodeError if there is none."""
    directory = Path(data).expanduser() if data is not None else data_directory(environ)
    named = environ.get(LOCATION, "") if data is None else ""
    file = directory if directory.is_file() else directory / (named or FILE)
    if file.is_file():
        return file
    if (directory / "storage" / "session").is_dir():
        raise OpencodeError(f"{directory} has sessions of an OpenCode before its store {FILE}. Start OpenCode once.")
    raise OpencodeError(
        f"There is no OpenCode store at {file}: OpenCode has not run here, or keeps its data elsewhere. Give its data "
        "directory as data=, or set XDG_DATA_HOME."
    )


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Open the store for reading. Raises OpencodeError, also for what the body finds wrong with the file."""
    try:
        with closing(sqlite3.connect(_address(file), timeout=BUSY_SECONDS, uri=True)) as store:
            store.row_factory = sqlite3.Row
            store.text_factory = lambda text: text.decode(errors="replace")
            yield store
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the details
        told = _NEXT.get(code, "can't be read. List the sessions with Opencode().sessions() instead.")
        raise OpencodeError(f"The OpenCode store {file} {told} ({error})") from error


def _address(file: Path) -> str:
    """Return the URI that opens the file and leaves no others beside it.

    SQLite would create a -wal and a -shm even for a reader. No program has the store open if there is no such file.
    """
    in_use = any(file.with_name(f"{file.name}-{kind}").exists() for kind in ("wal", "journal"))
    return f"{file.absolute().as_uri()}?mode=ro{'' if in_use else '&immutable=1'}"
