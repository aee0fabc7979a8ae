"""Bytes of regular files, and of nothing else: a pipe never ends, a device never stops, and a socket can't be opened.

What is opened is what is looked at, so that nothing can take the file's place in between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

HEAD = 8192
"""Bytes at the beginning of a file that tell text from media."""


class NotRegularError(OSError):
    """There is something at the path that is no regular file."""


class TooLargeError(OSError):
    """The file has more bytes than are taken."""


def read(path: Path, limit: int | None = None, *, follow: bool = True) -> bytes:
    """The whole file. Raises OSError: NotRegularError, TooLargeError beyond `limit` bytes (it may grow meanwhile)."""
    with _opened(path, follow) as file:
        data = file.read(-1 if limit is None else limit + 1) or b""
    if limit is not None and len(data) > limit:
        raise TooLargeError(f"{path.name} has more than {limit / 1e6:.0f} MB, the most that is read.")
    return data


def head(path: Path) -> bytes:
    """Its first bytes. Raises OSError as `read` does."""
    with _opened(path, follow=True) as file:
        return file.read(HEAD) or b""  # None: it has nothing now, and may have later (the kernel's log)


@contextmanager
def _opened(path: Path, follow: bool) -> Iterator[BinaryIO]:
    _check(path, path.stat(follow_symlinks=follow).st_mode)  # to open a device may do something
    descriptor = os.open(path, _FLAGS if follow else _FLAGS | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor).st_mode)
        yield file


_FLAGS = os.O_RDONLY
for _name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"):  # to open a pipe would wait until somebody writes
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
