"""Run: one turn on its way: sends it, has its requests answered, keeps its time limit, and sees it to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from opencode_nb.errors import APIConnectionError, APIStatusError, OpencodeError
from opencode_nb.session.feed import Feed
from opencode_nb.session.permissions.responder import Responder
from opencode_nb.session.turn import Turn, finish
from opencode_nb.transcript.state import STOPPED, Json, TurnState
from opencode_nb.transcript.transcript import Change, Transcript

DIFFS_TIMEOUT = 3.0
"""Seconds to wait, after a turn that wrote files, for the server to count its diffs (they come after it is idle)."""

TRAILING_TIMEOUT = 1.0
"""Seconds that the end of an aborted message may come behind the session's being idle."""

ERROR_TIMEOUT = 2.0
"""Seconds to wait for the event that explains a bare 500: the answer has only a reference (docs/server.md)."""


BEGIN_TIMEOUT = 30.0
"""Seconds that a command may take until its turn is under way: its template may run shell commands first."""

PASSED_BY_TIMEOUT = 30.0
"""Seconds that a session may rest although a prompt waits in it: the server comes to it after what ran before."""

SAID_TIMEOUT = 5.0
"""Seconds until what was only added to the conversation is in it: the answer (204) can come before (docs/server.md)."""

LOST = ("ConnectionLost", "ServerExited")
"""The errors of a turn that the loss of the server ended."""


@dataclass(frozen=True, slots=True)
class Stops:
    """How the session stops a turn: `abort` what runs, `late` a turn that was declared over, should it begin after all.

    `ended` is called when the turn is over.
    """

    abort: Callable[[], Coroutine[Any, Any, None]]
    late: Callable[[str], Coroutine[Any, Any, None]]
    ended: Callable[[str], None]


class Run:
    """One turn on its way: sends it, answers its requests, keeps its time limit, and sees it to its end."""

    def __init__(
        self, turn: Turn, transcript: Transcript, feed: Feed, responder: Responder, timeout: float | None, stops: Stops
    ) -> None:
        self.turn, self._transcript, self._feed = turn, transcript, feed
        self._responder, self._timeout, self._stops = responder, timeout, stops
        self._news = asyncio.Event()
        self._doubted = False
        self._rests = False
        self._asks = True  # a model, which answers the latest prompt only
        self._clock: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, body: Json, no_reply: bool) -> None:
        """Send the prompt. One that the server refuses ends as a failed turn; raises where it cannot be reached."""
        self._asks = not no_reply
        self._start_clock()
        post = self._sent(self._feed.client.session.prompt_async(self._transcript.id, **body))
        await self._or_stopped(asyncio.shield(post))
        if no_reply and not self.turn.state.ended:
            await self._until(lambda: self.turn.state.ended or _said(self.turn.state, body["parts"]), SAID_TIMEOUT)
            self._feed.tell(self._transcript.id, "noted", messageID=self.turn.id)

    async def follow(self, request: Awaitable[Any], *, asks: bool = True) -> None:
        """Send what is answered at the turn's end only; returns as soon as it is under way. Errors as for `send`."""
        self._asks = asks
        self._start_clock()
        post = self._sent(request)
        post.add_done_callback(lambda _task: self._news.set())
        is_under_way = self._until(lambda: post.done() or self.turn.state.prompt is not None, BEGIN_TIMEOUT)
        await self._or_stopped(is_under_way)
        if post.done():
            post.result()

    async def _or_stopped(self, sending: Awaitable[None]) -> None:
        """Wait until it is sent. Cancelled meanwhile, stop it: nobody knows yet whether the server has it."""
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
        """Whether the server has the prompt although its answer was lost: it is never sent twice, so look for it."""
        try:
            await self._feed.client.session.message(self._transcript.id, self.turn.id)
        except OpencodeError:
            return False
        return True

    async def _refused(self, error: APIStatusError) -> None:
        """A wrong model or agent is a bare 500 here; the event that follows says what it was."""
        await self._until(lambda: self.turn.state.error is not None, ERROR_TIMEOUT)
        if not self.turn.state.ended:
            self._fail(self.turn.state.error or {"name": "PromptRefused", "data": {"message": str(error)}})

    async def _never_begun(self) -> None:
        """The server may accept a prompt (204), then fail on it (an image it cannot read) and never be busy with it."""
        await self._until(lambda: self.turn.state.status != "queued", ERROR_TIMEOUT)
        if self._is_doubtful and self.turn.state.error:
            self._fail(self.turn.state.error)
        self._doubted = False

    @property
    def _is_doubtful(self) -> bool:
        """Whether it has an error before it has begun, other than our own reason to stop it."""
        state = self.turn.state
        return state.status == "queued" and state.error is not None and not self._ended_by(*STOPPED)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until what changes makes `condition` true, or the time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self._news.clear()
                    await self._news.wait()

    def _fail(self, error: Json) -> None:
        self._feed.tell(self._transcript.id, "failed", messageID=self.turn.id, error=error)

    def changed(self, change: Change) -> None:
        """Take note of what an event changed in this turn."""
        self._news.set()
        self._responder.note()
        if self._is_doubtful and not self._doubted:
            self._doubted = True
            self._spawn(self._never_begun())
        if self._asks and not self.turn.state.ended and self._transcript.is_passed_by(self.turn.state):
            self._fail(_SERVER_CLOCK)
            self._spawn(self._stops.late(self.turn.id))
        if change.kind == "request":
            self._responder.look()
        elif change.kind == "ended":
            if self._ended_by(*LOST) and self._sending is not None:
                self._sending.cancel()  # it may wait for the server to come back: a turn that has failed must not run
            self._spawn(self._finish())

    def rested(self) -> None:
        """Take note that the session rests."""
        self._news.set()
        state = self.turn.state
        if self._asks and not self._rests and state.prompt is not None and not state.ended:
            self._rests = True
            self._spawn(self._passed_by())

    async def _passed_by(self) -> None:
        """A prompt that the server has and does not come to: it must not be waited for for ever.

        One that is being stopped ends by that.
        """
        state, transcript = self.turn.state, self._transcript
        await self._until(lambda: bool(state.steps) or state.ended or transcript.busy, PASSED_BY_TIMEOUT)
        self._rests = False
        if not (state.steps or state.ended or transcript.busy or self._ended_by(*STOPPED)):
            self._fail(_NOT_ANSWERED)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _too_long(self, seconds: float) -> None:
        error = {"name": "TurnTimeout", "data": {"message": f"Stopped after {seconds:g} s, its time limit."}}
        self._feed.tell(self._transcript.id, "stopping", messageID=self.turn.id, error=error)
        self._spawn(self._stops.abort())

    async def _finish(self) -> None:
        try:
            await self._responder.close()
            if not self._ended_by("PromptNotSent", *LOST):  # else nothing more can come
                await self._until(lambda: _complete(self.turn.state), TRAILING_TIMEOUT)
                await self._until(lambda: not self.turn.state.awaits_diffs, DIFFS_TIMEOUT)
        finally:
            self._close()

    def _close(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._stops.ended(self.turn.id)
        finish(self.turn)


_SERVER_CLOCK: Json = {
    "name": "ServerClock",
    "data": {
        "message": "The server's clock was set back: it takes this prompt for an older one, and would not answer it."
    },
}
_NOT_ANSWERED: Json = {"name": "NotAnswered", "data": {"message": "The server has the prompt, but did not take it up."}}


def _said(state: TurnState, sent: list[Json]) -> bool:
    """Whether the texts that were sent are in the turn's prompt."""
    there = [part for part in state.prompt.parts.values() if _is_said(part)] if state.prompt else []
    return state.prompt is not None and len(there) >= sum(map(_is_said, sent))


def _is_said(part: Json) -> bool:
    return part.get("type") == "text" and not part.get("synthetic")


def _retrieve(task: asyncio.Task[None]) -> None:
    """Its failure has ended the turn already, and is told there."""
    if not task.cancelled():
        task.exception()


def _complete(state: TurnState) -> bool:
    """Whether the last step has come to its end."""
    last = next(reversed(state.steps.values()), None)
    return last is None or "completed" in (last.info.get("time") or {})
