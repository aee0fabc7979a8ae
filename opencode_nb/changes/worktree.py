"""Files of the work tree as bytes: read as they are now, written so that no half of a file is ever seen.

Links are taken as what they are: a link's content is where it points, and nothing is read or written through one.
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
    """There is something at the path that is not a file, or that may not be read; the message says what."""


class FolderError(UnreadableError):
    """There is a folder that has something in it."""


def locate(root: Path, path: str) -> Path:
    """The place of a path of the work tree. Raises UnreadableError where it would lead out of it.

    Paths come from a server and a model: neither `..` nor a link among its folders may lead somewhere else. A path
    that is absolute is one that a tool was allowed to work on outside of the work tree: it is taken as it is.
    """
    if Path(path).is_absolute():
        return Path(path)
    place = root / path
    if ".." in Path(path).parts or not place.parent.resolve().is_relative_to(root.resolve()):
        raise UnreadableError(f"{path} leads out of {root}: a link or `..` is on its way. It is left alone.")
    return place


def read(place: Path, limit: int | None = None) -> Side | None:
    """The file as it is now; None where there is none. Raises UnreadableError, also beyond so many bytes."""
    try:
        status = place.lstat()
        if stat.S_ISLNK(status.st_mode):
            return known(os.fsencode(os.readlink(place)), LINK)  # noqa: PTH115  # bytes: any name can be pointed to
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
        raise UnreadableError("something that is no file is there now (a pipe, a socket). Move it away first.")
    if not _is_empty(place):
        raise FolderError("a folder is there now. Move it away first.")
    return None


def _is_empty(folder: Path) -> bool:
    """Whether nothing but empty folders is in it: git does not know of those, so neither does a diff."""
    return not any(names for _, _, names in os.walk(folder))


def write(place: Path, side: Side | None) -> None:
    """Put a file there, or with None take it away. Raises OSError, and then the file is as it was.

    A file that is there keeps its permissions but for the executable bit; folders are made where they are missing.
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
    except BaseException:  # a full disk, an interrupt: the file is as it was, and nothing is left beside it
        with contextlib.suppress(OSError):
            name.unlink()
        raise


def _permissions(place: Path, executable: bool) -> int | None:
    """The present permissions with or without the executable bits; None where there is no file yet."""
    try:
        status = place.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    bits = stat.S_IMODE(status.st_mode)
    return bits | (bits & 0o444) >> 2 if executable else bits & ~0o111
