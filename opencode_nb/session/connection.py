"""Connection: a server, joined or started on first use, and its event stream. asyncio only, on a single loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from opencode_nb.api.client import AsyncClient
from opencode_nb.api.features import FEATURES
from opencode_nb.errors import NotFoundError, NotSupportedError, OpencodeError, ServerExitedError
from opencode_nb.secret import Secret
from opencode_nb.server import Server, serve
from opencode_nb.server.files import SetupFiles, data_directory, setup_files
from opencode_nb.server.version import is_accepted, unanswered, unsupported
from opencode_nb.session.incoming.feed import ConnectionState, Feed
from opencode_nb.session.incoming.health import Health, HealthRecord
from opencode_nb.transcript.transcript import Change, Transcript

_NOT_STARTED = "Not started yet: call start() first, or prompt something."
_NOT_OURS = "This server was joined by URL, not started here: call its API through `client` instead."

CLOSED = "The connection to the server was closed."


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Callbacks of a connection, called on the loop's thread.

    `changed` gets the changes that each event made to a transcript. `followed` returns the transcripts that a new
    stream must follow. `closing` runs before the stream ends, `dropped` when the server is released.
    """

    changed: Callable[[Transcript, list[Change]], None]
    followed: Callable[[], Iterable[Transcript]]
    closing: Callable[[], Awaitable[None]]
    dropped: Callable[[], None]


class Connection:
    """A server and its event stream. `start` opens both, also after they ended; `aclose` releases them.

    `serve_options` are passed to `serve`; `base_url` joins a running server instead. `client_options` are those of
    every client of the server: `headers`, `http_client`, `workspace`. `managed` is the server that this
    package runs: None before `start`, and for one joined by URL. `environment` holds the variables that a private
    server gets in addition to this process's.
    """

    name = "OpenCode"
    """What people call it."""

    def __init__(
        self,
        directory: str | Path | None,
        base_url: str | None,
        password: str | None,
        serve_options: Mapping[str, Any],
        client_options: Mapping[str, Any],
        callbacks: Callbacks,
    ) -> None:
        self.directory = Path(directory or Path.cwd()).expanduser().resolve()
        self.managed: Server | None = None
        self.version = ""
        self.environment: Mapping[str, str] = dict(serve_options.get("env") or {})
        self._join = (base_url, None if password is None else Secret(password))
        self._serve = dict(serve_options)
        self.client_options = dict(client_options)
        self._callbacks = callbacks
        self._record = HealthRecord()
        self._began = 0.0  # when the server started, in seconds since the epoch
        self._read: SetupFiles | None = None  # as the server has read them
        self._client: AsyncClient | None = None
        self._feed: Feed | None = None
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def started(self) -> bool:
        """Whether the event stream is set up and a managed server is alive."""
        return self._feed is not None and (self.managed is None or self.managed.alive)

    @property
    def client(self) -> AsyncClient:
        """The server's API. Raises OpencodeError before `start`."""
        if self._client is None:
            raise OpencodeError(_NOT_STARTED)
        return self._client

    def lacks(self, feature: str) -> str:
        """Return why there is no such feature (a name in docs/acp.md's table); "" if there is, or before `start`."""
        return str(self._lacking(feature) or "")

    def need(self, feature: str) -> None:
        """Raise the error of a feature that is lacking, before anything is done."""
        if (error := self._lacking(feature)) is not None:
            raise error

    def _lacking(self, feature: str) -> OpencodeError | None:
        return None if self._client is None else self._client.lacks(FEATURES[feature].operation)

    @property
    def described(self) -> str:
        """What answers, and where: one line. Raises OpencodeError before `start`."""
        return f"{self.name} {self.version} at {self.client.base_url}"

    @property
    def joined(self) -> bool:
        """Whether it was started elsewhere, and is joined by URL."""
        return self._join[0] is not None

    @property
    def log_path(self) -> Path | None:
        """The log of what was started here; None before `start`, and for what was started elsewhere."""
        return None if self.managed is None else self.managed.log_path

    @property
    def password(self) -> Secret | None:
        """The server's password, masked when shown; None for a server without one."""
        return Secret(self.managed.password) if self.managed else self._join[1]

    @property
    def server(self) -> Server:
        """The server that this package runs. Raises OpencodeError before `start` and for a server joined by URL."""
        if self.managed is None:
            raise OpencodeError(_NOT_OURS if self._join[0] is not None and self.started else _NOT_STARTED)
        return self.managed

    @property
    def feed(self) -> Feed:
        """The event stream. Raises OpencodeError before `start`."""
        if self._feed is None:
            raise OpencodeError(_NOT_STARTED)
        return self._feed

    async def start(self) -> Self:
        """Start or join the server and open its event stream, also after they ended. No-op while connected.

        Waits for a server that is restarting.
        """
        async with self._starting:
            if self.started and self.feed.lost:
                await self._resume(self.feed)
            if not self.started:
                await self._drop()
                with self._record.failing():
                    await self._connect()
        return self

    async def server_ready(self) -> None:
        """Wait while a managed server restarts; otherwise return at once. Raises ServerExitedError."""
        if self.managed is not None and not self.managed.ready:
            await asyncio.to_thread(self.managed.wait_ready)

    async def _resume(self, feed: Feed) -> None:
        """Reopen the stream once the server answers. No-op if the server has exited for good."""
        try:
            await self.server_ready()
        except ServerExitedError:
            if self.started:  # still starting, too slowly: a request would hang
                raise
            return
        await feed.restart()

    @property
    def connection(self) -> ConnectionState:
        """The state of the event stream: `state` (connected, reconnecting, lost), `error`, `failures`."""
        return self._feed.connection if self._feed is not None else ConnectionState("lost", "Not connected yet.")

    @property
    def health(self) -> Health:
        """How the connection has held: `degraded`, `failures`, `consecutive_failures`, `last_error`, `last_failure`."""
        return self._record.health

    async def reconnect(self) -> Self:
        """Reconnect now, whatever the state of the event stream; restart the server if it has exited."""
        async with self._starting:
            if self.started:
                await self._resume(self.feed)
            if self.started:
                return self
        return await self.start()

    @property
    def demo(self) -> bool:
        """Whether the model is the scripted demo, which is not an AI."""
        return bool(self._serve.get("demo"))

    async def start_demo(self) -> Self:
        """Continue on a private server with the scripted demo model, which is not an AI; sessions are kept.

        Raises as `start`, and then stays with its server.
        """
        before = self._join, self._serve
        await self.aclose()
        self._join, self._serve = (None, None), {**self._serve, "demo": True, "shared": False}
        try:
            return await self.start()
        except BaseException:
            self._join, self._serve = before
            raise

    async def renew(self, *, unseen: bool = False) -> bool:
        """Have the server read logins and configuration again if they have changed; return whether it did.

        `unseen`: also without a change that can be seen. Does nothing while a turn runs in the directory, as that
        would cut it off. What the server reads only when it starts is left as it is while others use the server.
        """
        files = await self.setup_files()
        if self._read is None:
            self._read = files.as_of(self._began)
        if not (unseen or files != self._read) or await self.client.session.status():
            return False
        if (unseen or files.at_start != self._read.at_start) and await asyncio.to_thread(self._restart_alone):
            await self.start()
        else:
            await self.client.instance.dispose()
        self._read = files
        self._callbacks.dropped()
        return True

    def _restart_alone(self) -> bool:
        """Restart the server if nobody else uses it; return whether it was."""
        alone = self.managed is not None and all(holder.this for holder in self.managed.status().holders)
        if self.managed is not None and alone:
            self.managed.restart()
        return alone

    async def setup_files(self) -> SetupFiles:
        """When each file that sets up models was modified; empty for a server that was joined by URL."""
        if self.managed is None:
            return SetupFiles({}, {})
        return await asyncio.to_thread(setup_files, {**os.environ, **self.environment}, self.directory)

    async def _connect(self) -> None:
        base_url, password = self._join
        if base_url is None:
            self.managed = await _serve_in_thread(directory=self.directory, **self._serve)
            base_url, password = self.managed.url, self.password
            self._began, self._read = time.time() - self.managed.status().uptime, None
        try:
            place = str(self.directory)
            self._client = AsyncClient(
                base_url, password=password, directory=place, ready=self.server_ready, **self.client_options
            )
            self.version = await _version_of(self._client)
            feed = Feed(self._client, secret=password, data=self._data, record=self._record)
            feed.listen(self._callbacks.changed)
            await feed.start()
        except BaseException:
            await self._drop()
            raise
        self._feed = feed
        self._watch_server(feed)
        await feed.follow_again(self._callbacks.followed())

    @property
    def _data(self) -> Path | None:
        """The server's data directory; None unless this package runs the server."""
        return data_directory({**os.environ, **self.environment}) if self.managed is not None else None

    def _watch_server(self, feed: Feed) -> None:
        loop, server = asyncio.get_running_loop(), self.managed
        if server is None:
            return

        def follow(step: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
            call_soon(loop, self._spawn, step, feed, *args)

        server.on_exit(lambda code: follow(self._server_away, _ended(server, f" (exit code {code})"), True))
        server.on_down(lambda: follow(self._server_away, _ended(server, " and is restarting"), False))
        server.on_restart(lambda: follow(self._server_back))

    def _spawn(self, step: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        task = asyncio.create_task(step(*args))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _server_away(self, feed: Feed, error: str, for_good: bool) -> None:
        async with self._starting:
            if feed is self._feed:
                await feed.suspend(error, for_good=for_good)  # first: failing the turns may trigger new prompts
                feed.fail_all("ServerExited", error)

    async def _server_back(self, feed: Feed) -> None:
        async with self._starting:
            if feed is self._feed and feed.lost:
                with contextlib.suppress(OpencodeError):  # the connection already reports "lost" and why
                    await self._resume(feed)

    async def aclose(self) -> None:
        """Abort turns started here, close the stream and release the server; a private server stops."""
        async with self._starting:
            await self._callbacks.closing()
            await self._drop()

    async def _drop(self) -> None:
        feed, client, server = self._feed, self._client, self.managed
        self._feed = self._client = self.managed = None
        self._callbacks.dropped()
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
    """Return the server's version. Raises NotSupportedError for a different API, such as OpenCode 2's."""
    try:
        health = await client.global_.health()
    except (NotFoundError, NotSupportedError) as error:
        raise NotSupportedError(f"There is a server{unanswered(client.base_url)}") from error
    version = str(health.get("version", ""))
    if not is_accepted(version):
        raise NotSupportedError(f"The server at {client.base_url} is OpenCode {version}{unsupported(version)}")
    return version


async def _serve_in_thread(**options: Any) -> Server:
    """Start the server in a thread. On cancellation, close the server once it is up."""
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
    """Schedule a call on the loop from any thread; do nothing if the loop is closed."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: there is no one to notify
        loop.call_soon_threadsafe(function, *args)
