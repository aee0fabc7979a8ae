"""Read and write files of the work tree as bytes; writes are atomic, so nobody ever sees half a file.

Links are not followed: a link's content is its target, and nothing is read or written through one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from opencode_nb.changes import regular_file
from opencode_nb.diffs.change import EXECUTABLE, LINK, REGULAR, Side, known
from opencode_nb.errors import OpencodeError


class UnreadableError(OpencodeError):
    """The path is not a file, or cannot be read; the message says what it is."""


class FolderError(UnreadableError):
    """The path is a folder that is not empty."""


def locate(root: Path, path: str) -> Path:
    """Return the location of a work tree path. Raises UnreadableError if it would lead out of the work tree.

    Paths come from a server and a model: neither `..` nor a link among the folders may lead elsewhere. An absolute path
    is one that a tool was allowed to change outside of the work tree, and is returned unchanged.
    """
    if Path(path).is_absolute():
        return Path(path)
    place = root / path
    if ".." in Path(path).parts or not place.parent.resolve().is_relative_to(root.resolve()):
        raise UnreadableError(f"{path} leads out of {root} through a link or `..`. It was left alone.")
    return place


def read(place: Path, limit: int | None = None) -> Side | None:
    """Return the current file, or None. Raises UnreadableError, also if it is larger than `limit` bytes."""
    try:
        status = place.lstat()
        if stat.S_ISLNK(status.st_mode):
            return known(os.fsencode(os.readlink(place)), LINK)  # noqa: PTH115  # bytes: a target can have any name
        if stat.S_ISREG(status.st_mode):
            mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else REGULAR
            return known(regular_file.read(place, limit, follow=False), mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (regular_file.NotRegularError, regular_file.TooLargeError) as error:
        raise UnreadableError(str(error)) from error
    except OSError as error:
        raise UnreadableError(f"it can't be read: {error.strerror}. Check its permissions.") from error
    if not stat.S_ISDIR(status.st_mode):
        raise UnreadableError("it is not a regular file now (a pipe, a socket). Move it away first.")
    if not _is_empty(place):
        raise FolderError("a folder is there now. Move it away first.")
    return None


def _is_empty(folder: Path) -> bool:
    """Return whether it contains only empty folders: git does not track those, so neither does a diff."""
    return not any(names for _, _, names in os.walk(folder))


def write(place: Path, side: Side | None) -> None:
    """Write a file, or with None delete it. On OSError the file is unchanged.

    An existing file keeps its permissions except for the executable bit. Missing folders are created.
    """
    if side is None:
        place.unlink(missing_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir() and not place.is_symlink():
        _remove_empty(place)
    if side.mode == LINK:
        _write_link(place, side.read())
    else:
        _write_file(place, side)


def _remove_empty(folder: Path) -> None:
    for name, _, _ in os.walk(folder, topdown=False):
        Path(name).rmdir()


def _write_link(place: Path, target: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix=".opencode-nb-", dir=place.parent) as folder:
        link = Path(folder) / "link"
        link.symlink_to(os.fsdecode(target))
        link.replace(place)


def _write_file(place: Path, side: Side) -> None:
    executable = side.mode == EXECUTABLE
    name = place.with_name(f".opencode-nb-{secrets.token_hex(8)}")
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o777 if executable else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(side.read())
            if (bits := _permissions(place, executable)) is not None:
                os.fchmod(file.fileno(), bits)
        name.replace(place)
    except BaseException:  # a full disk or an interrupt: the file is unchanged, and nothing is left next to it
        with contextlib.suppress(OSError):
            name.unlink()
        raise


def _permissions(place: Path, executable: bool) -> int | None:
    """Return the current permissions with or without the executable bits; None for a new file."""
    try:
        status = place.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    bits = stat.S_IMODE(status.st_mode)
    return bits | (bits & 0o444) >> 2 if executable else bits & ~0o111
