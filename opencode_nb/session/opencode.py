"""AsyncOpencode: one server and one event stream, and the sessions over them.

asyncio only, and all of one AsyncOpencode on one event loop. For code that does not await: `Opencode` (blocking/).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from opencode_nb.api.client import AsyncClient
from opencode_nb.changes import sources
from opencode_nb.changes.diff import Diff
from opencode_nb.errors import InternalServerError, NotFoundError, NotSupportedError, OpencodeError, ServerExitedError
from opencode_nb.secret import Secret
from opencode_nb.server import Server, serve
from opencode_nb.server.version import is_accepted, unanswered, unsupported
from opencode_nb.session import storage
from opencode_nb.session.catalog import Catalog
from opencode_nb.session.feed import Connection, Feed
from opencode_nb.session.models import split_model
from opencode_nb.session.permissions.approvals import Approvals
from opencode_nb.session.permissions.enforcement import Enforcement
from opencode_nb.session.permissions.policy import PermissionOption, Policy
from opencode_nb.session.registry import Sessions
from opencode_nb.session.session import ABORT_TIMEOUT, AsyncSession, call_soon
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import BY_APPROVAL, Json, TurnState
from opencode_nb.transcript.transcript import Change, Transcript


class AsyncOpencode(Catalog):
    """A server (joined or started when first needed, or the one at `base_url`), and its sessions in one directory.

    `permission` says who answers the agent's permission requests (see `Policy`); `model` is "provider/model".
    `shared`: use the server that this user's processes share (see `serve`); one of its own otherwise, and with
    `demo=True`, which uses the scripted demo model, not an AI. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        password: str | None = None,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        directory: str | Path | None = None,
        config: Mapping[str, Any] | None = None,
        binary: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        demo: bool | None = None,
        shared: bool = True,
        permission: PermissionOption = "ask",
        timeout: float | None = None,
    ) -> None:
        super().__init__()
        if model is not None:
            split_model(model)
        self.model, self.agent, self.variant = model, agent, variant
        self.directory = Path(directory or Path.cwd()).expanduser().resolve()
        self.policy = Policy(permission)
        self.timeout = timeout
        self.managed: Server | None = None
        """The server that this package runs; None before `start`, and where one was joined by its URL."""
        self.version = ""
        self._join = (base_url, None if password is None else Secret(password))
        self._serve = {
            "config": dict(config) if config else None,
            "binary": binary,
            "env": env,
            "demo": bool(demo),
            "shared": shared and not demo,
        }
        self.environment: Mapping[str, str] = dict(env or {})
        """What a server of its own gets beside this process's environment."""
        self.approvals = Approvals()
        self.enforcement = Enforcement(lambda: self.client, self.directory)
        self._client: AsyncClient | None = None
        self._feed: Feed | None = None
        self._sessions = Sessions(self._unfollow)
        self._starting = asyncio.Lock()
        self._following: set[asyncio.Task[None]] = set()  # what the server does, as its keeper tells it

    def prefer(
        self,
        *,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        permission: PermissionOption | None = None,
        timeout: float | None = None,
    ) -> None:
        """Set anew what prompts use that name nothing else; a session that was given a choice of its own keeps it.

        Raises ValueError as the constructor does, and then nothing is changed.
        """
        if model is not None:
            split_model(model)
        self.policy, self.timeout = Policy("ask" if permission is None else permission), timeout
        for name, value in (("model", model), ("agent", agent), ("variant", variant)):
            before = getattr(self, name)
            setattr(self, name, value)
            for session in self._sessions:
                if getattr(session, name) == before:
                    setattr(session, name, value)

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
    def connection(self) -> Connection:
        """How the event stream is: `state` (connected, reconnecting, lost), `error`, `failures`."""
        return self._feed.connection if self._feed is not None else Connection("lost", "Not connected yet.")

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
            feed.listen(self._route)
            await feed.start()
        except BaseException:
            await self._drop()
            raise
        self._feed = feed
        self._watch_server(feed)
        await feed.follow_again(session.transcript for session in self._sessions)

    @property
    def _data(self) -> Path | None:
        """The directory of the server's data, where it was started from here."""
        return storage.data_directory({**os.environ, **self.environment}) if self.managed is not None else None

    def _watch_server(self, feed: Feed) -> None:
        loop, server = asyncio.get_running_loop(), self.managed
        if server is None:
            return

        def follow(step: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
            call_soon(loop, self._follow_server, step, feed, *args)

        server.on_exit(lambda code: follow(self._server_away, _ended(server, f" (exit code {code})"), True))
        server.on_down(lambda: follow(self._server_away, _ended(server, ", and is being started again"), False))
        server.on_restart(lambda: follow(self._server_back))

    def _follow_server(self, step: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        task = asyncio.create_task(step(*args))
        self._following.add(task)
        task.add_done_callback(self._following.discard)

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
            await self._cut_off()
            await self._drop()

    def allow_approved(self, turn: TurnState) -> None:
        """Allow what an earlier "always" covers in a turn that was begun elsewhere: nobody else here answers it."""
        for request in turn.permissions.values():
            if self.approvals.cover(request):
                self._follow_server(self._allow, turn.session_id, request)

    async def _allow(self, session_id: str, request: Json) -> None:
        self.feed.tell(session_id, "decided", request=request, reply="once", by=BY_APPROVAL)
        with contextlib.suppress(OpencodeError):  # answered meanwhile, where the turn was begun
            await self.client.permission.reply(request["id"], reply="once")

    async def _cut_off(self) -> None:
        """A server that goes on must not go on with what nobody here will hear of, or answer."""
        began = [session for session in self._sessions if session.running]
        if self._feed is None or not self.started:
            return
        self._feed.fail_all("ConnectionLost", _CLOSED)
        for session in began:
            with contextlib.suppress(OpencodeError):  # the server has gone, and the turn with it
                await self.client.session.abort(session.id, timeout=ABORT_TIMEOUT)

    async def _drop(self) -> None:
        feed, client, server = self._feed, self._client, self.managed
        self._feed = self._client = self.managed = None
        self._forget_catalog()
        self.enforcement.forget()
        self.approvals.clear()
        if feed is not None:
            feed.fail_all("ConnectionLost", _CLOSED)
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

    # -- sessions --------------------------------------------------------------------------------------------------

    async def session(
        self, title: str | None = None, *, id: str | None = None, parent: str | None = None
    ) -> AsyncSession:
        """A new session, or with `id` the one of that id with its history. Raises NotFoundError."""
        await self.start()
        if id is not None and (known := self._sessions.get(id)) is not None:
            return known
        info = await self.client.session.get(id) if id else await self._create(title, parent)
        session = AsyncSession(self, await self.feed.follow(info["id"], fresh=id is None))
        session.transcript.apply({"type": "session.updated", "properties": {"info": info}})
        self._sessions.add(session)
        return session

    def use(self, session: AsyncSession) -> None:
        """Take note that somebody works with a session: it stays open for a while, whoever holds it."""
        self._sessions.use(session)

    def _unfollow(self, session_id: str) -> None:
        if self._feed is not None:
            self._feed.forget(session_id)

    async def _create(self, title: str | None, parent: str | None) -> Json:
        rules = await self.enforcement.rules(self.policy, self.agent)
        body: Json = {"title": title, "parentID": parent, "permission": rules}
        try:
            return dict(await self.client.session.create(**{key: value for key, value in body.items() if value}))
        except InternalServerError as error:
            raise storage.named(error, self._data) from error

    async def ask(self, prompt: str, **options: Any) -> Turn:
        """One prompt in a session of its own; options as for `AsyncSession.prompt`."""
        async with self._session_for_prompt() as session:
            return await session.prompt(prompt, **options)

    async def stream(self, prompt: str, **options: Any) -> AsyncIterator[Change]:
        """One prompt in a session of its own, as an iterator of what changes."""
        async with self._session_for_prompt() as session:
            async for change in session.stream(prompt, **options):
                yield change

    @contextlib.asynccontextmanager
    async def _session_for_prompt(self) -> AsyncIterator[AsyncSession]:
        """A new session for the prompt in the body, deleted where that could not be sent."""
        session = await self.session()
        try:
            yield session
        except BaseException:
            await self.discard(session)
            raise

    async def discard(self, session: AsyncSession) -> None:
        """Delete a session that the caller made, if nothing was ever sent in it and nobody has named it.

        Raises nothing: it follows a failure that is worth more.
        """
        if not session.transcript.turns and _UNNAMED.match(session.title):
            with contextlib.suppress(OpencodeError):
                await session.delete()

    def forget(self, session_id: str) -> None:
        """Let go of a session that is no longer there."""
        self.feed.forget(session_id)
        self._sessions.remove(session_id)

    async def diff(self, mode: Literal["git", "branch"] = "git") -> Diff:
        """How the work tree differs from the last commit ("git"), or from where its branch began ("branch").

        Raises OpencodeError outside git, and with "branch" where there is no other default branch.
        """
        if mode not in ("git", "branch"):
            raise ValueError(f'mode={mode!r} is neither "git" nor "branch".')
        await self.start()
        return Diff(*await asyncio.to_thread(sources.of_work_tree, self.directory, await self._default_branch(mode)))

    async def _default_branch(self, mode: str) -> str:
        """The default branch's name, as the server found it, where it is asked for; else ""."""
        if mode == "git":
            return ""
        if name := (await self.client.vcs.get()).get("default_branch"):
            return str(name)
        raise OpencodeError('There is no other default branch to compare with: diff("git") shows what is uncommitted.')

    async def abort_all(self) -> None:
        """Stop every running turn."""
        await asyncio.gather(*(session.abort() for session in self._sessions))

    def _route(self, transcript: Transcript, changes: list[Change]) -> None:
        session = self._sessions.get(transcript.id, used=False)
        if session is not None:
            session._changed(changes)


_NOT_STARTED = "Not started yet: call start() first, or prompt something."


_NOT_OURS = "This server was joined by its URL, not started from here: there is only its `client`."


_UNNAMED = re.compile(r"New session - \d{4}-|$")
"""The title that the server gives a new session."""

_CLOSED = "The connection to the server was closed."


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
