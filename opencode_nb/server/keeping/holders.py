"""The keeper's end of the connections to its holders, which exchange lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from typing import Any

SOL_LOCAL, LOCAL_PEERCRED, XUCRED = 0, 1, "iI"  # macOS <sys/un.h>, <sys/ucred.h>: version, uid, ...


def peer_uid(connection: socket.socket) -> int:
    """Return the user id at the other end of a local connection. Raises OSError."""
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    else:
        _, uid = struct.unpack(XUCRED, connection.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, struct.calcsize(XUCRED)))
    return int(uid)


class Holder:
    """A connection that holds the server until it ends. `pid` and `label` are what the holder reported."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pid = 0
        self.label = ""
        self._received = b""

    def receive(self) -> list[dict[str, Any]] | None:
        """Return the messages received, waiting for data; None if the holder is gone or sent invalid data."""
        try:
            data = self.connection.recv(1 << 16)
            *lines, self._received = (self._received + data).split(b"\n")
            return [dict(json.loads(line)) for line in lines] if data else None
        except (OSError, ValueError):
            return None

    def tell(self, line: bytes) -> bool:
        """Send a line; return False if the holder is gone or has not read for so long that its buffer is full."""
        try:
            return self.connection.send(line, socket.MSG_DONTWAIT) == len(line)
        except OSError:
            return False

    def cut(self) -> None:
        """Shut the connection down, even the first holder's, which the guard also keeps open."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Door:
    """The listening socket at `path`, to which holders connect."""

    def __init__(self, listener: socket.socket, path: str) -> None:
        self._listener = listener
        self._path = path
        listener.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor, readable when a connection is pending."""
        return self._listener.fileno()

    def admit(self) -> socket.socket | None:
        """Accept a pending connection, or return None. Rejects other users of the machine."""
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                connection.setblocking(True)
                if peer_uid(connection) == os.getuid():
                    return connection
                connection.close()
        return None

    def close(self) -> None:
        """Close the socket, its file first: a process that found the file gets in, or is cut off and tries again."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108
        self._listener.close()
