"""A pseudo-terminal's websocket: text goes in, output comes out. The only importer of `websockets`.

Why a package: RFC 6455's masking, fragments, pings and closing handshake are nothing to write anew, and httpx has none.
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
_quiet.setLevel(logging.INFO)  # below that the library logs the headers of the handshake, and the password is in one

MAX_FRAME = 64 * 1024 * 1024  # bytes; the server repeats a terminal's whole output in few frames
PING_INTERVAL = 20.0  # seconds
PING_TIMEOUT = 60.0  # seconds without an answer after which the connection counts as lost
CLOSE_TIMEOUT = 2.0  # seconds for the server's part of the goodbye
METADATA = b"\x00"  # what a binary frame begins with; JSON follows


class Handshake(NamedTuple):
    """What opens a websocket.

    `local`: on this machine, where no proxy leads; `timeout`: seconds, None for no limit; `ready`: awaited before.
    """

    url: str
    path: str
    headers: dict[str, str]
    local: bool
    timeout: float | None
    ready: Callable[[], Awaitable[object]]


class AsyncTerminal:
    """A terminal's output as it comes, and its input: `async with client.pty.connect(pty_id) as terminal`.

    Entering connects, and raises what the server or the connection says against it. `async for text in terminal` gives
    output until the program ends; the server begins with what the terminal has printed so far, or after `cursor=`, if
    one was given (-1: only what is new). A connection that is lost otherwise raises APIConnectionError.
    """

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._connection: ClientConnection | None = None
        self._closed = False
        self.cursor: int | None = None
        """How far the output has been read, in UTF-16 code units; None until the server has told."""

    async def __aenter__(self) -> Self:
        from websockets.asyncio.client import connect  # tens of milliseconds: paid with the first terminal

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
        """Type this. Raises APIConnectionError where nobody is there to read it."""
        with _errors(self._handshake):
            await self._connected().send(text)

    async def receive(self, timeout: float | None = None) -> str | None:
        """The next piece of output; None when there is no more. Raises APITimeoutError after `timeout` seconds."""
        with _errors(self._handshake):
            async with asyncio.timeout(timeout):
                return await self._receive()

    async def aclose(self) -> None:
        """Disconnect; whoever reads ends. The terminal and its program live on."""
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
        """Take what the server says about the terminal; what it says of anything else is of no consequence."""
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
    """A terminal's output as it comes, and its input: `with client.pty.connect(pty_id) as terminal`; see AsyncTerminal.

    `close()` may be called from any thread and ends the iteration at once.
    """

    def __init__(self, handshake: Handshake) -> None:
        self._terminal = AsyncTerminal(handshake)

    @property
    def cursor(self) -> int | None:
        """How far the output has been read, in UTF-16 code units; None until the server has told."""
        return self._terminal.cursor

    def __enter__(self) -> Self:
        portal.run(self._terminal.__aenter__)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def send(self, text: str) -> None:
        """Type this. Raises APIConnectionError where nobody is there to read it."""
        portal.run(self._terminal.send, text)

    def receive(self, timeout: float | None = None) -> str | None:
        """The next piece of output; None when there is no more. Raises APITimeoutError after `timeout` seconds."""
        return portal.run(self._terminal.receive, timeout)

    def close(self) -> None:
        """Disconnect; whoever reads ends. The terminal and its program live on."""
        portal.run(self._terminal.aclose)

    def __iter__(self) -> Iterator[str]:
        while (text := self.receive()) is not None:
            yield text


@contextmanager
def _errors(shake: Handshake) -> Iterator[None]:
    """Everything that can happen on the way becomes one of our exceptions."""
    from websockets.exceptions import InvalidStatus, WebSocketException

    what = f"websocket {shake.path}"
    try:
        yield
    except InvalidStatus as error:
        raise _refused(shake.path, error.response) from error
    except TimeoutError as error:
        raise APITimeoutError(f"{what}: nothing came in time. Look whether the terminal still runs.") from error
    except (OSError, WebSocketException) as error:
        raise APIConnectionError(
            f"{what}: the connection failed ({error}). Look whether the server still runs, and connect again."
        ) from error


def _refused(path: str, response: Response) -> OpencodeError:
    """The error for an answer that does not open a websocket."""
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
