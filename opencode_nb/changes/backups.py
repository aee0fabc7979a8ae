"""Backups: whatever is about to be replaced or deleted is first saved here, named by its hash.

Next to the backups are notes for later kernels, in JSON lines.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

KEPT_DAYS = 30
"""Days until a backup is removed, counted from when it was last saved."""

MAX_BYTES = 2 * 1024**3
"""Above this total, the oldest backups are removed early, but none from the last day."""

_DAY = 24 * 3600


def folder() -> Path:
    """Return the folder of the backups: in the user's state directory, readable only by the user."""
    return platformdirs.user_state_path("opencode_nb") / "kept"


def keep(data: bytes) -> Path:
    """Save these bytes and return their file. Raises OSError on failure: then nothing may be overwritten."""
    place = folder() / hashlib.sha256(data).hexdigest()
    if place.exists():
        os.utime(place)
        return place
    _make_folder()
    new = place.with_suffix(f".{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return new.replace(place)
    except BaseException:  # a full disk: do not leave half a copy
        new.unlink(missing_ok=True)
        raise


def note(name: str, entry: object) -> None:
    """Append to the notes of that name. Raises OSError."""
    _make_folder()
    descriptor = os.open(folder() / f"{name}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(f"{json.dumps(entry)}\n".encode())


def notes(name: str) -> Iterator[Any]:
    """Yield the notes of that name. Skips a line half written by a killed kernel."""
    with contextlib.suppress(FileNotFoundError):
        for line in (folder() / f"{name}.jsonl").read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def _make_folder() -> None:
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_old(folder())


@functools.cache  # once per process: checking every file on each change would be slow
def _forget_old(kept: Path) -> None:
    now = time.time()
    found = sorted(_files(kept))
    total = sum(size for _, size, _ in found)
    for changed, size, file in found:
        age = now - changed
        if age > KEPT_DAYS * _DAY or (total > MAX_BYTES and age > _DAY):
            total -= size
            with contextlib.suppress(OSError):  # another kernel is cleaning up too
                file.unlink()


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield when each file was last saved, its size, and its path."""
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            status = file.stat()
            yield status.st_mtime, status.st_size, file
