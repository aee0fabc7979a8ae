"""Read event streams of a server on this machine: an httpx transport that joins small chunks into large pieces.

The server sends each event as a separate HTTP chunk, and httpx's handling of a chunk, in Python, takes longer than all
processing of the event. Here a chunk costs one callback of a C parser (httptools, as in uvicorn), and all data between
two reads is one piece. No TLS, proxy or pool: a loopback connection needs none.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httptools
import httpx

__all__ = ["LoopbackTransport"]

READ_BYTES = 1 << 16
FORBIDDEN = b"\r\n\0"  # in a header, these would end it and start another one


class LoopbackTransport(httpx.AsyncBaseTransport):
    """Opens a connection per request and keeps nothing between requests."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the response's head; stream its body. Raises httpx.TransportError."""
        timeouts = request.extensions.get("timeout", {})
        with _errors(httpx.ConnectError, httpx.ConnectTimeout):
            async with asyncio.timeout(timeouts.get("connect")):
                connection = await _connect(request.url.host, request.url.port or 80)
        body = _Body(connection, timeouts.get("read"))
        try:
            with _errors(httpx.WriteError, httpx.WriteTimeout):
                async with asyncio.timeout(timeouts.get("write")):
                    await body.loop.sock_sendall(connection, _wire(request) + await request.aread())
            await body.read_head()
        except BaseException:
            await body.aclose()
            raise
        return httpx.Response(body.status, headers=body.headers, stream=body)


class _Body(httpx.AsyncByteStream):
    """The response to a request; also receives the parser's callbacks."""

    def __init__(self, connection: socket.socket, timeout: float | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._connection = connection
        self._timeout = timeout
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._complete = False

    async def read_head(self) -> None:
        """Read until the final response's headers have arrived."""
        while not self.status:
            if not await self._read():
                raise httpx.RemoteProtocolError("the connection was closed without an answer")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if self._pieces:
                pieces, self._pieces = self._pieces, []
                yield b"".join(pieces)
            if self._complete:
                return
            if not await self._read():
                if self._is_framed():
                    raise httpx.RemoteProtocolError("the connection was closed in the middle of the answer")
                return

    async def aclose(self) -> None:
        """Close the connection."""
        self._connection.close()

    async def _read(self) -> bool:
        """Read the next data; return False at the end of the connection."""
        with _errors(httpx.ReadError, httpx.ReadTimeout):
            async with asyncio.timeout(self._timeout):
                data = await self.loop.sock_recv(self._connection, READ_BYTES)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise httpx.RemoteProtocolError(f"the answer is not HTTP: {error}") from error
        return bool(data)

    def _is_framed(self) -> bool:
        """Return whether the headers define the body's end; else it ends with the connection."""
        return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    # called by the parser

    def on_message_begin(self) -> None:
        self.headers, self._complete = [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self.status = 0 if status < 200 else status  # "102 Processing" is followed by another response

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        self._complete = True


async def _connect(host: str, port: int) -> socket.socket:
    """Connect to the first address of `host` that accepts. Raises OSError."""
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            await loop.sock_connect(connection, address)
            return connection
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
    raise failure or OSError(f"{host} has no address")


def _wire(request: httpx.Request) -> bytes:
    """Return the request's head as sent."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    if any(byte in line for line in lines for byte in FORBIDDEN):
        raise httpx.LocalProtocolError("a header must not contain a line break")
    return b"\r\n".join(lines) + b"\r\n\r\n"


@contextmanager
def _errors(broken: type[httpx.TransportError], late: type[httpx.TransportError]) -> Iterator[None]:
    """Translate socket errors to the ones httpx's callers expect."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
