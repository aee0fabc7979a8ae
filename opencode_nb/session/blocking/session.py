"""The blocking face of a session.

While a prompt waits, the calling thread serves `Jobs`, so that a person can be asked there; an interrupt aborts the
turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from queue import SimpleQueue
from typing import Any, Unpack

from opencode_nb.diffs.comment import Comment
from opencode_nb.errors import TurnError
from opencode_nb.portal import run
from opencode_nb.retry import Retry
from opencode_nb.session.blocking.connection import Connection
from opencode_nb.session.blocking.queue import Queue
from opencode_nb.session.derived import Derived, Forwarded, Writable, blocking, forwarded
from opencode_nb.session.permissions import agent_code
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs, next_of
from opencode_nb.session.permissions.policy import PermissionOption
from opencode_nb.session.prompt.parts import Mentions, Prompt
from opencode_nb.session.session import AsyncSession
from opencode_nb.session.turn import Turn, ending
from opencode_nb.session.turns.options import TurnOptions, retry_of, spelled_out
from opencode_nb.session.turns.series import OnError, SeriesItem, after, check_on_error, failed, next_try, read_item
from opencode_nb.session.turns.submission import Submission
from opencode_nb.spending.budget import Budget
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change
from opencode_nb.transcript.updates import OneTurn, Update, Updates
from opencode_nb.transcript.usage import Context


class Session(Derived):
    """One conversation. Created by `Opencode.session`."""

    def __init__(self, session: AsyncSession, owner: Connection) -> None:
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
        return Queue(self._async.queue, self._mine)

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
        retry = retry_of(options, self._async.owner.retry, waits=waits)
        inner = self._async
        given = Submission.of(inner.owner, text, files, images, mentions, system=system, no_reply=no_reply)
        return self._turn(waits, options, partial(inner.sender.prompt, given), retry)

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
        before: Turn | None = None
        for attempt in count(1):
            with after(before):
                before = turn = self._mine(send())
            self.wait(turn, jobs)
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
        from opencode_nb.results.partial import following

        queue: SimpleQueue[Update | None] = SimpleQueue()
        updates = Updates(self._async.transcript)  # read on the loop's thread, as the transcript changes there

        def put(change: Change) -> None:
            for update in updates.of(change):
                queue.put(update)

        partials, options = following(options)
        unsubscribe = self.subscribe(put)
        turn = None
        try:
            turn = self.prompt(text, **{**options, "wait": False})
            one_turn = OneTurn(turn.id)
            turn.on_done(lambda: queue.put(None))
            while (update := next_of(queue)) is not None:
                if one_turn.has(update):
                    yield from (*partials.of(update), update)
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
    progress = forwarded(AsyncSession.progress)
    tools_problem = Forwarded[str](AsyncSession.tools_problem)

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.title!r}>"


def send(session: Session, submission: Submission, options: TurnOptions) -> Turn:
    """Send a prompt, or send it again, without waiting for the turn; options as for `prompt`."""
    with session.stopped_by_interrupt():
        return session._mine(run(session._async.sender.prompt, submission, options))


def discard(session: Session) -> None:
    """Delete a session that the caller created, if nothing was sent in it and nobody has named it."""
    agent = session.owner
    if agent.started and not session._async.transcript.turns:
        run(agent._async.discard, session._async)
