"""Logs of managed servers: one file per server, readable by the user only, pruned to the latest."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from pathlib import Path

import platformdirs

from opencode_nb.file_lock import try_lock

KEPT = 10
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def open_log() -> tuple[int, Path]:
    """Create a log file (0600) in the user's log directory (0700), or in a temporary one if that can't be written.

    Return its descriptor, opened for appending, and its path. The descriptor holds a lock as long as any process has it
    open, so that the log of a running server is never pruned. Raises OSError if neither place can be written.
    """
    try:
        return _open_in(_made(Path(platformdirs.user_log_dir("opencode-nb", appauthor=False))))
    except OSError:  # a read-only home, a full disk
        return _open_in(Path(tempfile.mkdtemp(prefix="opencode-nb-")))


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    return directory


def _open_in(directory: Path) -> tuple[int, Path]:
    path = directory / f"server-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{os.urandom(3).hex()}.log"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    _locked(descriptor)
    _prune(directory)
    return descriptor, path


def _locked(descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError:  # a file system without locks
        return False


def _prune(directory: Path) -> None:
    with contextlib.suppress(OSError):
        for path in sorted(directory.glob("server-*.log"), key=_modified, reverse=True)[KEPT:]:
            _remove_unused(path)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # pruned by another process in between
        return 0.0


def _remove_unused(path: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            if _locked(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)


def plain(text: str) -> str:
    """Remove terminal sequences and other control characters: a program's output is not trusted."""
    return _CONTROL.sub("", text)


def tail(path: Path, lines: int, limit: int = 64 * 1024) -> str:
    """Return the last `lines` lines of a log as plain text, from its last `limit` bytes; "" if it can't be read."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - limit))
            text = log.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(plain(text).splitlines()[-lines:]) if lines > 0 else ""
