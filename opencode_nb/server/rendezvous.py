"""Where the processes of one user meet: a private directory with one socket per shared server.

A process that finds nobody listening on the socket starts the keeper, under a lock on the directory itself: the lock is
released with its process and leaves no file that could become stale. The socket of a killed keeper refuses connections
and is replaced. Nothing here is secret: the password is sent over the connection.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opencode_nb.errors import ServerStartError
from opencode_nb.file_lock import try_lock
from opencode_nb.server.keeping.holders import peer_uid

__all__ = ["meet", "runtime_directory", "socket_path"]

SOCKET_PATH_BYTES = 103  # sockaddr_un.sun_path: 104 with its NUL on macOS, 108 on Linux
CONNECT_SECONDS = 5.0  # a keeper accepts at once, unless the machine is very busy
LOCK_PAUSE = 0.01  # seconds; the lock is held while a process starts
BACKLOG = 1024  # processes that connect while the keeper starts
NOBODY = (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTSOCK)

Start = Callable[[socket.socket, str], socket.socket]


def runtime_directory() -> Path:
    """Return the directory for sockets (0700): in the user's runtime directory, else in the temporary one.

    Raises ServerStartError if none is private to this user, or socket paths in it would be too long.
    """
    tried = []
    for directory in _candidates():
        try:
            return _private(directory)
        except OSError as error:
            tried.append(f"{directory}: {error.strerror or error}")
    raise ServerStartError(
        "No directory for the shared server's socket: set XDG_RUNTIME_DIR to a private one, or start your own server "
        f"(shared=False). Tried: {'; '.join(tried)}."
    )


def _candidates() -> Iterator[Path]:
    yield Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / "opencode-nb"
    for temporary in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108  # its owner is checked
        yield Path(temporary) / f"opencode-nb-{os.getuid()}"


def _private(directory: Path) -> Path:
    """Return the directory, created if needed. Raises OSError if it is not private to this user."""
    if len(os.fsencode(socket_path(directory, "x" * KEY_LENGTH))) > SOCKET_PATH_BYTES:
        raise OSError(errno.ENAMETOOLONG, "too long for a socket")
    directory.mkdir(mode=0o700, exist_ok=True)
    info = directory.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "owned by another user")
    if stat.S_IMODE(info.st_mode) != 0o700:
        directory.chmod(0o700)
    if not os.access(directory, os.W_OK):  # a read-only file system
        raise OSError(errno.EROFS, "cannot be written")
    return directory


KEY_LENGTH = 16  # hexadecimal digits


def socket_path(directory: Path, key: str) -> Path:
    """Return the socket path of the server with this key."""
    return directory / f"{key[:KEY_LENGTH]}.sock"


def meet(key: str, start: Start, timeout: float) -> socket.socket:
    """Connect to the keeper for `key`, or start one with `start(listening socket, its path)`.

    Concurrent callers get the same keeper. Raises OSError, ServerStartError.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            path = socket_path(runtime_directory(), key)
            if connection := _connected(path):
                return connection
            with _locked(path.parent, deadline):
                return _connected(path) or _started(path, start)
        except FileNotFoundError:  # the directory was removed in between
            if time.monotonic() > deadline:
                raise


@contextlib.contextmanager
def _locked(directory: Path, deadline: float) -> Iterator[None]:
    import fcntl

    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise ServerStartError(
                    f"The lock on {directory} was not free in time: a process that is starting a server is suspended. "
                    "Resume it or end it, or start your own server (shared=False)."
                )
            time.sleep(LOCK_PAUSE)
        try:
            if not os.path.samestat(os.fstat(descriptor), directory.stat()):
                raise FileNotFoundError(errno.ENOENT, "removed meanwhile", str(directory))
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # otherwise a child forked meanwhile would keep it
    finally:
        os.close(descriptor)


def _connected(path: Path) -> socket.socket | None:
    """Connect to the socket; return None if nobody listens there."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(CONNECT_SECONDS)
        connection.connect(os.fspath(path))
        connection.settimeout(None)
        if peer_uid(connection) != os.getuid():
            raise PermissionError(errno.EPERM, "another user listens there", os.fspath(path))
    except OSError as error:
        connection.close()
        if error.errno in NOBODY:
            return None
        raise
    return connection


def _started(path: Path, start: Start) -> socket.socket:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        try:
            path.chmod(0o600)
            listener.listen(BACKLOG)
            return start(listener, os.fspath(path))
        except BaseException:  # an interrupt too
            path.unlink(missing_ok=True)
            raise
