"""Session: the face of `AsyncSession` for code that does not await.

Each method runs its original on the package's loop thread. A blocking prompt serves `Jobs` on the calling thread
meanwhile, so that a person can be asked there, and aborts the turn when it is interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from opencode_nb.conversation.changes import Diff
from opencode_nb.conversation.comments import Comment
from opencode_nb.conversation.console import ConsolePerson
from opencode_nb.conversation.content import Mentions
from opencode_nb.conversation.meter import Context
from opencode_nb.conversation.policy import PermissionOption, Person, Reply
from opencode_nb.conversation.session import AsyncSession
from opencode_nb.conversation.state import Json
from opencode_nb.conversation.sync_queue import Queue
from opencode_nb.conversation.transcript import Change
from opencode_nb.conversation.turn import Turn
from opencode_nb.conversation.undo import Undone
from opencode_nb.conversation.waiting import Jobs, next_of
from opencode_nb.portal import run

if TYPE_CHECKING:
    from opencode_nb.conversation.sync import Opencode


class Session:
    """One conversation. Made by `Opencode.session`."""

    def __init__(self, session: AsyncSession, owner: Opencode) -> None:
        self._async = session
        self.owner = owner

    @property
    def id(self) -> str:
        """The server's id, `ses_...`."""
        return self._async.id

    @property
    def title(self) -> str:
        """Its title; the server makes one after the first prompt."""
        return self._async.title

    @property
    def server_version(self) -> str:
        """The version of the server that runs it."""
        return self._async.server_version

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        return self._async.busy

    @property
    def cost(self) -> float:
        """US dollars spent in it so far, sub-sessions left out, what was undone included."""
        return self._async.cost

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens used in it so far: input, output, reasoning, cache_read, cache_write; else as `cost`."""
        return self._async.tokens

    @property
    def context(self) -> Context:
        """How full the model's context is after the last step: `tokens`, `window`, `share`, `model`."""
        return run(self._async.context)

    @property
    def shared_url(self) -> str:
        """The link under which it is shared, "" where it is not."""
        return self._async.shared_url

    @property
    def queue(self) -> Queue:
        """Messages that wait until it rests."""
        return Queue(self)

    @property
    def comments(self) -> list[Comment]:
        """What the next prompt takes along: a person's comments on lines of a diff. Change it as you like."""
        return self._async.comments

    @property
    def model(self) -> str | None:
        """The model of prompts that name none, as "provider/model"; None leaves it to OpenCode's configuration."""
        return self._async.model

    @model.setter
    def model(self, model: str | None) -> None:
        self._async.model = model

    @property
    def agent(self) -> str | None:
        """The agent of prompts that name none."""
        return self._async.agent

    @agent.setter
    def agent(self, agent: str | None) -> None:
        self._async.agent = agent

    @property
    def variant(self) -> str | None:
        """The variant of the model (its effort) of prompts that name none."""
        return self._async.variant

    @variant.setter
    def variant(self, variant: str | None) -> None:
        self._async.variant = variant

    def prompt(
        self,
        text: str,
        *,
        files: Iterable[Any] = (),
        images: Iterable[Any] = (),
        mentions: bool | Mentions = False,
        system: str | None = None,
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        permission: PermissionOption | None = None,
        person: Person | None = None,
        timeout: float | None = None,
        no_reply: bool = False,
        wait: bool = True,
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
        jobs = Jobs()
        waits = wait and not no_reply
        with self.stopped_by_interrupt():
            turn = run(
                self._async.prompt,
                text,
                files=files,
                images=images,
                mentions=mentions,
                system=system,
                model=model,
                agent=agent,
                variant=variant,
                permission=permission,
                person=person or (ConsolePerson(jobs) if waits else None),
                timeout=timeout,
                no_reply=no_reply,
                wait=False,
            )
            return self._waited(turn, jobs) if waits else self._mine(turn)

    def command(
        self,
        name: str,
        arguments: str = "",
        *,
        files: Iterable[Any] = (),
        model: str | None = None,
        agent: str | None = None,
        variant: str | None = None,
        permission: PermissionOption | None = None,
        person: Person | None = None,
        timeout: float | None = None,
        wait: bool = True,
    ) -> Turn:
        """Run a slash command, the server's or the user's own; options and errors as for `prompt`.

        Raises OpencodeError for a command that is not there. A command's own model and agent count before these.
        """
        jobs = Jobs()
        with self.stopped_by_interrupt():
            turn = run(
                self._async.command,
                name,
                arguments,
                files=files,
                model=model,
                agent=agent,
                variant=variant,
                permission=permission,
                person=person or (ConsolePerson(jobs) if wait else None),
                timeout=timeout,
                wait=False,
            )
            return self._waited(turn, jobs) if wait else self._mine(turn)

    def shell(self, command: str, *, timeout: float | None = None, wait: bool = True) -> Turn:
        """Run a shell command of one's own in the session's directory: nobody is asked, and no model answers.

        The agent reads command and output with the next prompt. Raises OpencodeError while a turn runs.
        """
        with self.stopped_by_interrupt():
            turn = run(self._async.shell, command, timeout=timeout, wait=False)
            return self._waited(turn, Jobs()) if wait else self._mine(turn)

    def compact(self) -> Turn:
        """Have the model sum the conversation up, and go on from its summary; the turn that did it.

        Raises OpencodeError while a turn runs or where there is nothing to sum up, TurnError where it failed.
        """
        return self._mine(run(self._async.compact))

    def _mine(self, turn: Turn) -> Turn:
        turn.session = self
        return turn

    def _waited(self, turn: Turn, jobs: Jobs) -> Turn:
        return self.wait(self._mine(turn), jobs).raise_for_status()

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

    def load_earlier(self) -> bool:
        """Load some of the turns before those that a long session began with; whether there are still more."""
        return run(self._async.load_earlier)

    def messages(self) -> list[Json]:
        """All messages as the server has them: `[{info, parts}]`, oldest first; undone ones included."""
        return run(self._async.messages)

    def todos(self) -> list[Json]:
        """The agent's list of what is to do: `[{content, status, priority}]`."""
        return run(self._async.todos)

    def children(self) -> list[Json]:
        """The sub-sessions, as `Opencode.sessions` lists them."""
        return run(self._async.children)

    def export(self, format: str = "md") -> str:
        """All of it as a text: "md", "html", "ipynb", or "json" (which `opencode import` takes). Raises ValueError."""
        return run(self._async.export, format)

    def diff(self) -> Diff:
        """What all its turns changed, one change for each file, to look through and to take back.

        What others changed between its turns is none of it. Undone turns do not count.
        """
        return run(self._async.diff)

    # -- acting on it ----------------------------------------------------------------------------------------------

    def abort(self) -> None:
        """Stop what runs; returns when the session rests. What came is kept."""
        run(self._async.abort)

    def revert(self, to: Turn | str | None = None, *, force: bool = False) -> Undone:
        """Undo this turn (by default the last) and all after it, files included; or redo up to it what was undone.

        The files are looked at afterwards: outside git nothing restores them. Raises OpencodeError where there is no
        such turn, or one runs; DiffConflictError, having done nothing, where somebody has changed a file of the turns
        since. With `force` that is overwritten, and the result's warning says where a copy is kept.
        """
        return run(self._async.revert, to, force=force)

    def unrevert(self, *, force: bool = False) -> Undone:
        """Redo all that was undone; possible until the next prompt. Raises OpencodeError where nothing is undone.

        What was changed since in files of other turns stays. For the turns' own files as `revert`.
        """
        return run(self._async.unrevert, force=force)

    def fork(self, at: Turn | str | None = None) -> Session:
        """A new session with the history before `at` (all of it by default). Raises OpencodeError for an unknown one.

        Files stay as they are; undone turns come along as if they were not.
        """
        return Session(run(self._async.fork, at), self.owner)

    def rename(self, title: str) -> None:
        """Give it another title."""
        run(self._async.rename, title)

    def delete(self) -> None:
        """Stop what runs and delete it, sub-sessions included."""
        run(self._async.delete)

    def share(self) -> str:
        """Publish it at OpenCode's website, and give the link: whoever has it can read all of the session.

        Raises OpencodeError where sharing is disabled or fails.
        """
        return run(self._async.share)

    def unshare(self) -> None:
        """Take the published copy away. Raises OpencodeError where it is still there."""
        run(self._async.unshare)

    @property
    def requests(self) -> list[Json]:
        """The open permission requests and questions (those have `questions`), whoever sent their turn."""
        return self._async.requests

    def reply(self, request_id: str, reply: Reply, message: str = "") -> bool:
        """Answer a permission request, "once", "always" or "reject"; whether it was still open.

        With a message a rejection lets the agent go on with it. The first answer counts, wherever it is given.
        "always" holds for the sessions of this `Opencode` until it is closed; a rule that denies outweighs it.
        """
        return run(self._async.reply, request_id, reply, message)

    def answer(self, request_id: str, answers: list[list[str]] | None) -> bool:
        """Answer a question: for each of its questions the chosen labels or own words; None declines.

        Whether it was still open.
        """
        return run(self._async.answer, request_id, answers)

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call back, on the package's loop thread, with each `Change`; returns what ends it."""
        return self._async.subscribe(callback)

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.title!r}>"
