"""Connection: one server, joined or started when first needed, and its event stream. asyncio only, on one loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from opencode_nb.api.client import AsyncClient
from opencode_nb.errors import NotFoundError, NotSupportedError, OpencodeError, ServerExitedError
from opencode_nb.secret import Secret
from opencode_nb.server import Server, serve
from opencode_nb.server.version import is_accepted, unanswered, unsupported
from opencode_nb.session import storage
from opencode_nb.session.feed import ConnectionState, Feed
from opencode_nb.transcript.transcript import Change, Transcript

_NOT_STARTED = "Not started yet: call start() first, or prompt something."
_NOT_OURS = "This server was joined by its URL, not started from here: there is only its `client`."

CLOSED = "The connection to the server was closed."


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a connection calls, on the loop's thread.

    `changed`: with what each event changed in a transcript. `followed`: for the transcripts to follow again with a new
    stream. `closing`: before the stream ends. `dropped`: when the server is let go of; the next one may be another.
    """

    changed: Callable[[Transcript, list[Change]], None]
    followed: Callable[[], Iterable[Transcript]]
    closing: Callable[[], Awaitable[None]]
    dropped: Callable[[], None]


class Connection:
    """A server and its event stream: started or joined by `start`, again after they ended; let go of by `aclose`.

    `serve_options` are those of `serve`; `base_url` joins a server instead. `managed` is the server that this package
    runs, None before `start` and where one was joined. `environment` is what a server of its own gets beside this
    process's environment.
    """

    def __init__(
        self,
        directory: str | Path | None,
        base_url: str | None,
        password: str | None,
        serve_options: Mapping[str, Any],
        hooks: Hooks,
    ) -> None:
        self.directory = Path(directory or Path.cwd()).expanduser().resolve()
        self.managed: Server | None = None
        self.version = ""
        self.environment: Mapping[str, str] = dict(serve_options.get("env") or {})
        self._join = (base_url, None if password is None else Secret(password))
        self._serve = dict(serve_options)
        self._hooks = hooks
        self._client: AsyncClient | None = None
        self._feed: Feed | None = None
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def started(self) -> bool:
        """Whether there is a live connection."""
        return self._feed is not None and (self.managed is None or self.managed.alive)

    @property
    def client(self) -> AsyncClient:
        """Every operation of the server. Raises OpencodeError before `start`."""
        if self._client is None:
            raise OpencodeError(_NOT_STARTED)
        return self._client

    @property
    def server(self) -> Server:
        """The server that this package runs. Raises OpencodeError before `start`, and for one joined by its URL."""
        if self.managed is None:
            raise OpencodeError(_NOT_OURS if self._join[0] is not None and self.started else _NOT_STARTED)
        return self.managed

    @property
    def feed(self) -> Feed:
        """The event stream."""
        if self._feed is None:
            raise OpencodeError(_NOT_STARTED)
        return self._feed

    async def start(self) -> Self:
        """Start or join the server and open its event stream; again after it died. Does nothing where all is well.

        A server that is being started again is waited for.
        """
        async with self._starting:
            if self.started and self.feed.lost:
                await self._resume(self.feed)
            if not self.started:
                await self._drop()
                await self._connect()
        return self

    async def server_ready(self) -> None:
        """Wait until a managed server answers: at once, unless it is being started again. Raises ServerExitedError."""
        if self.managed is not None and not self.managed.ready:
            await asyncio.to_thread(self.managed.wait_ready)

    async def _resume(self, feed: Feed) -> None:
        """Open the stream again as soon as the server answers; nothing where it has ended for good."""
        try:
            await self.server_ready()
        except ServerExitedError:
            if self.started:  # it is late: what it is asked now it would never answer
                raise
            return
        await feed.restart()

    @property
    def connection(self) -> ConnectionState:
        """How the event stream is: `state` (connected, reconnecting, lost), `error`, `failures`."""
        return self._feed.connection if self._feed is not None else ConnectionState("lost", "Not connected yet.")

    async def reconnect(self) -> Self:
        """Connect anew at once, whatever the event stream's state; start the server again where it has ended."""
        async with self._starting:
            if self.started:
                await self._resume(self.feed)
            if self.started:
                return self
        return await self.start()

    async def _connect(self) -> None:
        base_url, password = self._join
        if base_url is None:
            self.managed = await _serve_in_thread(directory=self.directory, **self._serve)
            base_url, password = self.managed.url, Secret(self.managed.password)
        try:
            self._client = AsyncClient(
                base_url, password=password, directory=str(self.directory), ready=self.server_ready
            )
            self.version = await _version_of(self._client)
            feed = Feed(self._client, secret=password, data=self._data)
            feed.listen(self._hooks.changed)
            await feed.start()
        except BaseException:
            await self._drop()
            raise
        self._feed = feed
        self._watch_server(feed)
        await feed.follow_again(self._hooks.followed())

    @property
    def _data(self) -> Path | None:
        """The directory of the server's data, where it was started from here."""
        return storage.data_directory({**os.environ, **self.environment}) if self.managed is not None else None

    def _watch_server(self, feed: Feed) -> None:
        loop, server = asyncio.get_running_loop(), self.managed
        if server is None:
            return

        def follow(step: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
            call_soon(loop, self._spawn, step, feed, *args)

        server.on_exit(lambda code: follow(self._server_away, _ended(server, f" (exit code {code})"), True))
        server.on_down(lambda: follow(self._server_away, _ended(server, ", and is being started again"), False))
        server.on_restart(lambda: follow(self._server_back))

    def _spawn(self, step: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        task = asyncio.create_task(step(*args))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _server_away(self, feed: Feed, error: str, for_good: bool) -> None:
        async with self._starting:
            if feed is self._feed:
                await feed.suspend(error, for_good=for_good)  # before anybody prompts again because of what follows
                feed.fail_all("ServerExited", error)

    async def _server_back(self, feed: Feed) -> None:
        async with self._starting:
            if feed is self._feed and feed.lost:
                with contextlib.suppress(OpencodeError):  # the connection is shown as lost, with the reason
                    await self._resume(feed)

    async def aclose(self) -> None:
        """End the stream, and let go of the server: one of its own ends. Turns that were begun here are cut off."""
        async with self._starting:
            await self._hooks.closing()
            await self._drop()

    async def _drop(self) -> None:
        feed, client, server = self._feed, self._client, self.managed
        self._feed = self._client = self.managed = None
        self._hooks.dropped()
        if feed is not None:
            feed.fail_all("ConnectionLost", CLOSED)
            await feed.aclose()
        if client is not None:
            await client.aclose()
        if server is not None:
            await asyncio.to_thread(server.close)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _ended(server: Server, otherwise: str) -> str:
    reason = f": {server.end_reason}" if server.end_reason else otherwise
    return f"The OpenCode server ended in the middle of the turn{reason}."


async def _version_of(client: AsyncClient) -> str:
    """The server's version. Raises NotSupportedError for one whose API is another, such as OpenCode 2's."""
    try:
        health = await client.global_.health()
    except (NotFoundError, NotSupportedError) as error:
        raise NotSupportedError(f"There is a server{unanswered(client.base_url)}") from error
    version = str(health.get("version", ""))
    if not is_accepted(version):
        raise NotSupportedError(f"The server at {client.base_url} is OpenCode {version}{unsupported(version)}")
    return version


async def _serve_in_thread(**options: Any) -> Server:
    """Start the server off the loop; if the wait is cancelled, the server that still comes up is closed."""
    task = asyncio.ensure_future(asyncio.to_thread(serve, **options))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_close_late)
        raise


def _close_late(started: asyncio.Future[Server]) -> None:
    if not started.cancelled() and started.exception() is None:
        started.result().close()


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any) -> None:
    """From any thread: have the loop call this, if it still runs."""
    with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to be told
        loop.call_soon_threadsafe(function, *args)
