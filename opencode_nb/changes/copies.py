"""Copies of files that git does not track, taken before the agent's tools can overwrite them.

A tool that needs no permission writes within milliseconds of its first event. So ignored files (outside git, all files)
are copied when a prompt is sent, and again when the model begins to write a call. Only few and small ones: a large or
deep ignored folder is generated, and can be generated again. Blocking.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from opencode_nb.changes import backups, git_objects, worktree
from opencode_nb.diffs.change import Side

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Larger files are not copied in advance."""

MAX_BYTES = 64 * 1024 * 1024
"""Maximum total bytes of one session's copies."""

MAX_FILES = 2000
"""Maximum number of files checked; that many take some hundredths of a second."""

MAX_FILES_OF_FOLDER = 200
"""An ignored folder with more files is assumed to be generated."""

PREFIX = "opencode-nb-copies-"

STALE_AFTER = 24 * 3600
"""Seconds after which copies are assumed to be left over from a killed kernel."""

MADE_BY_PROGRAMS = frozenset({".git", "node_modules", "__pycache__", ".venv", "venv", ".mypy_cache", ".ruff_cache"})


@dataclass(frozen=True, slots=True)
class Image:
    """A file at one moment: git's mode and a backup of its bytes; "" and None if it did not exist."""

    mode: str
    file: Path | None

    @property
    def side(self) -> Side | None:
        """The image as a side of a change."""
        return Side(self.mode, self.file.read_bytes) if self.file else None


class _Copy(NamedTuple):
    """A copy: a version to tell whether the file changed since, when it was taken (ms), and its path."""

    version: tuple[int, int, int]
    taken: float
    file: Path


@dataclass(slots=True, weakref_slot=True)
class Copies:
    """The copies of one session's files, deleted with it."""

    root: Path
    _folder: Path | None = None
    _copies: dict[Path, list[_Copy]] = field(default_factory=dict)
    _count: int = 0
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> None:
        """Copy new and changed files. Skips files that cannot be read."""
        with self._lock:
            for number, place in enumerate(_unrecorded(self.root)):
                if number >= MAX_FILES or self._bytes >= MAX_BYTES:
                    return
                with contextlib.suppress(OSError):  # the file is gone or unreadable, or the disk is full
                    self._copy(place)

    def _copy(self, place: Path) -> None:
        status = place.lstat()
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._copies.get(place, [])
        is_new = not known or known[-1].version != version
        if not is_new or status.st_size > MAX_FILE_BYTES or not place.is_file():
            return
        if self._folder is None:
            _tidy_up()
            self._folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._count += 1
        copy = self._folder / str(self._count)
        shutil.copy(place, copy)
        self._bytes += status.st_size
        self._copies[place] = [*known[-1:], _Copy(version, time.time() * 1000, copy)]
        for old in known[:-1]:
            self._bytes -= old.version[1]
            old.file.unlink(missing_ok=True)

    def before(self, place: Path, moment: float) -> Image | None:
        """Return the file as it was before a moment (ms since the epoch), backed up; None if no copy is that old.

        Raises OSError if it cannot be backed up.
        """
        copy = next((copy for copy in reversed(self._copies.get(place, [])) if copy.taken < moment), None)
        if copy is None:
            return None
        side = worktree.read(copy.file)
        return Image(side.mode, backups.keep(side.read())) if side else None


def _tidy_up() -> None:
    """Remove copies left by killed kernels: they may contain secrets."""
    oldest = time.time() - STALE_AFTER
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # belongs to another user, or is gone
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)


def _unrecorded(root: Path) -> Iterator[Path]:
    """Yield the files below a directory that git does not track, except those in generated folders."""
    try:
        repository = git_objects.discover(root)
        listed = repository.ignored_files()
    except git_objects.GitError:
        yield from _files(Path(os.path.realpath(root)), MAX_FILES)
        return
    base = Path(os.path.realpath(repository.worktree))
    for path in listed:
        place = base / path
        if path.endswith("/"):
            inside = list(_files(place, MAX_FILES_OF_FOLDER + 1))
            yield from inside if len(inside) <= MAX_FILES_OF_FOLDER else ()
        else:
            yield place


def _files(folder: Path, limit: int) -> Iterator[Path]:
    """Yield at most `limit` files below a folder."""
    if folder.name in MADE_BY_PROGRAMS:
        return
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in MADE_BY_PROGRAMS)
        for name in sorted(files):
            if limit <= 0:
                return
            limit -= 1
            yield Path(base) / name
