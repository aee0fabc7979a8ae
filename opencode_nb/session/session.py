"""AsyncSession: one conversation and everything you can do with it. Created by `AsyncOpencode.session`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from opencode_nb.api.verifying import refuse_acts
from opencode_nb.diffs.comment import Comment
from opencode_nb.errors import OpencodeError, TurnError
from opencode_nb.session import compose
from opencode_nb.session.connection import call_soon
from opencode_nb.session.incoming.listeners import Listeners, caller
from opencode_nb.session.incoming.subscribers import Subscribers
from opencode_nb.session.incoming.unloading import Unloader
from opencode_nb.session.management import BUSY, ManagedSession
from opencode_nb.session.models import split_model
from opencode_nb.session.owner import Owner
from opencode_nb.session.permissions import answered
from opencode_nb.session.permissions.policy import PermissionOption, Policy
from opencode_nb.session.prompt import parts as prompt_parts
from opencode_nb.session.prompt.parts import Mentions, Prompt
from opencode_nb.session.prompt.variants import checked_effort
from opencode_nb.session.queue import Queue, QueueItem
from opencode_nb.session.turn import Turn, finish
from opencode_nb.session.turns import series
from opencode_nb.session.turns.options import TurnOptions, limits, retry_of, spelled_out
from opencode_nb.session.turns.running import ABORT_TIMEOUT, Running
from opencode_nb.session.turns.sending import Sender
from opencode_nb.session.turns.series import OnError, SeriesItem
from opencode_nb.session.turns.submission import Submission
from opencode_nb.spending.account import Account
from opencode_nb.spending.budget import Budget
from opencode_nb.spending.steps import Spent
from opencode_nb.transcript import usage
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.transcript import Change, Transcript
from opencode_nb.transcript.updates import OneTurn, Update, Updates

if TYPE_CHECKING:
    from opencode_nb.changes.undo_result import Undone

Subscriber = Callable[[Change], None]


class AsyncSession(ManagedSession):
    """One conversation. Created by `AsyncOpencode.session`.

    `model`, `agent`, `variant`, `effort` and `permission` are the defaults for its prompts; `queue` holds messages to
    send when it is idle. `budget` limits all its turns from when it is set: those of other clients count, but only
    those sent here are stopped.
    """

    def __init__(self, owner: Owner, transcript: Transcript) -> None:
        super().__init__(owner, transcript, self.abort_own)
        self._running = Running(owner, transcript.id)
        self.model, self.agent, self.variant, self.effort = owner.model, owner.agent, owner.variant, owner.effort
        self.policy: Policy | None = None
        self.budget: Budget | None = None
        self._account = Account(transcript, str(owner.directory), self._paying)
        self.queue = Queue(owner, self._send_waiting, lambda: self.busy, self._turn_state)
        self.comments: list[Comment] = []
        """Comments on lines of a diff, sent with the next prompt."""
        self.sender = Sender(self, self._offering, self._running, self._copy_ahead, self._settle)
        self._subscribers = Subscribers[[Change]](f"session {self.id}")
        self._unloader = Unloader(owner, transcript)

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self.transcript.busy or self.running

    @property
    def running(self) -> bool:
        """Whether a turn started by this client is running."""
        return self._running.any

    @property
    def permission(self) -> PermissionOption | None:
        """Who answers the permission requests of its prompts, see `Policy`; None as for the `Opencode`."""
        return self.policy.option if self.policy else None

    @permission.setter
    def permission(self, permission: PermissionOption | None) -> None:
        self.policy = None if permission is None else self.owner.policy_of(permission)

    @property
    def effort(self) -> str | None:
        """Default effort of prompts: none, low, medium, high or max. Raises ValueError when set to anything else."""
        return self._effort

    @effort.setter
    def effort(self, effort: str | None) -> None:
        self._effort = checked_effort(effort)

    # -- prompting -------------------------------------------------------------------------------------------------

    @spelled_out
    async def prompt(
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
        """Send a prompt and return its Turn when it has ended, or at once with `wait=False` (then `await turn`).

        `text` may be a list of texts and `Attachment`s, which the model gets in this order. `files` are paths
        ("a.py:3-9" for lines), http(s) links, which the agent is left to fetch, and Attachments.
        While another turn is running, the agent picks this one up after its current step, as a separate turn
        ("steering"). `timeout` (seconds) aborts the turn and keeps what has arrived. `permission` overrides the policy
        for this turn; `person` answers the requests that the policy leaves open. `mentions=True` attaches the files and
        agents that the text names as `@path` and `@agent`; an async function also attaches the parts it returns for
        the text. `no_reply` adds the prompt to the conversation without asking the model. `retry` (a number, or a
        `Retry`) sends the prompt again if the turn failed before a tool started, and returns the last turn; the failed
        ones stay in the session.
        Before sending anything, raises ValueError (`retry` without waiting, an unknown `effort`), OSError (file
        missing, not a regular file, or too large; also a mentioned one), and OpencodeError if the model cannot take
        what is attached or so long a text, or lacks the `variant`; then TurnError (with `.turn`) if the turn fails.
        """
        waits = wait and not no_reply
        retry = retry_of(options, self.owner.retry, waits=waits)
        given = Submission.of(self.owner, text, files, images, mentions, system=system, no_reply=no_reply)
        send = partial(self.sender.prompt, given, options)
        if not waits:
            return await send()
        return await self._settled(series.retried(send, retry, self._running.pauses))

    async def _settled(self, turn: Awaitable[Turn]) -> Turn:
        """Wait for a turn, then for the hooks that it calls, also if it fails; not if the wait is cancelled."""
        try:
            ended = await turn
        except TurnError:
            await self.owner.hooks.settled()
            raise
        await self.owner.hooks.settled()
        return ended

    @spelled_out
    async def prompts(
        self,
        items: Iterable[SeriesItem] | AsyncIterable[SeriesItem],
        *,
        on_error: OnError = "raise",
        **options: Unpack[TurnOptions],
    ) -> AsyncIterator[Turn]:
        """Send prompts one after another, and yield each Turn when it has ended.

        An item is a text, or a text and a dict with options of its own for `prompt`; each is taken when the turn before
        it has been yielded, so a generator can make it from that. Stops at the first turn that fails, and raises its
        TurnError; with `on_error="yield"` yields that turn and goes on, unless somebody stopped it. Cancelling aborts
        the running turn. Raises ValueError for another `on_error`, and what `prompt` raises.
        """
        series.check_on_error(on_error)
        async for item in series.each(items):
            text, own = series.read_item(item, options)
            try:
                turn = await self.prompt(text, **own)
            except TurnError as error:
                turn = series.failed(error, on_error)
            except asyncio.CancelledError:
                await self.abort_own()
                raise
            yield turn

    @spelled_out
    async def send(
        self,
        parts: list[Json],
        *,
        system: str | None = None,
        no_reply: bool = False,
        **options: Unpack[TurnOptions],
    ) -> Turn:
        """Send prepared parts (see `prompt.parts`) as a prompt; return the Turn without waiting for it."""
        return await self.sender.prompt(Submission.prepared(parts, system=system, no_reply=no_reply), options)

    @spelled_out
    async def command(
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
        turn = await self.sender.command(name, arguments, files, options)
        return await self._settled(turn) if wait else turn

    @spelled_out
    async def init(self, *, wait: bool = True, **options: Unpack[TurnOptions]) -> Turn:
        """Have the agent analyze the project and write or improve its AGENTS.md; options and errors as for `prompt`."""
        return await self.command("init", wait=wait, **options)

    async def unmet_effort(self, options: TurnOptions) -> str:
        """Say, once for each model, that a prompt's effort has no effect on its model; "" otherwise."""
        return await self.sender.unmet_effort(options)

    def _turn_state(self, turn_id: str) -> TurnState | None:
        return self.transcript.turns.get(turn_id)  # looked up on each call: reordering replaces the dict

    async def _send_waiting(self, item: QueueItem) -> Turn:
        if item.commands:
            return await compose.send(self, item.text, files=item.files, **item.options)
        return await self.prompt(item.text, files=item.files, **item.options, wait=False)

    async def shell(self, command: str, *, timeout: float | None = None, wait: bool = True) -> Turn:
        """Run a shell command in the session's directory, without a model or permission prompts.

        The agent sees the command and its output with the next prompt. Raises OpencodeError while a turn is running.
        """
        prompt_parts.check_text(command, "A shell command")
        if self.owner.recording is not None:
            raise OpencodeError(_NO_SHELL.format(self.owner.recording.path.name))
        await self._rested()
        self.owner.need("shell")
        turn = await self.sender.shell(command, timeout)
        return await self._settled(turn) if wait else turn

    async def compact(self) -> Turn:
        """Have the model summarize the conversation and continue from the summary; return the turn that did it.

        Raises OpencodeError while a turn is running or if there is nothing to summarize, TurnError if it fails.
        """
        await self._rested()
        limits(self.owner, self.budget)  # raises if a budget is used up
        if not self.turns():
            raise OpencodeError("There is nothing to compact in this session yet.")
        model = usage.last_step(self.transcript.visible_turns)
        provider, name = model.get("providerID"), model.get("modelID")
        if self.model or not (provider and name):
            choice = await self.owner.model_choice(self.model, self.agent)
            provider, name = split_model(choice.model)
        before = set(self.transcript.turns)
        try:
            await self.owner.client.session.summarize(self.id, providerID=provider, modelID=name)
        except asyncio.CancelledError:
            await self.abort()
            raise
        return await self._compacted(before)

    async def _compacted(self, before: set[str]) -> Turn:
        """Return the compaction's turn once it has ended: the server answers 200 even if it was stopped or failed."""
        turns = [self.turn_for(state) for key, state in list(self.transcript.turns.items()) if key not in before]
        if not turns:
            raise OpencodeError("The server did not compact the session. Check its log.")
        return await self._settled(turns[0])

    async def _rested(self) -> None:
        refuse_acts(playing=self.owner.recording)
        await self.owner.start()
        if self.busy:
            raise OpencodeError(BUSY)

    async def stream(self, text: Prompt, **options: Any) -> AsyncGenerator[Update]:
        """Send a prompt and yield each `Update` until its turn has ended; options and errors as for `prompt`.

        A slow reader misses nothing: updates wait for it. Closing the iterator early aborts the turn.
        """
        from opencode_nb.results.partial import following

        queue: asyncio.Queue[Update | None] = asyncio.Queue()
        updates = Updates(self.transcript)

        def put(change: Change) -> None:
            for update in updates.of(change):
                queue.put_nowait(update)

        partials, options = following(options)
        unsubscribe = self.subscribe(put)
        turn: Turn | None = None
        try:
            turn = await self.prompt(text, **{**options, "wait": False})
            one_turn = OneTurn(turn.id)
            loop = asyncio.get_running_loop()
            turn.on_done(lambda: call_soon(loop, queue.put_nowait, None))
            while (update := await queue.get()) is not None:
                if one_turn.has(update):
                    for one in (*partials.of(update), update):
                        yield one
            await self.owner.hooks.settled()
            turn.raise_for_status()
        finally:
            unsubscribe()
            if turn is not None and not turn.state.ended:
                await self.abort()

    async def abort(self) -> None:
        """Stop the running turn, or one just sent; return when the session is idle. Keeps what has arrived."""
        await self._running.abort()

    async def pause(self, seconds: float) -> bool:
        """Wait before a prompt is sent again; return False if the session was aborted meanwhile."""
        return await self._running.pauses.wait(seconds)

    def end_pauses(self) -> None:
        """Have prompts that wait for their next try not be sent again."""
        self._running.pauses.end()

    async def abort_own(self) -> None:
        """Call `abort` if a turn started by this client is running, or is to be sent again."""
        await self._running.abort_own()

    def _paying(self, turn_id: str, spent: Spent) -> Iterable[Budget]:
        """Return the budgets to charge; a subagent continued from an earlier turn is charged to the running one."""
        running = self._running.get(turn_id)
        if running is None and spent.session != self.id:
            running = self._running.last
        shared = {id(budget): budget for budget in (self.owner.budget, self.budget) if budget is not None}
        return running.budgets if running is not None else shared.values()

    async def undo(self, to: Turn | str | None = None, *, force: bool = False) -> Undone:
        """Stop the running turn, if any, then undo this turn (by default the last) and later ones, as `revert` does."""
        self.owner.need("undo")
        if self.busy:
            await self.abort()
            await self._wait_until_idle()
        return await self.revert(to, force=force)

    async def _wait_until_idle(self) -> None:
        """Wait for an aborted session to be idle: the server changes nothing before. Gives up after ABORT_TIMEOUT."""
        rested = asyncio.Event()
        unsubscribe = self.subscribe(lambda _change: None if self.busy else rested.set())
        try:
            async with asyncio.timeout(ABORT_TIMEOUT):
                if self.busy:
                    await rested.wait()
        except TimeoutError:
            pass  # then the server refuses the undo, and says why
        finally:
            unsubscribe()

    async def fork(self, at: Turn | str | None = None) -> AsyncSession:
        """Create a session with the history before turn `at` (by default all of it).

        Does not change files; undone turns are copied as if they were not undone. Raises OpencodeError if there is no
        such turn.
        """
        message_id = await self._turn_id(at) if at is not None else None
        info = await self.owner.client.session.fork(self.id, messageID=message_id)
        forked: AsyncSession = await self.owner.session(id=info["id"])
        return forked

    async def delete(self) -> None:
        """Stop the running turn and delete the session with its sub-sessions."""
        self.owner.need("delete")
        if self.busy:
            await self.abort()
        await self.withdraw()
        await self.owner.client.session.delete(self.id)
        answered.forget(self.id)
        deleted = {"type": "session.deleted", "properties": {"sessionID": self.id}}
        self.owner.feed.apply(deleted)  # the server's own event arrives after we stop following the session
        self.owner.forget(self.id)
        await self.owner.hooks.settled()

    @partial(spelled_out, of=Listeners)
    def subscribe(self, callback: Subscriber | None = None, **listeners: Unpack[Listeners]) -> Callable[[], None]:
        """Call `callback` with each `Change`, and the listeners with the updates that they are for.

        On the package's loop thread, for turns of all clients; returns a function that unsubscribes. `on_text` and
        `on_reasoning` get new pieces of text, `on_tool` a ToolCall at each of its updates, `on_todos` all todos,
        `on_permission` and `on_question` a request that waits, `on_usage` the `{"cost", "tokens"}` of a step,
        `on_title` and `on_mode` (the agent) a name, `on_turn_complete` a Turn. One that raises is logged, and called
        again. Raises TypeError for an unknown listener.
        """
        called = [callback] if callback is not None else []
        if listeners:
            called.append(caller(self.transcript, listeners, self.turn_for))
        removes = [self._subscribers.add(one) for one in called]

        def unsubscribe() -> None:
            for remove in removes:
                remove()

        return unsubscribe

    def keep_while(self, reads: Callable[[], bool]) -> Callable[[], None]:
        """Keep all turns in memory while `reads()` is true, for a view of earlier ones; return a function to cancel."""
        return self._unloader.keep_while(reads)

    def _keep_answers(self, state: TurnState | None) -> None:
        if state is not None and self.replayed is None:
            with contextlib.suppress(RuntimeError):  # the interpreter is ending
                asyncio.get_running_loop().run_in_executor(None, answered.keep, state)

    def changed(self, changes: list[Change]) -> None:
        """Handle what an event changed in the transcript."""
        self._offering.changed()
        for turn_id, text in self._account.count(changes, kept=not self.owner.demo):
            self.owner.feed.tell(self.id, "warned", messageID=turn_id, text=text)
        for change in changes:
            state = self.transcript.turns.get(change.turn)
            if change.kind in ("part", "request") and state and self.replayed is None:
                self._watch(state)
            self._running.look_at(change)
            run = self._running.get(change.turn)
            if run is not None:
                run.changed(change)
            elif change.kind == "request" and state:
                self.owner.allow_approved(state)
            elif change.kind == "ended" and change.turn in self._turns:  # started by another client: no run ends it
                finish(self._turns[change.turn])
            if change.kind == "ended":
                self._keep_answers(state)
                self._unloader.turn_ended()
            elif change.kind == "earlier":
                self._turns = {key: turn for key, turn in self._turns.items() if key in self.transcript.turns}
            self._subscribers.call(change)
            self.queue.changed(change)
        if not self.transcript.busy and any(change.kind == "session" for change in changes):
            for run in self._running:
                run.rested()


_NO_SHELL = "This is a replay of {}: your own shell commands are not recorded. Run it in a cell of its own, with `!`."
