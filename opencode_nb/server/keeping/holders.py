"""The keeper's end of its connections: who holds the server, lines of JSON to and from them."""

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
    """The user at the other end of a local connection. Raises OSError."""
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    else:
        _, uid = struct.unpack(XUCRED, connection.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, struct.calcsize(XUCRED)))
    return int(uid)


class Holder:
    """A connection that holds the server, until it ends. `pid` and `label` are what it told of itself."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.pid = 0
        self.label = ""
        self._received = b""

    def receive(self) -> list[dict[str, Any]] | None:
        """What it has sent, as soon as there is something; None when it has gone, or makes no sense."""
        try:
            data = self.connection.recv(1 << 16)
            *lines, self._received = (self._received + data).split(b"\n")
            return [dict(json.loads(line)) for line in lines] if data else None
        except (OSError, ValueError):
            return None

    def tell(self, line: bytes) -> bool:
        """Send a line; False when it has gone, or has read nothing for so long that no more can be sent."""
        try:
            return self.connection.send(line, socket.MSG_DONTWAIT) == len(line)
        except OSError:
            return False

    def cut(self) -> None:
        """End the connection, although the guard has the first holder's open too."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class Door:
    """Where holders come in: the listening socket at `path`."""

    def __init__(self, listener: socket.socket, path: str) -> None:
        self._listener = listener
        self._path = path
        listener.setblocking(False)

    def fileno(self) -> int:
        """Can be read when somebody waits to be let in."""
        return self._listener.fileno()

    def admit(self) -> socket.socket | None:
        """Let one in, None when nobody waits. Another user of the machine is sent away."""
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                connection.setblocking(True)
                if peer_uid(connection) == os.getuid():
                    return connection
                connection.close()
        return None

    def close(self) -> None:
        """Shut it: the file first, so that who finds it can come in, or is cut off and looks again."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108
        self._listener.close()
