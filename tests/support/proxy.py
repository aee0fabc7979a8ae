"""A network between a client and its server that can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """A TCP relay in front of the real server, whose connections can be cut like a network's."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._refusing = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = self._listener.accept()
                if self._refusing.is_set():
                    inner.close()
                    continue
                outer = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [inner, outer]
                for source, sink in ((inner, outer), (outer, inner)):
                    threading.Thread(target=self._relay, args=(source, sink), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError), source, sink:
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)

    def cut(self) -> None:
        """Break every connection, and refuse new ones until `mend`."""
        self._refusing.set()
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        """Let nothing through until `mend`, neither data nor the end of a connection: a cable that is pulled."""
        self._flowing.clear()

    def mend(self) -> None:
        """Relay again, what was held first."""
        self._refusing.clear()
        self._flowing.set()

    def close(self) -> None:
        """End it."""
        self._flowing.set()
        self.cut()
        self._listener.close()
        for end in self._sockets:
            end.close()
