"""Copies of the files that git does not record, taken before the agent's tools can write over them.

A tool that asks nobody writes within milliseconds of being heard of. So files that git ignores (all files, outside git)
are copied when a prompt is sent, and again when the model begins to write a call. Few and small ones only: a large or
deep folder of them is made by programs, and can be made again. Blocking.
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
"""Bytes that the copies of one session may have together."""

MAX_FILES = 2000
"""Files that are looked at: as many cost some hundredths of a second."""

MAX_FILES_OF_FOLDER = 200
"""An ignored folder with more files than this is taken for one that programs make."""

PREFIX = "opencode-nb-copies-"

STALE_AFTER = 24 * 3600
"""Seconds after which copies are taken for those of a kernel that was killed."""

MADE_BY_PROGRAMS = frozenset({".git", "node_modules", "__pycache__", ".venv", "venv", ".mypy_cache", ".ruff_cache"})


@dataclass(frozen=True, slots=True)
class Image:
    """A file at one moment: git's mode and the kept file with its bytes; "" and None where there was no file."""

    mode: str
    file: Path | None

    @property
    def side(self) -> Side | None:
        """It as a side of a change."""
        return Side(self.mode, self.file.read_bytes) if self.file else None


class _Copy(NamedTuple):
    """A copy: what tells whether the file is still the same, when it was taken (ms), and where it is."""

    version: tuple[int, int, int]
    taken: float
    file: Path


@dataclass(slots=True, weakref_slot=True)
class Copies:
    """The copies of one session's files; they go with it."""

    root: Path
    _folder: Path | None = None
    _copies: dict[Path, list[_Copy]] = field(default_factory=dict)
    _count: int = 0
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> None:
        """Copy what is new or has changed since. Files that can't be read are passed over."""
        with self._lock:
            for number, place in enumerate(_unrecorded(self.root)):
                if number >= MAX_FILES or self._bytes >= MAX_BYTES:
                    return
                with contextlib.suppress(OSError):  # it is gone, or may not be read, or the disk is full
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
        """The file as it was before a moment (ms since the epoch), kept for good; None where there is no copy of then.

        Raises OSError where it can't be kept.
        """
        copy = next((copy for copy in reversed(self._copies.get(place, [])) if copy.taken < moment), None)
        if copy is None:
            return None
        side = worktree.read(copy.file)
        return Image(side.mode, backups.keep(side.read())) if side else None


def _tidy_up() -> None:
    """Remove what killed kernels have left: there may be secrets in it."""
    oldest = time.time() - STALE_AFTER
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or gone
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder)


def _unrecorded(root: Path) -> Iterator[Path]:
    """The files below a directory that git does not record, those of folders made by programs left out."""
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
    """At most so many files below a folder."""
    if folder.name in MADE_BY_PROGRAMS:
        return
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in MADE_BY_PROGRAMS)
        for name in sorted(files):
            if limit <= 0:
                return
            limit -= 1
            yield Path(base) / name
