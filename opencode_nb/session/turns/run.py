"""Run: one turn in progress. Sends it, answers its requests, enforces its limits and follows it to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from opencode_nb.errors import APIConnectionError, APIStatusError, OpencodeError
from opencode_nb.session.incoming.feed import Feed
from opencode_nb.session.permissions.responder import Responder
from opencode_nb.session.turn import Turn, finish
from opencode_nb.spending.budget import Budget
from opencode_nb.spending.steps import goes_on
from opencode_nb.transcript import ids
from opencode_nb.transcript.state import STOPPED, Json, TurnState
from opencode_nb.transcript.transcript import Change, Transcript

DIFFS_TIMEOUT = 3.0
"""Seconds to wait for the server's diffs after a turn that wrote files (they come after it is idle)."""

TRAILING_TIMEOUT = 1.0
"""Seconds to wait for the end of an aborted message after the session is idle."""

ERROR_TIMEOUT = 2.0
"""Seconds to wait for the event that explains a bare 500: the response has only a reference (docs/server.md)."""


BEGIN_TIMEOUT = 30.0
"""Seconds that a command may take to start its turn: its template may run shell commands first."""

PASSED_BY_AFTER = 1.0
"""Seconds that a session may be idle with a waiting prompt before the server is asked whether it passed it by."""

PASSED_BY_TIMEOUT = 30.0
"""Seconds to ask for it to be started, and then for it to start."""

SAID_TIMEOUT = 5.0
"""Seconds to wait for a `no_reply` prompt to appear: the response (204) can come first (docs/server.md)."""

LOST = ("ConnectionLost", "ServerExited")
"""Errors of a turn that ended because the server was lost."""


Keep = Callable[[TurnState], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stops:
    """Callbacks to the session: `abort` stops what is running, `ended` reports the end of a turn.

    `late` stops a turn already marked as over, if the server starts it after all; `decided` one that has its result.
    """

    abort: Callable[[], Coroutine[Any, Any, None]]
    late: Callable[[str], Coroutine[Any, Any, None]]
    ended: Callable[[str], None]
    decided: Callable[[str], Coroutine[Any, Any, None]]


class Expecting(Protocol):
    """What expects a result of a turn: see `Expected`."""

    def changed(self) -> None:
        """Handle a change in the turn."""

    def rested(self) -> None:
        """Handle the session going idle."""

    def withdraw(self) -> None:
        """Handle the end of the turn."""


class Limits(NamedTuple):
    """The limits of a turn: its time, in seconds, and its budgets."""

    timeout: float | None
    budgets: tuple[Budget, ...]


class Run:
    """One turn in progress. Sends it, answers its requests, enforces its limits and follows it to its end.

    `limits` are its time limit, in seconds, and the budgets that it is charged to.
    """

    def __init__(
        self, turn: Turn, transcript: Transcript, feed: Feed, responder: Responder, limits: Limits, stops: Stops
    ) -> None:
        self.turn, self._transcript, self._feed = turn, transcript, feed
        self._responder, self._stops = responder, stops
        self._timeout, self.budgets = limits
        self._news = asyncio.Event()
        self._doubted = False
        self._rests = False
        self._asks = True  # whether a model is to answer; it answers only the latest prompt
        self._clock: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.keep: Keep | None = None
        """Records the turn when it has ended, before anyone who waits for it goes on."""
        self.settle: Keep | None = None
        """Called before that, when the turn's files are known."""
        self.expected: Expecting | None = None

    async def send(self, body: Json, no_reply: bool) -> None:
        """Send the prompt. The turn fails if the server refuses it; raises if the server cannot be reached."""
        self._asks = not no_reply
        self._start_clock()
        post = self._sent(self._feed.client.session.prompt_async(self._transcript.id, **body))
        await self._or_stopped(asyncio.shield(post))
        if no_reply and not self.turn.state.ended:
            await self.until(lambda: self.turn.state.ended or _said(self.turn.state, body["parts"]), SAID_TIMEOUT)
            self.tell("noted")

    async def follow(self, request: Awaitable[Any], *, asks: bool = True) -> None:
        """Send a request answered only at the turn's end; return once the turn has started. Errors as for `send`."""
        self._asks = asks
        self._start_clock()
        post = self._sent(request)
        post.add_done_callback(lambda _task: self._news.set())
        is_under_way = self.until(lambda: post.done() or self.turn.state.prompt is not None, BEGIN_TIMEOUT)
        await self._or_stopped(is_under_way)
        if post.done():
            post.result()

    async def _or_stopped(self, sending: Awaitable[None]) -> None:
        """Wait until it is sent. If cancelled, abort the turn: the server may already have it."""
        try:
            await sending
        except asyncio.CancelledError:
            await self._stops.abort()
            raise

    def _start_clock(self) -> None:
        if self._timeout is not None:
            self._clock = asyncio.get_running_loop().call_later(self._timeout, self._too_long, self._timeout)

    def _sent(self, request: Awaitable[Any]) -> asyncio.Task[None]:
        self._sending = asyncio.create_task(self._sent_or_lost(request))
        self._sending.add_done_callback(_retrieve)
        return self._sending

    async def _sent_or_lost(self, request: Awaitable[Any]) -> None:
        try:
            await self._post(request)
        except asyncio.CancelledError:
            if self._ended_by(*LOST) and (error := self.turn.error):
                raise error from None
            raise

    async def _post(self, request: Awaitable[Any]) -> None:
        try:
            await request
        except APIStatusError as error:
            await self._refused(error)
        except BaseException as error:
            if isinstance(error, APIConnectionError) and await self._arrived():
                return
            self._fail({"name": "PromptNotSent", "data": {"message": f"The prompt could not be sent: {error}"}})
            raise

    def _ended_by(self, *names: str) -> bool:
        return (self.turn.state.error or {}).get("name") in names

    async def _arrived(self) -> bool:
        """Return whether the server has the prompt although its response was lost. Check, never send it twice."""
        try:
            await self._feed.client.session.message(self._transcript.id, self.turn.id)
        except OpencodeError:
            return False
        return True

    async def _refused(self, error: APIStatusError) -> None:
        """Fail the turn. A wrong model or agent is a bare 500 here; the event that follows says what was wrong."""
        await self.until(lambda: self.turn.state.error is not None, ERROR_TIMEOUT)
        if not self.turn.state.ended:
            self._fail(self.turn.state.error or {"name": "PromptRefused", "data": {"message": str(error)}})

    async def _never_begun(self) -> None:
        """Fail a prompt that the server accepted (204) but failed on before starting (an unreadable image)."""
        await self.until(lambda: self.turn.state.status != "queued", ERROR_TIMEOUT)
        if self._is_doubtful and self.turn.state.error:
            self._fail(self.turn.state.error)
        self._doubted = False

    @property
    def _is_doubtful(self) -> bool:
        """Whether it has an error before it has started, other than our own reason to stop it."""
        state = self.turn.state
        return state.status == "queued" and state.error is not None and not self._ended_by(*STOPPED)

    async def until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until an event makes `condition` true, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()

    def tell(self, kind: str, **properties: Any) -> None:
        """Apply an event of this package's own to the turn."""
        self._feed.tell(self._transcript.id, kind, messageID=self.turn.id, **properties)

    def _fail(self, error: Json) -> None:
        self.tell("failed", error=error)

    def changed(self, change: Change) -> None:
        """Handle what an event changed in this turn."""
        self._news.set()
        self._stay_within_budgets()
        self._responder.note()
        if self.expected is not None:
            self.expected.changed()
        if self._is_doubtful and not self._doubted:
            self._doubted = True
            self.spawn(self._never_begun())
        if self._asks and not self.turn.state.ended and self._transcript.is_passed_by(self.turn.state):
            self._fail(_SERVER_CLOCK)
            self.spawn(self._stops.late(self.turn.id))
        if change.kind == "request":
            self._responder.look()
        elif change.kind == "ended":
            if self._ended_by(*LOST) and self._sending is not None:
                self._sending.cancel()  # it may be waiting for a new server: a failed turn must not run
            self.spawn(self._finish())

    def rested(self) -> None:
        """Handle the session going idle."""
        self._news.set()
        if self.expected is not None:
            self.expected.rested()
        state = self.turn.state
        if self._asks and not self._rests and state.prompt is not None and not state.ended:
            self._rests = True
            self.spawn(self._passed_by())

    async def _passed_by(self) -> None:
        """Start a prompt that the server has but passed by. Fail it if that does not help: it would wait forever.

        A turn that fails is idle a moment before it ends; a prompt of that moment is only stored (docs/server.md).
        Leave one that is being stopped: the abort ends it.
        """
        await self.until(self._is_taken_up, PASSED_BY_AFTER)
        if not self._is_taken_up():
            with contextlib.suppress(OpencodeError, TimeoutError):  # then the prompt stays as it is: not answered
                async with asyncio.timeout(PASSED_BY_TIMEOUT):
                    await self._have_it_started()
            await self.until(self._is_taken_up, PASSED_BY_TIMEOUT)
        self._rests = False
        if not self._is_taken_up():
            self._fail(_NOT_ANSWERED)

    async def _have_it_started(self) -> None:
        """Start the stored prompt; again if the server, busy with the turn before, has only stored that, too."""
        while not self._is_taken_up():
            await self._start_stored()
            await self.until(self._is_taken_up, PASSED_BY_AFTER)

    def _is_taken_up(self) -> bool:
        """Return whether the server has begun the turn, or no longer needs to."""
        state = self.turn.state
        return bool(state.steps) or state.ended or self._transcript.busy or self._ended_by(*STOPPED)

    async def _start_stored(self) -> None:
        """Send the stored prompt's id again, without parts: the server keeps those it has, and begins the turn."""
        if self.turn.state.prompt is not None and self._transcript.id not in await self._feed.client.session.status():
            await self._say(self.turn.id, [])

    async def _say(self, message_id: str, parts: Any) -> None:
        """Send a message to the agent and model of the turn's prompt, with the same instructions."""
        info = self.turn.state.prompt.info if self.turn.state.prompt else {}
        model = info.get("model") or {}
        await self._feed.client.session.prompt_async(
            self._transcript.id,
            messageID=message_id,
            parts=parts,
            agent=info.get("agent"),
            model={"providerID": model["providerID"], "modelID": model["modelID"]} if model else None,
            variant=model.get("variant"),
            system=info.get("system"),
            format=info.get("format"),
        )

    async def say_more(self, parts: list[Json]) -> None:
        """Send a message that continues the turn. Raises OpencodeError if the server does not take it."""
        message_id = ids.message_id(*self._transcript.last_ids)
        await self._say(message_id, parts)
        if self.turn.state.ended:  # stopped meanwhile
            await self._stops.late(message_id)

    async def stop_decided(self) -> None:
        """Stop the server's work on the turn, whose result is decided."""
        if not self.turn.state.ended:
            await self._stops.decided(self.turn.id)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine for as long as the turn may need it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _too_long(self, seconds: float) -> None:
        self._stop({"name": "TurnTimeout", "data": {"message": f"Stopped after {seconds:g} s, its time limit."}})

    def _stay_within_budgets(self) -> None:
        if self.turn.state.ended or self._ended_by(*STOPPED):
            return
        further = goes_on(self.turn.state)
        if error := next(filter(None, (budget.stopping(further) for budget in self.budgets)), None):
            self._stop(error)

    def _stop(self, error: Json) -> None:
        self.tell("stopping", error=error)
        self.spawn(self._abort())

    async def _abort(self) -> None:
        with contextlib.suppress(OpencodeError):  # the server is gone, and the turn with it
            await self._stops.abort()

    async def _finish(self) -> None:
        try:
            await self._responder.close()
            if not self._ended_by("PromptNotSent", *LOST):  # otherwise nothing more can arrive
                await self.until(lambda: _complete(self.turn.state), TRAILING_TIMEOUT)
                await self.until(lambda: not self.turn.state.awaits_diffs, DIFFS_TIMEOUT)
            if self.settle is not None:
                await self.settle(self.turn.state)
            if self.keep is not None:
                await self.keep(self.turn.state)
        finally:
            self._close()

    def _close(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        if self.expected is not None:
            self.expected.withdraw()
        self._stops.ended(self.turn.id)
        finish(self.turn)


_SERVER_CLOCK: Json = {
    "name": "ServerClock",
    "data": {
        "message": "The server's clock was set back: it takes this prompt for an older one and does not answer it."
    },
}
_NOT_ANSWERED: Json = {"name": "NotAnswered", "data": {"message": "The server has the prompt but did not start it."}}


def _said(state: TurnState, sent: list[Json]) -> bool:
    """Return whether the turn's prompt has all the texts that were sent."""
    there = [part for part in list(state.prompt.parts.values()) if _is_said(part)] if state.prompt else []
    return state.prompt is not None and len(there) >= sum(map(_is_said, sent))


def _is_said(part: Json) -> bool:
    return part.get("type") == "text" and not part.get("synthetic")


def _retrieve(task: asyncio.Task[None]) -> None:
    """Mark the exception as retrieved: the failure has already ended the turn, which reports it."""
    if not task.cancelled():
        task.exception()


def _complete(state: TurnState) -> bool:
    """Return whether the last step has completed."""
    last = next(reversed(state.steps.values()), None)
    return last is None or "completed" in (last.info.get("time") or {})
