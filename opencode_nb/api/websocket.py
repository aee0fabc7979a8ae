"""A pseudo-terminal over a websocket: send text, receive output. The only module that imports `websockets`.

Why a package: RFC 6455's masking, fragments, pings and closing handshake are not worth reimplementing, and httpx has no
websockets.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Self

from opencode_nb import portal
from opencode_nb.errors import APIConnectionError, APITimeoutError, NotSupportedError, OpencodeError, status_error

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.http11 import Response

__all__ = ["AsyncTerminal", "Handshake", "Terminal"]

_quiet = logging.getLogger("opencode_nb.websocket")
_quiet.setLevel(logging.INFO)  # at debug, the library logs the handshake's headers, including the password

MAX_FRAME = 64 * 1024 * 1024  # bytes; the server replays a terminal's whole output in a few frames
PING_INTERVAL = 20.0  # seconds
PING_TIMEOUT = 60.0  # seconds without an answer after which the connection counts as lost
CLOSE_TIMEOUT = 2.0  # seconds for the closing handshake
METADATA = b"\x00"  # first byte of a binary frame; JSON follows


class Handshake(NamedTuple):
    """What is needed to open a websocket.

    `local`: on this machine, so without a proxy; `timeout`: seconds, None for no limit; `ready`: awaited first.
    """

    url: str
    path: str
    headers: dict[str, str]
    local: bool
    timeout: float | None
    ready: Callable[[], Awaitable[object]]


class AsyncTerminal:
    """A terminal's live output, and its input: `async with client.pty.connect(pty_id) as terminal`.

    Entering connects, and raises the server's or connection's error. `async for text in terminal` yields output until
    the program ends, starting with what the terminal has already printed, or after `cursor=` if given (-1: only new
    output). A lost connection raises APIConnectionError.
    """

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._connection: ClientConnection | None = None
        self._closed = False
        self.cursor: int | None = None
        """Position in the output read so far, in UTF-16 code units; None until the server reports it."""

    async def __aenter__(self) -> Self:
        from websockets.asyncio.client import connect  # takes tens of milliseconds: imported with the first terminal

        shake = self._handshake
        with _errors(shake):
            await shake.ready()
            self._connection = await connect(
                shake.url,
                additional_headers=shake.headers,
                proxy=None if shake.local else True,
                compression=None,
                open_timeout=shake.timeout,
                ping_interval=PING_INTERVAL,
                ping_timeout=PING_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
                max_size=MAX_FRAME,
                logger=_quiet,
            )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def send(self, text: str) -> None:
        """Send input. Raises APIConnectionError if the connection is closed."""
        with _errors(self._handshake):
            await self._connected().send(text)

    async def receive(self, timeout: float | None = None) -> str | None:
        """Return the next piece of output; None at the end. Raises APITimeoutError after `timeout` seconds."""
        with _errors(self._handshake):
            async with asyncio.timeout(timeout):
                return await self._receive()

    async def aclose(self) -> None:
        """Disconnect and end reading. The terminal and its program keep running."""
        self._closed = True
        if self._connection is not None:
            await self._connection.close()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self.receive()) is not None:
            yield text

    async def _receive(self) -> str | None:
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

        connection = self._connected()
        try:
            while isinstance(frame := await connection.recv(), bytes):
                self._told(frame)
        except ConnectionClosed as error:
            if self._closed or isinstance(error, ConnectionClosedOK):
                return None
            raise
        if self.cursor is not None:
            self.cursor += len(frame.encode("utf-16-le")) // 2
        return frame

    def _told(self, frame: bytes) -> None:
        """Read the cursor from the server's metadata; ignore everything else."""
        try:
            metadata = json.loads(frame.removeprefix(METADATA))
        except ValueError:
            return
        if isinstance(metadata, dict) and isinstance(metadata.get("cursor"), int):
            self.cursor = metadata["cursor"]

    def _connected(self) -> ClientConnection:
        if self._connection is None:
            raise RuntimeError("not connected: use it in a `with` statement")
        return self._connection


class Terminal:
    """A terminal's live output, and its input: `with client.pty.connect(pty_id) as terminal`; see AsyncTerminal.

    `close()` may be called from any thread and ends the iteration at once.
    """

    def __init__(self, handshake: Handshake) -> None:
        self._terminal = AsyncTerminal(handshake)

    @property
    def cursor(self) -> int | None:
        """Position in the output read so far, in UTF-16 code units; None until the server reports it."""
        return self._terminal.cursor

    def __enter__(self) -> Self:
        portal.run(self._terminal.__aenter__)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def send(self, text: str) -> None:
        """Send input. Raises APIConnectionError if the connection is closed."""
        portal.run(self._terminal.send, text)

    def receive(self, timeout: float | None = None) -> str | None:
        """Return the next piece of output; None at the end. Raises APITimeoutError after `timeout` seconds."""
        return portal.run(self._terminal.receive, timeout)

    def close(self) -> None:
        """Disconnect and end reading. The terminal and its program keep running."""
        portal.run(self._terminal.aclose)

    def __iter__(self) -> Iterator[str]:
        while (text := self.receive()) is not None:
            yield text


@contextmanager
def _errors(shake: Handshake) -> Iterator[None]:
    """Convert all errors of the connection to this package's exceptions."""
    from websockets.exceptions import InvalidStatus, WebSocketException

    what = f"websocket {shake.path}"
    try:
        yield
    except InvalidStatus as error:
        raise _refused(shake.path, error.response) from error
    except TimeoutError as error:
        raise APITimeoutError(f"{what}: no output in time. Check whether the terminal is still running.") from error
    except (OSError, WebSocketException) as error:
        raise APIConnectionError(
            f"{what}: the connection failed ({error}). Check whether the server is still running, and reconnect."
        ) from error


def _refused(path: str, response: Response) -> OpencodeError:
    """Return the error for a response that does not open a websocket."""
    if response.status_code < 400:
        return NotSupportedError(
            f"GET {path}: the server answered with a page instead of a websocket. Update the server.",
            method="GET",
            path=path,
        )
    text = bytes(response.body or b"").decode(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    return status_error(response.status_code, body, method="GET", path=path)
