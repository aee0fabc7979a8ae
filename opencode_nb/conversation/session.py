"""AsyncSession: one conversation, its prompts and what else can be done with it. Made by `AsyncOpencode.session`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from opencode_nb.conversation import content, ids
from opencode_nb.conversation.comments import Comment
from opencode_nb.conversation.models import refuse_unasked, split_model
from opencode_nb.conversation.policy import PermissionOption, Person, Policy
from opencode_nb.conversation.run import Run
from opencode_nb.conversation.state import Json, TurnState
from opencode_nb.conversation.transcript import Change, Transcript
from opencode_nb.conversation.turn import Turn
from opencode_nb.errors import APIStatusError, OpencodeError

if TYPE_CHECKING:
    from opencode_nb.conversation.opencode import AsyncOpencode

ABORT_TIMEOUT = 5.0
"""Seconds that an aborted turn may take to come to rest before it is declared over here."""

Subscriber = Callable[[Change], None]


class AsyncSession:
    """One conversation. Made by `AsyncOpencode.session`."""

    def __init__(self, owner: AsyncOpencode, transcript: Transcript) -> None:
        self.owner = owner
        self.transcript = transcript
        self.model, self.agent, self.variant = owner.model, owner.agent, owner.variant
        self.comments: list[Comment] = []
        """What the next prompt takes along: a person's comments on lines of a diff."""
        self._subscribers: list[Subscriber] = []
        self._running: dict[str, Run] = {}
        self._turns: dict[str, Turn] = {}

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The server's id, `ses_...`."""
        return self.transcript.id

    @property
    def title(self) -> str:
        """Its title; the server makes one after the first prompt."""
        return str(self.transcript.info.get("title") or "")

    @property
    def server_version(self) -> str:
        """The version of the server that runs it."""
        return self.owner.version

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        return self.transcript.busy or any(not run.turn.state.ended for run in self._running.values())

    def turns(self) -> list[Turn]:
        """All turns that count (undone ones do not), oldest first."""
        return [self._turn(state) for state in self.transcript.visible_turns]

    @property
    def cost(self) -> float:
        """US dollars spent in it so far, sub-sessions left out."""
        return sum(turn.cost for turn in self.turns())

    def _turn(self, state: TurnState) -> Turn:
        if state.id not in self._turns:
            done: Future[None] = Future()
            if state.ended:
                done.set_result(None)
            self._turns[state.id] = Turn(state, self, done)
        return self._turns[state.id]

    # -- prompting -------------------------------------------------------------------------------------------------

    async def prompt(
        self,
        text: str,
        *,
        files: Iterable[Any] = (),
        images: Iterable[Any] = (),
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
        """Send a prompt; the Turn when it has ended, or at once with `wait=False` (`await turn` gives it ended).

        `timeout` in seconds aborts the turn and keeps what came. `permission` overrides the policy for this turn;
        `person` is asked what the policy leaves open. `no_reply` only adds to the conversation.
        Raises FileNotFoundError before anything is sent, TurnError (with `.turn`) when the turn ended in an error.
        """
        comments = [{"type": "text", "text": comment.prompt} for comment in self.comments]
        attached = [*content.parts(text, files, images, self.owner.directory), *comments]
        policy = Policy(permission) if permission is not None else self.owner.policy
        await self.owner.start()
        await self.owner.check(model or self.model, agent or self.agent)
        body = self._body(attached, system, await self._model(model, agent), agent, variant, no_reply)
        if permission is not None:
            await self._enforce(policy)
        run = self._begin(body["messageID"], policy, person, timeout or self.owner.timeout)
        await run.send(body, no_reply)
        del self.comments[: len(comments)]
        return await run.turn if wait and not no_reply else run.turn

    async def _enforce(self, policy: Policy) -> None:
        """Have the server ask what this turn's policy decides, where the session lets it pass unasked."""
        rules = policy.rules(configured=await self.owner.has_permission_rules())
        present = self.transcript.info.get("permission") or []
        if missing := [rule for rule in rules if rule not in present]:
            changed: list[Any] = [*present, *missing]
            info = await self.owner.client.session.update(self.id, permission=changed)
            self.owner.feed.apply({"type": "session.updated", "properties": {"info": info}})

    async def _model(self, model: str | None, agent: str | None) -> str | None:
        """The model to name in a prompt; None where the server finds it by itself: the session's, or a configured."""
        chosen = model or self.model
        if chosen or self.transcript.info.get("model"):
            return chosen
        choice = await self.owner.model_choice(agent=agent or self.agent)
        refuse_unasked(choice)
        return choice.model if choice.chosen_by == "default" else None

    def _body(
        self,
        parts: list[Json],
        system: str | None,
        model: str | None,
        agent: str | None,
        variant: str | None,
        no_reply: bool,
    ) -> Json:
        body: Json = {
            "messageID": ids.message_id(),
            "parts": parts,
            "model": dict(zip(("providerID", "modelID"), split_model(model), strict=True)) if model else None,
            "agent": agent or self.agent,
            "variant": variant or self.variant,
            "system": system,
            "noReply": no_reply or None,
        }
        return {key: value for key, value in body.items() if value is not None}

    def _begin(self, message_id: str, policy: Policy, person: Person | None, timeout: float | None) -> Run:
        self.owner.feed.tell(self.id, "prompted", messageID=message_id)
        state = self.transcript.turns[message_id]
        run = self._running[message_id] = Run(self, self._turn(state), policy, person, timeout)
        return run

    async def stream(self, text: str, **options: Any) -> AsyncIterator[Change]:
        """Send a prompt and iterate over what changes until it has ended; options as for `prompt`."""
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        unsubscribe = self.subscribe(queue.put_nowait)
        turn: Turn | None = None
        try:
            turn = await self.prompt(text, **{**options, "wait": False})
            loop = asyncio.get_running_loop()
            turn.on_done(lambda: call_soon(loop, queue.put_nowait, None))
            while (change := await queue.get()) is not None:
                if change.turn == turn.id:
                    yield change
            turn.raise_for_status()
        finally:
            unsubscribe()
            if turn is not None and not turn.state.ended:
                await self.abort()

    async def abort(self) -> None:
        """Stop what runs; returns when the session rests. What came is kept."""
        self._stopping(_ABORTED)
        with contextlib.suppress(APIStatusError):
            await self.owner.client.session.abort(self.id)
        runs = list(self._running.values())
        waits = [asyncio.wrap_future(run.turn._done) for run in runs]
        if waits:
            await asyncio.wait(waits, timeout=ABORT_TIMEOUT)
        for run in runs:
            if not run.turn.state.ended:
                self.owner.feed.tell(self.id, "failed", messageID=run.turn.id, error=_ABORTED, status="aborted")

    def _stopping(self, error: Json) -> None:
        """Note the reason first: an abort in a retry's wait ends without an error of the server's (SERVER_FACTS)."""
        for run in self._running.values():
            if not run.turn.state.error:
                self.owner.feed.tell(self.id, "stopping", messageID=run.turn.id, error=error)

    # -- acting on it ----------------------------------------------------------------------------------------------

    async def revert(self, to: Turn | str) -> Json:
        """Undo this turn and all after it, files included (in a git repository). Raises OpencodeError if it failed."""
        message_id = to if isinstance(to, str) else to.id
        info = dict(await self.owner.client.session.revert(self.id, messageID=message_id))
        self.owner.feed.apply({"type": "session.updated", "properties": {"info": info}})
        if (info.get("revert") or {}).get("messageID") != message_id:
            raise OpencodeError("The server did not undo the turn: the session has no such message any more.")
        return info

    async def unrevert(self) -> Json:
        """Redo what was undone."""
        info = dict(await self.owner.client.session.unrevert(self.id))
        self.owner.feed.apply({"type": "session.updated", "properties": {"info": info}})
        return info

    async def fork(self, at: Turn | str | None = None) -> AsyncSession:
        """A new session with the history before `at` (all of it by default)."""
        message_id = at if isinstance(at, str) or at is None else at.id
        info = await self.owner.client.session.fork(self.id, messageID=message_id)
        return await self.owner.session(id=info["id"])

    async def rename(self, title: str) -> None:
        """Give it another title."""
        info = await self.owner.client.session.update(self.id, title=title)
        self.owner.feed.apply({"type": "session.updated", "properties": {"info": info}})

    async def delete(self) -> None:
        """Stop what runs and delete it, sub-sessions included."""
        if self.busy:
            await self.abort()
        await self.owner.client.session.delete(self.id)
        self.owner.feed.forget(self.id)
        self.owner._sessions.pop(self.id, None)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call back, on the loop's thread, with each `Change`; returns what ends it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback) if callback in self._subscribers else None

    def _changed(self, changes: list[Change]) -> None:
        for change in changes:
            run = self._running.get(change.turn)
            if run is not None:
                run.changed(change)
            for subscriber in list(self._subscribers):
                subscriber(change)


_ABORTED: Json = {"name": "MessageAbortedError", "data": {"message": "The turn was stopped."}}


def call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *args: Any) -> None:
    """From any thread: have the loop call this, if it still runs."""
    with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to be told
        loop.call_soon_threadsafe(function, *args)
