"""AsyncOpencode: a server, its event stream and the sessions that share them.

asyncio only: use each AsyncOpencode on a single event loop. For blocking code see `Opencode` (blocking/).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from opencode_nb.api.verifying import is_verifying, own_session
from opencode_nb.errors import InternalServerError, OpencodeError
from opencode_nb.functions.collection import Tools
from opencode_nb.retry import Retry
from opencode_nb.server.options import serve_options
from opencode_nb.session import storage, work_tree
from opencode_nb.session.connection import CLOSED, Callbacks
from opencode_nb.session.hooks.dispatch import Dispatcher
from opencode_nb.session.hooks.hook import Hooks
from opencode_nb.session.hooks.watch import Watcher
from opencode_nb.session.incoming import elsewhere
from opencode_nb.session.login.logins import Logins
from opencode_nb.session.mcp.config import Given
from opencode_nb.session.mcp.servers import AsyncMcpServers
from opencode_nb.session.models import split_model
from opencode_nb.session.permissions.approvals import Approvals
from opencode_nb.session.permissions.boundary import Boundary
from opencode_nb.session.permissions.effective import ToolRule, own_rules, tool_rules
from opencode_nb.session.permissions.enforcement import Enforcement
from opencode_nb.session.permissions.policy import PermissionOption, Policy
from opencode_nb.session.permissions.questions import QuestionCallback
from opencode_nb.session.permissions.session_rules import extra_directories
from opencode_nb.session.prompt.parts import Prompt
from opencode_nb.session.prompt.variants import checked_effort
from opencode_nb.session.recorded.opened import feed_of, recording_in
from opencode_nb.session.registry import Observer, Sessions
from opencode_nb.session.session import AsyncSession
from opencode_nb.session.turn import Turn
from opencode_nb.session.turns.running import ABORT_TIMEOUT
from opencode_nb.spending.budget import Budget
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.updates import Update

if TYPE_CHECKING:
    import httpx

    from opencode_nb.changes.diff import Diff
    from opencode_nb.functions.parameters import Function
    from opencode_nb.recording.recording import Recording

HOOKS_TIMEOUT = 5.0
"""Seconds that closing waits for the hooks of what came before."""

_NOT_KEPT = ("self", "__class__", "password")
_KEPT = ("max_tokens", "max_tools")
"""Limits of a turn that `prefer` leaves as they are."""


class AsyncOpencode(Logins):
    """Client for one directory's sessions on a server: at `base_url`, or else joined or started on first use.

    `permission` says who answers the agent's permission requests (see `Policy`); `model` is "provider/model" or
    "provider/model/variant"; the provider may be left out if only one of yours has the model. `effort` is "none",
    "low", "medium", "high" or "max": the model's variant of this name, or the nearest that it has. `retry` sends failed
    prompts again, see `Retry`.
    `shared`: use the server that this user's processes share (see `serve`) rather than a private one. `demo=True`
    always starts a private server, with the scripted demo model, not an AI. Close it, or use it as a context manager.
    `on_question` answers the agent's questions: see `questions.asked`. `answer_timeout` (seconds) is how long a person
    or a function has for an answer. `strict_directory` denies edits outside the directory; shells and code always ask.
    `hooks` are called when something happens in any session. `replay` plays a recording, with no server and no model.
    `timeout` (seconds), `max_cost` (USD), `max_tokens`, `max_steps` (of the model) and `max_tools` (steps that call
    tools) limit each turn; `budget` limits all turns together, see `Budget`.

    `directories`: more directories that the agent may use without asking. They count for nothing if `permission` has
    rules for paths of `external_directory`, or if it, or the configuration, denies that. `workspace`, `headers` and
    `http_client` (an `httpx.AsyncClient`, which you close yourself) are used for every request, the event stream too.
    `hostname` and `port` start a private server there; other machines can reach it under a `hostname` that is not
    loopback, which needs a `password`. `start_timeout` (seconds), `flags`, `pure` and `on_stderr` as for `serve`.
    Raises ValueError for options that contradict each other.
    `mcp` attaches MCP servers: {name: URL, ["command", "arg"] or a configuration as in OpenCode's `mcp` section}.
    `tools`: functions, methods and tools (see `tool`) for its agents, beside those decorated with `tool`.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        password: str | None = None,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.AsyncClient | None = None,
        hostname: str | None = None,
        port: int | None = None,
        start_timeout: float | None = None,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        effort: str | None = None,
        directory: str | Path | None = None,
        directories: Iterable[str | Path] = (),
        config: Mapping[str, Any] | None = None,
        binary: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        demo: bool | None = None,
        shared: bool = True,
        flags: Sequence[str] = (),
        pure: bool = False,
        on_stderr: Callable[[str], object] | None = None,
        workspace: str | None = None,
        permission: PermissionOption = "ask",
        on_question: QuestionCallback | None = None,
        answer_timeout: float | None = None,
        strict_directory: bool = False,
        timeout: float | None = None,
        budget: Budget | None = None,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        max_steps: int | None = None,
        max_tools: int | None = None,
        retry: int | Retry | None = None,
        hooks: Hooks | None = None,
        replay: str | Path | Recording | None = None,
        mcp: Mapping[str, Given] | None = None,
        tools: Iterable[Function] = (),
    ) -> None:
        options = {name: value for name, value in locals().items() if name not in _NOT_KEPT}
        serving = serve_options(
            base_url=base_url,
            password=password,
            hostname=hostname,
            port=port,
            start_timeout=start_timeout,
            config=config,
            binary=binary,
            env=env,
            demo=bool(demo),
            shared=shared,
            flags=flags,
            pure=pure,
            on_stderr=on_stderr,
        )
        sending = {"headers": headers, "http_client": http_client, "workspace": workspace}
        self._sessions = Sessions(self._unfollow)
        callbacks = Callbacks(self._sessions.route, self._sessions.transcripts, self._cut_off, self._forget)
        super().__init__(directory, base_url, password, serving, sending, callbacks)
        self.options: Mapping[str, Any] = options
        """What it was created with, but for the password."""
        self.model, self.agent, self.variant, self.effort = model, agent, variant, checked_effort(effort)
        self._boundary = Boundary(self.directory) if strict_directory else None
        self.policy = self.policy_of(permission)
        self.on_question, self.answer_timeout = on_question, answer_timeout
        self.timeout, self.budget, self.retry = timeout, budget, Retry.of(retry)
        self.turn_limits: Mapping[str, float] = Budget(
            max_cost=max_cost, max_tokens=max_tokens, max_steps=max_steps, max_tools=max_tools
        ).limits
        self.hooks = Dispatcher(hooks or Hooks())
        self._watcher = Watcher(self.hooks)
        self.recording = None if replay is None else recording_in(replay)
        self._players: dict[Path, AsyncSession] = {}
        self.approvals = Approvals()
        self.tools = Tools(tools)
        extra = extra_directories(directories)
        self.enforcement = Enforcement(lambda: self.client, self.directory, extra, self.tools.names)
        if hooks:
            self._sessions.observe(self._watcher.changed)
        self.mcp = AsyncMcpServers(self, mcp)
        self.blocking: Callable[[AsyncSession], Any] | None = None
        """Returns the blocking face of a session; None if nobody has made a blocking `Opencode` of this."""

    async def start(self) -> Self:
        """Start or join the server and open its event stream, also after they ended. No-op while connected.

        Attaches the MCP servers that it does not have. Waits for a server that is restarting.
        """
        await super().start()
        if self.recording is None and not is_verifying():
            await self.mcp.attach()
        return self

    def prefer(
        self,
        *,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        effort: str | None = None,
        permission: PermissionOption | None = None,
        timeout: float | None = None,
        max_cost: float | None = None,
        max_steps: int | None = None,
    ) -> None:
        """Replace the defaults for prompts. Sessions with settings of their own keep them.

        Raises ValueError as the constructor does, without changing anything.
        """
        limits = Budget(max_cost=max_cost, max_steps=max_steps).limits
        effort = checked_effort(effort)
        self.policy, self.timeout = self.policy_of("ask" if permission is None else permission), timeout
        self.turn_limits = {**{name: self.turn_limits[name] for name in _KEPT if name in self.turn_limits}, **limits}
        for name, value in (("model", model), ("agent", agent), ("variant", variant), ("effort", effort)):
            self._prefer(name, value)

    async def use_model(self, model: str) -> None:
        """Use this model for all prompts that do not name one. Raises ModelError if there is none such."""
        await self.check(model, None)
        self._prefer("model", model)

    def policy_of(self, permission: PermissionOption) -> Policy:
        """Return the policy of a `permission=` option. Raises ValueError as the constructor does."""
        return Policy(permission, self._boundary)

    def _prefer(self, name: str, value: str | None) -> None:
        before = getattr(self, name)
        setattr(self, name, value)
        for session in self._sessions:
            if getattr(session, name) == before:
                setattr(session, name, value)

    async def tool_rules(self) -> list[ToolRule]:
        """List the agent's tools, and what becomes of their requests for permission under the current policy.

        The tools of an MCP server are one entry, "name_*": the opencode server does not list them. Without the tools
        of a kernel. Raises ModelError if no model is set up: each has its own tools.
        """
        choice = await self.model_choice()
        self.need("tools")
        provider, model = split_model(choice.model)
        listed: list[Any] = await self.client.tool.list(provider=provider, model=model)
        tools = [str(tool["id"]) for tool in listed if tool["id"] != "invalid"]
        tools += [f"{name}_*" for name, state in (await self.mcp.status()).items() if state.connected]
        rules = tool_rules(tools, await self.enforcement.all_rules(self.policy, self.agent), self.policy)
        return [*rules, *own_rules({one.name: not one.read_only for one in self.tools}, self.policy)]

    def allow_approved(self, turn: TurnState) -> None:
        """Allow requests covered by an earlier "always" in a turn started elsewhere, which has no responder here."""
        for request in list(turn.permissions.values()):
            if self.approvals.cover(request, turn.id):
                self._spawn(elsewhere.allow, self, turn.session_id, {**request, "call": turn.call_of(request)})

    def _forget(self) -> None:
        self._forget_catalog()
        self.mcp.forget()
        self.enforcement.forget()
        self.approvals.clear()

    async def _cut_off(self) -> None:
        """Fail and abort running turns, so the server does not keep working on turns that nobody follows or answers."""
        began = [session for session in self._sessions if session.running]
        for session in self._sessions:
            session.end_pauses()
        if self._feed is not None and self.started:
            self._feed.fail_all("ConnectionLost", CLOSED)
            for session in began:
                with contextlib.suppress(OpencodeError):  # the server is gone, and the turn with it
                    await self.client.session.abort(session.id, timeout=ABORT_TIMEOUT)
            for session in self._sessions:
                await session.withdraw()
            await self.mcp.detach()
        for session in self._sessions:
            self._watcher.ended(session)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOOKS_TIMEOUT):
                await self.hooks.settled()

    # -- recordings ------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        if self.recording is None:
            await super()._connect()
            return
        turns = await asyncio.to_thread(self.recording.turns)
        self.version = turns[-1].opencode if turns else ""
        known = [session.transcript.info for session in self._sessions]
        feed = feed_of(self.recording, str(self.directory), known)
        self._client = feed.client
        feed.listen(self._sessions.route)
        await feed.start()
        self._feed = feed
        await feed.follow_again(self._sessions.transcripts())

    async def player(self, path: str | Path) -> AsyncSession:
        """Return the session that plays a recording in this directory, the same each time, under the policy of now."""
        recording = recording_in(path)
        if recording.path not in self._players:
            here = AsyncOpencode(directory=self.directory, replay=recording)
            self._players[recording.path] = await here.session()
        player = self._players[recording.path]
        player.owner.policy = self.policy
        return player

    # -- sessions --------------------------------------------------------------------------------------------------

    async def session(
        self,
        title: str | None = None,
        *,
        id: str | None = None,
        parent: str | None = None,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        effort: str | None = None,
        permission: PermissionOption | None = None,
    ) -> AsyncSession:
        """Create a session, or open the one with this `id` and load its history; the other options are its defaults.

        Raises NotFoundError for an unknown id, ValueError for an invalid permission.
        """
        if permission is not None:
            self.policy_of(permission)
        session = await self._opened(title, id, parent)
        given = {"model": model, "agent": agent, "variant": variant, "effort": effort, "permission": permission}
        if chosen := {name: value for name, value in given.items() if value is not None}:
            session.choose(**chosen)
        return session

    async def _opened(self, title: str | None, id: str | None, parent: str | None) -> AsyncSession:
        await self.start()
        if id is not None and (known := self._sessions.get(id)) is not None:
            return known
        info = await self.client.session.get(id) if id else await self._create(title, parent)
        session = AsyncSession(self, await self.feed.follow(info["id"], fresh=id is None))
        session.transcript.apply({"type": "session.updated", "properties": {"info": info}})
        self._sessions.add(session)
        self._watcher.started(session)
        await self.hooks.settled()
        return session

    async def import_session(self, path: str | Path) -> AsyncSession:
        """Import a session that `AsyncSession.export("json")` or `opencode export` wrote, into this directory; open it.

        Keeps its id. Takes some seconds, as the program itself does it. Raises OSError (the file cannot be read) and
        OpencodeError (it has no session, the session exists already, or the server was joined by URL).
        """
        from opencode_nb.session.imported import import_file

        await self.start()
        imported = await import_file(self.managed, self.client, Path(path), self.directory, self.environment)
        return await self.session(id=imported)

    def face_of(self, session_id: str) -> Any:
        """Return an open session as the user has it: blocking, if this is that of a blocking `Opencode`."""
        session = self._sessions.get(session_id, used=False)
        return session if session is None or self.blocking is None else self.blocking(session)

    def use(self, session: AsyncSession) -> None:
        """Mark a session as recently used, which keeps it open for a while even without references to it."""
        self._sessions.use(session)

    def _unfollow(self, session_id: str) -> None:
        if self._feed is not None:
            self._feed.forget(session_id)

    async def _create(self, title: str | None, parent: str | None) -> Json:
        agent = self.policy.agent or self.agent
        rules = await self.enforcement.rules(self.policy, agent) if self.recording is None else []
        body: Json = {"title": title, "parentID": parent, "permission": rules}
        try:
            info = await self.client.session.create(**{key: value for key, value in body.items() if value})
        except InternalServerError as error:
            raise storage.named(error, self._data) from error
        own_session(info["id"])
        return dict(info)

    async def ask(self, prompt: Prompt, **options: Any) -> Turn:
        """Send one prompt in a new session; options as for `AsyncSession.prompt`."""
        async with self._session_for_prompt() as session:
            return await session.prompt(prompt, **options)

    async def stream(self, prompt: Prompt, **options: Any) -> AsyncGenerator[Update]:
        """Send one prompt in a new session and yield each `Update` as it arrives."""
        async with (
            self._session_for_prompt() as session,
            contextlib.aclosing(session.stream(prompt, **options)) as updates,
        ):
            async for update in updates:
                yield update

    async def ask_stream(self, prompt: Prompt, **options: Any) -> AsyncIterator[str]:
        """Send one prompt in a new session and yield the answer's text as it arrives; options and errors as for `ask`.

        Closing the iterator early aborts the turn.
        """
        async with contextlib.aclosing(self.stream(prompt, **options)) as updates:
            async for update in updates:
                if update.kind == "text":
                    yield update.text

    @contextlib.asynccontextmanager
    async def _session_for_prompt(self) -> AsyncIterator[AsyncSession]:
        """Create a session for one prompt; delete it if the prompt cannot be sent."""
        session = await self.session()
        try:
            yield session
        except BaseException:
            await self.discard(session)
            raise

    async def discard(self, session: AsyncSession) -> None:
        """Delete a session that the caller created, if it has no turns and nobody has named it.

        Never raises OpencodeError, which would hide the failure that led here.
        """
        if not session.transcript.turns and _UNNAMED.match(session.title):
            with contextlib.suppress(OpencodeError):
                await session.delete()

    def forget(self, session_id: str) -> None:
        """Stop tracking a session that was deleted."""
        self.feed.forget(session_id)
        if (session := self._sessions.get(session_id, used=False)) is not None:
            self._watcher.ended(session)
        self._sessions.remove(session_id)

    async def diff(self, mode: Literal["git", "branch"] = "git") -> Diff:
        """Diff the work tree against the last commit ("git") or the point where its branch started ("branch").

        Raises OpencodeError outside a git repository, and for "branch" without another default branch to compare with.
        """
        work_tree.check(mode)
        await self.start()
        return await work_tree.diff(self.client, self.directory, mode)

    async def abort_all(self) -> None:
        """Stop every running turn."""
        await asyncio.gather(*(session.abort() for session in self._sessions))

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer(session, change)` with each change of every open session, on the loop's thread.

        Sub-sessions count as their parent's turn. Returns a function that stops it. One that raises is logged.
        """
        return self._sessions.observe(observer)


_UNNAMED = re.compile(r"New session - \d{4}-|$")
"""Matches the title that the server gives a new session, or no title."""
