"""Records: the costs on disk, one line of JSON for each step of a model, in one file a month.

Writers take a lock, begin a new line after one that a kill cut off, and take back what a full disk cut off. Readers
skip broken lines, and count a step once however often it was written.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

import platformdirs

from opencode_nb.file_lock import try_lock
from opencode_nb.spending.steps import Spent

KEPT_MONTHS = 13
"""Calendar months that are kept, this one included: a year to look back on."""

MAX_BYTES = 50_000_000
"""Above this total, the oldest months are deleted early, but never the latest one. A step takes about 300 bytes."""

LOCK_TIMEOUT = 5.0
"""Seconds to wait for another process that writes, which takes milliseconds."""

LOCK_POLL = 0.01
"""Seconds between two tries to take the lock."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one step used: `step` is its message's id, `at` when it ended, in seconds since the epoch; `cost` in USD."""

    step: str
    at: float
    directory: str
    session: str
    model: str
    cost: float
    tokens: int

    @classmethod
    def of(cls, spent: Spent, session: str, directory: str) -> Self:
        """Create it from a finished step; a subagent's belongs to the `session` that started it."""
        return cls(spent.key, spent.at, directory, session, spent.model, spent.cost, spent.total)

    @property
    def day(self) -> date:
        """The day on which it ended, in local time."""
        return datetime.fromtimestamp(self.at).date()


def folder() -> Path:
    """Return the folder of the records: in the user's data directory, readable only by the user."""
    return Path(platformdirs.user_data_dir("opencode-nb", appauthor=False)) / "costs"


def append(entries: Iterable[Entry]) -> None:
    """Write these entries, and delete months that are too old. Raises OSError; then they may be written again."""
    months: dict[str, str] = {}
    for entry in entries:
        month = _month(datetime.fromtimestamp(entry.at, UTC))
        months[month] = f"{months.get(month, '')}{json.dumps(asdict(entry))}\n"
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked():
        for month, lines in months.items():
            _append(folder() / f"{month}.jsonl", lines.encode())
        _forget_old()


def read(since: date) -> dict[str, Entry]:
    """Return the entries since this day by their steps, oldest month first. Raises OSError."""
    earliest = _month(since - timedelta(days=1))  # files go by UTC
    files = [file for file in _files() if file.stem >= earliest]
    entries = (entry for file in files for line in file.read_bytes().splitlines() if (entry := _parsed(line)))
    return {entry.step: entry for entry in entries if entry.day >= since}


def delete() -> None:
    """Delete all records. Raises OSError."""
    if folder().exists():
        with _locked():
            for file in _files():
                file.unlink()


def _files() -> list[Path]:
    return sorted(folder().glob("????-??.jsonl"))


def _month(day: date) -> str:
    return day.strftime("%Y-%m")


def _append(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(-1, os.SEEK_END)
            data = data if file.read(1) == b"\n" else b"\n" + data
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            file.truncate(size)
            raise


def _parsed(line: bytes) -> Entry | None:
    """Return the entry of a line; None for one that was cut off or is none."""
    try:
        kept = json.loads(line)
        values = {field.name: kept[field.name] for field in fields(Entry)}
        return Entry(**values | {"at": float(kept["at"]), "cost": float(kept["cost"]), "tokens": int(kept["tokens"])})
    except (KeyError, TypeError, ValueError):
        return None


def _forget_old() -> None:
    """Delete the months that are too old, and the oldest ones if all take too much."""
    files = _files()
    months_ago = datetime.now(UTC).date().replace(day=1) - timedelta(days=30 * (KEPT_MONTHS - 1))
    total = sum(file.stat().st_size for file in files)
    for file in files[:-1]:
        if file.stem < _month(months_ago) or total > MAX_BYTES:
            total -= file.stat().st_size
            file.unlink()


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock on the folder. The system releases it with the process. Raises TimeoutError, an OSError."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    with (folder() / "lock").open("ab") as file:
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{folder()} is locked by another process that does not go on")
            time.sleep(LOCK_POLL)
        yield
