"""The MCP server's HTTP side: who may call, and who answers: the handshake here, or the library."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import uvicorn

from opencode_nb.tools import handshake
from opencode_nb.tools.offer import Offer

QUIET = ("mcp", "uvicorn", "uvicorn.error", "uvicorn.access", "sse_starlette")
"""Loggers that would write into the user's notebook; what matters is in the answers."""

IMPORT_AFTER = 3.0
"""Seconds after `prepare` until the library is imported, unless a call comes earlier: the import slows all else down,
so the first turn's own beginning is to be over, for which a server that has just started takes one to two seconds."""

Find = Callable[[str], "tuple[str, Offer] | None"]
"""Return the token and the offer served at a path, or None."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Host:
    """Serves offers over HTTP on a listening socket, on the running loop. `find` is asked at each request."""

    def __init__(self, listener: socket.socket, find: Find) -> None:
        for name in QUIET:
            _quieten(logging.getLogger(name))
        self._listener, self._find = listener, find
        self._called = asyncio.Event()
        self._library: asyncio.Task[Application] | None = None
        application = _Doorkeeper(self._answer, "{}:{}".format(*listener.getsockname()[:2]), find)
        config = uvicorn.Config(application, lifespan="off", log_config=None, access_log=False, ws="none")
        self._http = uvicorn.Server(config)

    async def run(self, up: asyncio.Event) -> None:
        """Accept connections until cancelled; set `up` once it does.

        Not by `uvicorn.Server.serve`, which handles signals, and wakes ten times a second for as long as it runs.
        """
        self._http.config.load()
        self._http.lifespan = self._http.config.lifespan_class(self._http.config)
        await self._http.startup(sockets=[self._listener])
        up.set()
        try:
            await asyncio.Event().wait()
        finally:
            for server in self._http.servers:
                server.close()

    def prepare(self) -> asyncio.Task[Any]:
        """Import the library that answers calls, soon; return the task, always the same."""
        if self._library is None:
            self._library = asyncio.create_task(self._import(), name="opencode_nb import")
        return self._library

    async def _import(self) -> Application:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IMPORT_AFTER):
                await self._called.wait()
        return await asyncio.to_thread(_library, self._offer)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that was let in."""
        if handshake.may_answer(_headers(scope)):
            body = await _body(receive)
            offer = self._offer(scope["path"])
            told = handshake.answer(body, offer.tools) if offer else None
            if told is not None:
                await _respond(send, 200 if told else 202, told, "text/event-stream" if told else "application/json")
                return
            receive = _again(body, receive)
        self._called.set()
        library = await asyncio.shield(self.prepare())
        await library(scope, receive, send)

    def _offer(self, path: str) -> Offer | None:
        served = self._find(path)
        return served[1] if served else None


class _Doorkeeper:
    """ASGI application that lets a request through only if it is a session's own, by its path and bearer token.

    A browser always names its page as Origin, and cannot choose the Host: so no page gets in, whatever it resolves.
    """

    def __init__(self, inside: Application, address: str, find: Find) -> None:
        self._inside, self._address, self._find = inside, address, find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if refused := self._refused(scope, _headers(scope)):
            status, why = refused
            await _respond(send, status, why.encode(), "text/plain; charset=utf-8")
        else:
            await self._inside(scope, receive, send)

    def _refused(self, scope: Scope, headers: Mapping[str, str]) -> tuple[int, str] | None:
        if headers.get("host") != self._address:
            return 421, "This is not the host that was asked for."
        if headers.get("origin", f"http://{self._address}") != f"http://{self._address}":
            return 403, "Pages may not call these tools."
        served = self._find(scope["path"])
        if served is None:
            return 404, "The session of these tools has ended, or its kernel has given them up."
        given = headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {served[0]}".encode()):
            return 401, "The token is missing or wrong."
        if scope["method"] != "POST":  # a stream for messages of ours would stay open, and be kept alive, for nothing
            return 405, "There are no messages from this side."
        return None


def _headers(scope: Scope) -> dict[str, str]:
    """Return a request's headers, with their names in lower case."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _quieten(logger: logging.Logger) -> None:
    """Silence a library's logger, unless somebody has set its level."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL + 1)


def _library(find: Callable[[str], Offer | None]) -> Application:
    from opencode_nb.tools.library import application  # a second of a processor

    return application(find)


async def _respond(send: Send, status: int, body: bytes, kind: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")  # nothing more from a client that has left
        more = message.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a function that gives a body that was read already, then what comes after it."""
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> MutableMapping[str, Any]:
        return given.pop() if given else await receive()

    return again
