"""Read regular files and nothing else: a pipe never ends, a device never stops, and a socket can't be opened.

The check is on the open file itself, so that nothing can replace it in between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

HEAD = 8192
"""Bytes at the beginning of a file, enough to tell text from media."""


class NotRegularError(OSError):
    """The path is not a regular file."""


class TooLargeError(OSError):
    """The file is larger than the limit."""


def read(path: Path, limit: int | None = None, *, follow: bool = True) -> bytes:
    """Return the whole file. Raises OSError: NotRegularError, or TooLargeError above `limit` bytes (it may grow)."""
    with _opened(path, follow) as file:
        data = file.read(-1 if limit is None else limit + 1) or b""
    if limit is not None and len(data) > limit:
        raise TooLargeError(f"{path.name} is larger than {limit / 1e6:.0f} MB, the limit.")
    return data


def head(path: Path) -> bytes:
    """Return the first bytes. Raises OSError like `read`."""
    with _opened(path, follow=True) as file:
        return file.read(HEAD) or b""  # None: it is empty now, and may grow later (the kernel's log)


@contextmanager
def _opened(path: Path, follow: bool) -> Iterator[BinaryIO]:
    _check(path, path.stat(follow_symlinks=follow).st_mode)  # opening a device may have side effects
    descriptor = os.open(path, _FLAGS if follow else _FLAGS | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor).st_mode)
        yield file


_FLAGS = os.O_RDONLY
for _name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"):  # opening a pipe would wait for a writer
    _FLAGS |= getattr(os, _name, 0)


def _check(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "device")
        raise NotRegularError(f"{path.name} is a {kind}, not a regular file.")


_KINDS = (
    (stat.S_ISFIFO, "pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISDIR, "folder"),
    (stat.S_ISLNK, "link"),
)
