"""What was overwritten, kept aside: whatever an act replaces or deletes is first written here, under its own hash.

Beside it stand notes of what a later kernel must know, a line of JSON each.
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
"""Days until what was kept is removed, counted from when it was last kept."""

MAX_BYTES = 2 * 1024**3
"""Above this, the oldest copies go before their time; those of the last day stay."""

_DAY = 24 * 3600


def folder() -> Path:
    """Where it is kept: in the user's state directory, readable by the user only."""
    return platformdirs.user_state_path("opencode_nb") / "kept"


def keep(data: bytes) -> Path:
    """Keep these bytes; the file that has them. Raises OSError where that fails: then nothing may be overwritten."""
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
    except BaseException:  # a full disk: half a copy must not make it fuller
        new.unlink(missing_ok=True)
        raise


def note(name: str, entry: object) -> None:
    """Add to the notes of that name. Raises OSError."""
    _make_folder()
    descriptor = os.open(folder() / f"{name}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        file.write(f"{json.dumps(entry)}\n".encode())


def notes(name: str) -> Iterator[Any]:
    """The notes of that name; a line that a killed kernel has written half of is passed over."""
    with contextlib.suppress(FileNotFoundError):
        for line in (folder() / f"{name}.jsonl").read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def _make_folder() -> None:
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_old(folder())


@functools.cache  # once in a process: looking at every file for each act would make many acts slow
def _forget_old(kept: Path) -> None:
    now = time.time()
    found = sorted(_files(kept))
    total = sum(size for _, size, _ in found)
    for changed, size, file in found:
        age = now - changed
        if age > KEPT_DAYS * _DAY or (total > MAX_BYTES and age > _DAY):
            total -= size
            with contextlib.suppress(OSError):  # another kernel is tidying up too
                file.unlink()


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each file was last kept, its size, and where it is."""
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            status = file.stat()
            yield status.st_mtime, status.st_size, file
