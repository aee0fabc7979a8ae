"""The blocking API: Opencode, Session and Queue for code that does not await.

Members that only forward are derived from the async classes and run on the package's loop thread. While a blocking
prompt waits, the calling thread serves `Jobs`, so that a person can be asked there; an interrupt aborts the turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from getpass import getpass
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, Unpack

from opencode_nb.api.client import Client
from opencode_nb.diffs.comment import Comment
from opencode_nb.errors import OpencodeError, TurnError
from opencode_nb.portal import run
from opencode_nb.recording.recording import Recording
from opencode_nb.retry import Retry
from opencode_nb.server import Server
from opencode_nb.session.derived import Derived, Forwarded, Writable, blocking, forwarded, with_options_of
from opencode_nb.session.incoming.feed import ConnectionState
from opencode_nb.session.incoming.health import Health
from opencode_nb.session.mcp.blocking import McpServers
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.permissions import agent_code
from opencode_nb.session.permissions.approvals import Approvals
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs, next_of
from opencode_nb.session.permissions.policy import PermissionOption
from opencode_nb.session.prompt.parts import Mentions, Prompt
from opencode_nb.session.queue import Queue as AsyncQueue
from opencode_nb.session.queue import QueueItem
from opencode_nb.session.session import AsyncSession
from opencode_nb.session.turn import Turn, ending
from opencode_nb.session.turns.options import TurnOptions, retry_of, spelled_out
from opencode_nb.session.turns.series import OnError, SeriesItem, check_on_error, failed, next_try, read_item
from opencode_nb.spending.budget import Budget
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change
from opencode_nb.transcript.updates import Update, Updates
from opencode_nb.transcript.usage import Context


class Queue(Derived):
    """A session's queue: messages that wait until the session is idle, then are sent one by one.

    A turn that fails or is stopped pauses the queue: `paused` says why, `resume()` continues.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._async = session._async.queue

    items = Forwarded[tuple[QueueItem, ...]]("items", "The waiting messages, in order; each has an `id` and a `text`.")
    paused = Forwarded[str]("paused", 'Why the queue is paused, or "" if it is not.')
    add = blocking(AsyncQueue.add)
    edit = blocking(AsyncQueue.edit)
    hold = blocking(AsyncQueue.hold)
    release = blocking(AsyncQueue.release)
    remove = blocking(AsyncQueue.remove)
    clear = blocking(AsyncQueue.clear)

    def send_now(self, item_id: str) -> Turn:
        """Send a waiting message now: a running turn picks it up after its current step. Raises as `prompt` does."""
        return self._session._mine(run(self._async.send_now, item_id))

    resume = blocking(AsyncQueue.resume)
    subscribe = forwarded(AsyncQueue.subscribe)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<Queue of {len(self)}{', paused: ' + self.paused if self.paused else ''}>"


class Session(Derived):
    """One conversation. Created by `Opencode.session`."""

    def __init__(self, session: AsyncSession, owner: Opencode) -> None:
        self._async = session
        self.owner = owner

    id = Forwarded[str](AsyncSession.id)
    title = Forwarded[str](AsyncSession.title)
    server_version = Forwarded[str](AsyncSession.server_version)
    busy = Forwarded[bool](AsyncSession.busy)
    cost = Forwarded[float](AsyncSession.cost)
    tokens = Forwarded[dict[str, int]](AsyncSession.tokens)

    @property
    def context(self) -> Context:
        """How full the model's context was after the last step: `tokens`, `window`, `share`, `model`."""
        return run(self._async.context)

    shared_url = Forwarded[str](AsyncSession.shared_url)

    @property
    def queue(self) -> Queue:
        """Messages to send when the session is idle."""
        return Queue(self)

    comments = Forwarded[list[Comment]](
        "comments", "Comments on lines of a diff, sent with the next prompt. You can edit this list."
    )
    model = Writable[str | None](
        "model",
        'Default model for prompts, as "provider/model" or "provider/model/variant"; None: OpenCode\'s configuration.',
    )
    agent = Writable[str | None]("agent", "Default agent for prompts.")
    variant = Writable[str | None]("variant", "Default model variant (reasoning effort) for prompts.")
    effort = Writable[str | None](AsyncSession.effort)
    permission = Writable[PermissionOption | None](AsyncSession.permission)
    budget = Writable[Budget | None](
        "budget", "Limits all turns of this session, from when it is set; None for no limit of its own."
    )

    @spelled_out
    def prompt(
        self,
        text: Prompt,
        *,
        files: Iterable[Any] = (),
        images: Iterable[Any] = (),
        mentions: bool | Mentions = False,
        system: str | None = None,
        no_reply: bool = False,
        wait: bool = True,
        **options: Unpack[TurnOptions],
    ) -> Turn:
        """Send a prompt and return its Turn when it has ended, or at once with `wait=False` (then `turn.wait()`).

        `text` may be a list of texts and `Attachment`s, which the model gets in this order. `files` are paths
        ("a.py:3-9" for lines), http(s) links, which the agent is left to fetch, and Attachments.
        While waiting, asks you through `input()` about requests that the policy leaves open, unless `person` is given.
        `timeout` (seconds) or an interrupt aborts the turn and keeps what has arrived, even while it is being sent.
        `permission` overrides the policy for this turn. While another turn is running, the agent picks this one up
        after its current step. `mentions=True` attaches the files and agents that the text names as `@path` and
        `@agent`; an async function also attaches the parts it returns for the text. `no_reply` adds the prompt to the
        conversation without asking the model. `retry` (a number, or a `Retry`) sends the prompt again if the turn
        failed before a tool started, and returns the last turn; the failed ones stay in the session.
        Before sending anything, raises ValueError (`retry` without waiting, an unknown `effort`), OSError (file
        missing, not a regular file, or too large; also a mentioned one), and OpencodeError if the model cannot take
        what is attached or so long a text, or lacks the `variant`; then TurnError (with `.turn`) if the turn fails.
        """
        waits = wait and not no_reply
        retry = retry_of(options, self.owner._async.retry, waits=waits)
        return self._turn(
            waits,
            options,
            lambda options: self._async.prompt(
                text,
                files=files,
                images=images,
                mentions=mentions,
                system=system,
                no_reply=no_reply,
                wait=False,
                **options,
            ),
            retry,
        )

    @spelled_out
    def prompts(
        self, items: Iterable[SeriesItem], *, on_error: OnError = "raise", **options: Unpack[TurnOptions]
    ) -> Iterator[Turn]:
        """Send prompts one after another, and yield each Turn when it has ended.

        An item is a text, or a text and a dict with options of its own for `prompt`; each is taken when the turn before
        it has been yielded, so a generator can make it from that. Stops at the first turn that fails, and raises its
        TurnError; with `on_error="yield"` yields that turn and goes on, unless somebody stopped it. An interrupt aborts
        the running turn. Raises ValueError for another `on_error`, and what `prompt` raises.
        """
        check_on_error(on_error)
        for item in items:
            text, own = read_item(item, options)
            try:
                turn = self.prompt(text, **own)
            except TurnError as error:
                turn = failed(error, on_error)
            yield turn

    @spelled_out
    def command(
        self,
        name: str,
        arguments: str = "",
        *,
        files: Iterable[Any] = (),
        wait: bool = True,
        **options: Unpack[TurnOptions],
    ) -> Turn:
        """Run a slash command, built-in or user-defined; options and errors as for `prompt`, without `retry`.

        Raises OpencodeError if there is no such command. The command's own model and agent take precedence.
        """
        return self._turn(
            wait, options, lambda options: self._async.command(name, arguments, files=files, wait=False, **options)
        )

    @spelled_out
    def init(self, *, wait: bool = True, **options: Unpack[TurnOptions]) -> Turn:
        """Have the agent analyze the project and write or improve its AGENTS.md; options and errors as for `prompt`."""
        return self.command("init", wait=wait, **options)

    def shell(self, command: str, *, timeout: float | None = None, wait: bool = True) -> Turn:
        """Run a shell command in the session's directory, without a model or permission prompts.

        The agent sees the command and its output with the next prompt. Raises OpencodeError while a turn is running.
        """
        return self._turn(wait, {}, lambda _options: self._async.shell(command, timeout=timeout, wait=False))

    def compact(self) -> Turn:
        """Have the model summarize the conversation and continue from the summary; return the turn that did it.

        Raises OpencodeError while a turn is running or if there is nothing to summarize, TurnError if it fails.
        """
        return self._mine(run(self._async.compact))

    def _turn(
        self,
        wait: bool,
        options: TurnOptions,
        send: Callable[[TurnOptions], Awaitable[Turn]],
        retry: Retry | None = None,
    ) -> Turn:
        """Send a turn. While waiting for it, ask a person on this thread, unless the options name another."""
        jobs = Jobs()
        if wait and options.get("person") is None:
            options = {**options, "person": ConsolePerson(jobs)}
        with self.stopped_by_interrupt():
            if not wait:
                return self._mine(run(send, options))
            return self._waited(lambda: run(send, options), retry, jobs).raise_for_status()

    def _waited(self, send: Callable[[], Turn], retry: Retry | None, jobs: Jobs) -> Turn:
        """Send a turn and wait for it, again as long as `retry` says so; return the last one."""
        for attempt in count(1):
            turn = self.wait(self._mine(send()), jobs)
            decision = next_try(turn, attempt, retry)
            if decision is None or not run(self._async.pause, decision.delay):
                break
        return turn

    def _mine(self, turn: Turn) -> Turn:
        if turn.session is self._async:
            turn.session = self
        elif not isinstance(turn.session, Session):  # one that plays a recording
            turn.session = Session(turn.session, self.owner)
        return turn

    def wait(self, turn: Turn, jobs: Jobs) -> Turn:
        """Wait for a turn on this thread and run its jobs. Propagates interrupts: see `stopped_by_interrupt`."""
        jobs.serve_until(ending(turn))
        run(self._async.owner.hooks.settled)
        return turn

    @contextmanager
    def stopped_by_interrupt(self) -> Iterator[None]:
        """On KeyboardInterrupt, abort the turn, wait for it to stop, re-raise.

        Raises OpencodeError in code that this session's own agent runs: it would wait for itself.
        """
        agent_code.refuse_waiting(self.id)
        try:
            yield
        except KeyboardInterrupt:
            run(self._async.abort_own)  # even while sending: the server may already have it
            raise

    def stream(self, text: Prompt, **options: Any) -> Generator[Update]:
        """Send a prompt and yield each `Update` until its turn has ended; options and errors as for `prompt`.

        A slow reader misses nothing: updates wait for it. Closing the iterator early aborts the turn.
        """
        queue: SimpleQueue[Update | None] = SimpleQueue()
        updates = Updates(self._async.transcript)  # read on the loop's thread, as the transcript changes there

        def put(change: Change) -> None:
            for update in updates.of(change):
                queue.put(update)

        unsubscribe = self.subscribe(put)
        turn = None
        try:
            turn = self.prompt(text, **{**options, "wait": False})
            turn.on_done(lambda: queue.put(None))
            while (update := next_of(queue)) is not None:
                if update.turn in (turn.id, ""):
                    yield update
            run(self._async.owner.hooks.settled)
            turn.raise_for_status()
        finally:
            unsubscribe()
            if turn is not None and not turn.state.ended:
                self.abort()

    # -- its history -----------------------------------------------------------------------------------------------

    def turns(self) -> list[Turn]:
        """Return all turns, oldest first, without undone ones; loads the earlier turns of a long session first."""
        if self._async.transcript.has_earlier:
            run(self._async.load_all)
        return [self._mine(turn) for turn in self._async.turns()]

    load_earlier = blocking(AsyncSession.load_earlier)
    messages = blocking(AsyncSession.messages)
    todos = blocking(AsyncSession.todos)
    children = blocking(AsyncSession.children)
    export = blocking(AsyncSession.export)
    diff = blocking(AsyncSession.diff)

    # -- acting on it ----------------------------------------------------------------------------------------------

    abort = blocking(AsyncSession.abort)
    revert = blocking(AsyncSession.revert)
    unrevert = blocking(AsyncSession.unrevert)
    undo = blocking(AsyncSession.undo)
    redo = blocking(AsyncSession.redo)

    def fork(self, at: Turn | str | None = None) -> Session:
        """Create a session with the history before turn `at` (by default all of it).

        Does not change files; undone turns are copied as if they were not undone. Raises OpencodeError if there is no
        such turn.
        """
        return Session(run(self._async.fork, at), self.owner)

    rename = blocking(AsyncSession.rename)
    delete = blocking(AsyncSession.delete)
    share = blocking(AsyncSession.share)
    unshare = blocking(AsyncSession.unshare)
    requests = Forwarded[list[Json]](AsyncSession.requests)
    reply = blocking(AsyncSession.reply)
    answer = blocking(AsyncSession.answer)
    subscribe = forwarded(AsyncSession.subscribe)
    offer = forwarded(AsyncSession.offer)
    tools_problem = Forwarded[str](AsyncSession.tools_problem)

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.title!r}>"


class Opencode(Derived):
    """An OpenCode server and its sessions in one directory. Close it, or use it as a context manager.

    Connects to the server at `base_url`, or else joins or starts one on first use: with `shared=True` the one that this
    user's processes share (see `serve`), otherwise one of its own. `demo=True` starts its own server with the scripted
    demo model, which is not an AI.
    `permission` decides the agent's permission requests: "ask", "edits", "plan", "allow", "deny",
    {tool: rule or {pattern: rule}}, or a callable. `model` is "provider/model" or "provider/model/variant"; `effort` is
    "none", "low", "medium", "high" or "max", for the nearest variant that the model has. `timeout` (seconds),
    `max_cost` (USD), `max_tokens`, `max_steps` (of the model) and `max_tools` (steps that call tools) limit each turn;
    `budget` limits all turns together, see `Budget`. `retry` sends failed prompts again, see `Retry`. The other
    options are those of `AsyncOpencode`.
    """

    @with_options_of(AsyncOpencode)
    def __init__(self, **options: Any) -> None:
        self._async = AsyncOpencode(**options)
        self._client: Client | None = None

    prefer = forwarded(AsyncOpencode.prefer)
    started = Forwarded[bool](AsyncOpencode.started)
    server = Forwarded[Server](AsyncOpencode.server)
    managed = Forwarded[Server | None]("managed", "Like `server`, but None where that raises.")
    directory = Forwarded[Path]("directory", "The directory that the agent works in.")
    recording = Forwarded[Recording | None]("recording", "The recording that it plays; None where it runs turns.")
    version = Forwarded[str]("version", 'The server\'s version, or "" before the first connection.')

    @property
    def client(self) -> Client:
        """Client for every operation of the server's API; restarts the server if it has exited.

        Raises OpencodeError before `start` or the first prompt.
        """
        if self._async.recording is not None:
            raise OpencodeError(f"This is a replay of {self._async.recording.path.name}: it has no server to call.")
        if self._async.client is not None:  # raises if it was never started
            self.start()
        inner = self._async.client
        if self._client is None or str(self._client.base_url) != str(inner.base_url):
            self._disconnect()
            self._client = Client(
                str(inner.base_url),
                password=self._async.password,
                directory=str(self.directory),
                ready=self._async.server_ready,
                **self._async.client_options,
            )
        return self._client

    def start(self) -> Self:
        """Start or join the server now instead of with the first prompt."""
        run(self._async.start)
        return self

    def close(self) -> None:
        """Close the event stream and leave the server; one that is not shared stops."""
        self._disconnect()
        run(self._async.aclose)

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def session(
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
    ) -> Session:
        """Create a session, or open the one with this `id` and its history; the other options are its defaults.

        Raises NotFoundError for an unknown id.
        """
        opened = run(
            self._async.session,
            title,
            id=id,
            parent=parent,
            model=model,
            agent=agent,
            variant=variant,
            effort=effort,
            permission=permission,
        )
        return Session(opened, self)

    def import_session(self, path: str | Path) -> Session:
        """Import a session that `Session.export("json")` or `opencode export` wrote, into this directory; open it.

        Keeps its id. Takes some seconds, as the program itself does it. Raises OSError (the file cannot be read) and
        OpencodeError (it has no session, the session exists already, or the server was joined by URL).
        """
        return Session(run(self._async.import_session, path), self)

    def ask(self, prompt: Prompt, **options: Any) -> Turn:
        """Send one prompt in a new session; options as for `Session.prompt`."""
        with session_for_prompt(self) as session:
            return session.prompt(prompt, **options)

    def stream(self, prompt: Prompt, **options: Any) -> Generator[Update]:
        """Send one prompt in a new session and yield each `Update`; options as for `Session.prompt`."""
        with session_for_prompt(self) as session:
            yield from session.stream(prompt, **options)

    def ask_stream(self, prompt: Prompt, **options: Any) -> Iterator[str]:
        """Send one prompt in a new session and yield the answer's text as it arrives; options and errors as for `ask`.

        Closing the iterator early aborts the turn.
        """
        with closing(self.stream(prompt, **options)) as updates:
            yield from (update.text for update in updates if update.kind == "text")

    @property
    def mcp(self) -> McpServers:
        """The MCP servers of the directory: their state, and attaching, connecting and disconnecting them."""
        return McpServers(self._async.mcp)

    tool_rules = blocking(AsyncOpencode.tool_rules)
    logins = blocking(AsyncOpencode.logins)
    find_login = blocking(AsyncOpencode.find_login)
    logout = blocking(AsyncOpencode.logout)
    start_login = blocking(AsyncOpencode.start_login)
    finish_login = blocking(AsyncOpencode.finish_login)

    def login(self, provider: str, key: str | None = None, *, details: Mapping[str, str] | None = None) -> bool:
        """Log in to a provider with an API key; asks for the key if it is not given, and does not show it.

        `details` are what the method asks for beside it. Returns whether it is in effect: while a turn runs, the old
        one is used. Raises OpencodeError for an unknown provider.
        """
        run(self._async.find_login, provider)  # before anybody types a key
        typed = getpass(f"API key of {provider}: ") if key is None else key
        return run(self._async.login, provider, typed, details=details)

    sessions = blocking(AsyncOpencode.sessions)
    find_session = blocking(AsyncOpencode.find_session)
    models = blocking(AsyncOpencode.models)
    models_detail = blocking(AsyncOpencode.models_detail)
    agents = blocking(AsyncOpencode.agents)
    commands = blocking(AsyncOpencode.commands)
    complete = blocking(AsyncOpencode.complete)
    connection = Forwarded[ConnectionState](AsyncOpencode.connection)
    health = Forwarded[Health](AsyncOpencode.health)

    def reconnect(self) -> Self:
        """Reconnect at once, whatever the event stream's state; restart the server if it has exited."""
        run(self._async.reconnect)
        return self

    model_choice = blocking(AsyncOpencode.model_choice)
    diff = blocking(AsyncOpencode.diff)
    abort_all = blocking(AsyncOpencode.abort_all)
    approvals = Forwarded[Approvals]("approvals", 'What was allowed with "always": `given`, `take_back()`.')

    def __repr__(self) -> str:
        return f"<Opencode {'running' if self.started else 'not started'} in {self.directory}>"


@contextmanager
def session_for_prompt(agent: Opencode, given: Session | None = None) -> Iterator[Session]:
    """Yield the given session, or a new one, deleted again if the prompt in the body could not be sent."""
    session = given or agent.session()
    try:
        yield session
    except BaseException:
        if given is None:
            discard(session)
        raise


def send(session: Session, parts: list[Json], **options: Any) -> Turn:
    """Send prepared parts as a prompt, without waiting for the turn; options as for `prompt`."""
    with session.stopped_by_interrupt():
        return session._mine(run(session._async.send, parts, **options))


def discard(session: Session) -> None:
    """Delete a session that the caller created, if nothing was sent in it and nobody has named it."""
    agent = session.owner
    if agent.started and not session._async.transcript.turns:
        run(agent._async.discard, session._async)
