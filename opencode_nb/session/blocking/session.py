"""Session: the face of `AsyncSession` for code that does not await.

Each method runs its original on the package's loop thread. A blocking prompt serves `Jobs` on the calling thread
meanwhile, so that a person can be asked there, and aborts the turn when it is interrupted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Unpack

from opencode_nb.diffs.comment import Comment
from opencode_nb.portal import run
from opencode_nb.session.blocking.derived import Derived, Forwarded, Writable, blocking, forwarded
from opencode_nb.session.blocking.queue import Queue
from opencode_nb.session.options import TurnOptions, spelled_out
from opencode_nb.session.permissions.console import ConsolePerson
from opencode_nb.session.permissions.jobs import Jobs, next_of
from opencode_nb.session.prompt.parts import Mentions
from opencode_nb.session.session import AsyncSession
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change
from opencode_nb.transcript.usage import Context

if TYPE_CHECKING:
    from opencode_nb.session.blocking.opencode import Opencode


class Session(Derived):
    """One conversation. Made by `Opencode.session`."""

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
        """How full the model's context is after the last step: `tokens`, `window`, `share`, `model`."""
        return run(self._async.context)

    shared_url = Forwarded[str](AsyncSession.shared_url)

    @property
    def queue(self) -> Queue:
        """Messages that wait until it rests."""
        return Queue(self)

    comments = Forwarded[list[Comment]](
        "comments", "What the next prompt takes along: a person's comments on lines of a diff. Change it as you like."
    )
    model = Writable[str | None](
        "model",
        'The model of prompts that name none, as "provider/model"; None leaves it to OpenCode\'s configuration.',
    )
    agent = Writable[str | None]("agent", "The agent of prompts that name none.")
    variant = Writable[str | None]("variant", "The variant of the model (its effort) of prompts that name none.")

    @spelled_out
    def prompt(
        self,
        text: str,
        *,
        files: Iterable[Any] = (),
        images: Iterable[Any] = (),
        mentions: bool | Mentions = False,
        system: str | None = None,
        no_reply: bool = False,
        wait: bool = True,
        **options: Unpack[TurnOptions],
    ) -> Turn:
        """Send a prompt; the Turn when it has ended, or at once with `wait=False` (`turn.wait()` waits).

        While it waits, a person is asked through `input()` what the policy leaves open, unless `person` is given.
        `timeout` in seconds aborts the turn and keeps what came, as an interrupt does, even while it is being sent.
        While another turn runs, the agent takes the prompt up after its present step. `mentions` attaches the files
        and agents that the text names as `@path` and `@agent`; an async function instead of True adds what else it
        names. `no_reply` only adds to the conversation.
        Raises OSError (no such file, no regular file, too large) before anything is sent, TurnError (with `.turn`) when
        the turn ended in an error.
        """
        return self._turn(
            wait and not no_reply,
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
        )

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
        """Run a slash command, the server's or the user's own; options and errors as for `prompt`.

        Raises OpencodeError for a command that is not there. A command's own model and agent count before these.
        """
        return self._turn(
            wait, options, lambda options: self._async.command(name, arguments, files=files, wait=False, **options)
        )

    def shell(self, command: str, *, timeout: float | None = None, wait: bool = True) -> Turn:
        """Run a shell command of one's own in the session's directory: nobody is asked, and no model answers.

        The agent reads command and output with the next prompt. Raises OpencodeError while a turn runs.
        """
        return self._turn(wait, {}, lambda _options: self._async.shell(command, timeout=timeout, wait=False))

    def compact(self) -> Turn:
        """Have the model sum the conversation up, and go on from its summary; the turn that did it.

        Raises OpencodeError while a turn runs or where there is nothing to sum up, TurnError where it failed.
        """
        return self._mine(run(self._async.compact))

    def _turn(self, wait: bool, options: TurnOptions, send: Callable[[TurnOptions], Awaitable[Turn]]) -> Turn:
        """Send a turn. While it is waited for, a person is asked on this thread, unless the options name another."""
        jobs = Jobs()
        if wait and options.get("person") is None:
            options = {**options, "person": ConsolePerson(jobs)}
        with self.stopped_by_interrupt():
            turn = self._mine(run(send, options))
            return self.wait(turn, jobs).raise_for_status() if wait else turn

    def _mine(self, turn: Turn) -> Turn:
        turn.session = self
        return turn

    def wait(self, turn: Turn, jobs: Jobs) -> Turn:
        """Wait for a turn on this thread and run its jobs. An interrupt passes: see `stopped_by_interrupt`."""
        jobs.serve_until(turn._done)
        return turn

    @contextmanager
    def stopped_by_interrupt(self) -> Iterator[None]:
        """Around what sends a turn and waits for it: an interrupt stops the turn, and is raised when it rests."""
        try:
            yield
        except KeyboardInterrupt:
            run(self._async.abort_own)  # also while it is being sent: nobody knows then whether the server has it
            raise

    def stream(self, text: str, **options: Any) -> Iterator[Change]:
        """Send a prompt and iterate over what changes until it has ended; options as for `prompt`."""
        queue: SimpleQueue[Change | None] = SimpleQueue()
        unsubscribe = self.subscribe(queue.put)
        turn = None
        try:
            turn = self.prompt(text, **{**options, "wait": False})
            turn.on_done(lambda: queue.put(None))
            while (change := next_of(queue)) is not None:
                if change.turn == turn.id:
                    yield change
            turn.raise_for_status()
        finally:
            unsubscribe()
            if turn is not None and not turn.state.ended:
                self.abort()

    # -- its history -----------------------------------------------------------------------------------------------

    def turns(self) -> list[Turn]:
        """All turns that count (undone ones do not), oldest first; loads those of a long session that are not yet."""
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

    def fork(self, at: Turn | str | None = None) -> Session:
        """A new session with the history before `at` (all of it by default). Raises OpencodeError for an unknown one.

        Files stay as they are; undone turns come along as if they were not.
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

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.title!r}>"
