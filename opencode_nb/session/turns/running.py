"""Running: the turns that this client has started in one session and that have not ended, and how they are stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from opencode_nb.errors import APIStatusError, OpencodeError
from opencode_nb.session.owner import Owner
from opencode_nb.session.turn import ending
from opencode_nb.session.turns.run import Run, Stops
from opencode_nb.session.turns.series import Pauses
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change

ABORT_TIMEOUT = 5.0
"""Seconds to wait for an aborted turn to stop before marking it as aborted locally."""

ABORT_AGAIN = 0.5
"""Seconds between repeated aborts: the server ignores one that comes before the turn starts."""

ABORTED: Json = {"name": "MessageAbortedError", "data": {"message": "The turn was stopped."}}


class Running:
    """The running turns of one session. `stops` is what each of them is handed, `pauses` are waits for a next try."""

    def __init__(self, owner: Owner, session_id: str) -> None:
        self._owner, self._session = owner, session_id
        self._runs: dict[str, Run] = {}
        self._stillborn: set[str] = set()  # turns marked as aborted before the server started them
        self._late: asyncio.Task[None] | None = None  # aborts one that starts after all
        self.pauses = Pauses()
        self.stops = Stops(self.abort, self._stop_late, self._drop, self._stop_decided)

    def add(self, run: Run) -> None:
        """Note a turn that is about to be sent."""
        self._runs[run.turn.id] = run

    def get(self, turn_id: str) -> Run | None:
        """Return a running turn; None if it has ended, or was started by another client."""
        return self._runs.get(turn_id)

    @property
    def last(self) -> Run | None:
        """The turn that was started last."""
        return next(reversed(self._runs.values()), None)

    @property
    def any(self) -> bool:
        """Whether a turn is running."""
        return any(not run.turn.state.ended for run in self)

    def __iter__(self) -> Iterator[Run]:
        return iter(list(self._runs.values()))

    def _drop(self, turn_id: str) -> None:
        self._runs.pop(turn_id, None)

    async def abort(self) -> None:
        """Stop the session's turn, or one just sent; return when the session is idle."""
        self.pauses.end()
        self._tell_reason()
        runs = list(self)
        await self._send_abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABORT_TIMEOUT):
                await self._ended(runs)
        for state in [run.turn.state for run in runs if not run.turn.state.ended]:
            self._stillborn.add(state.id)
            error = state.error or ABORTED
            self._owner.feed.tell(self._session, "failed", messageID=state.id, error=error, status="aborted")

    async def abort_own(self) -> None:
        """Call `abort` if a turn of this client is running, or is to be sent again."""
        self.pauses.end()
        if self.any:
            await self.abort()

    def look_at(self, change: Change) -> None:
        """Abort a turn that the server starts although it is marked as over: now an abort takes effect."""
        if change.turn in self._stillborn and change.kind == "message" and change.key != change.turn:  # an answer
            self._stillborn.discard(change.turn)
            self._late = asyncio.create_task(self._send_abort(), name="opencode_nb late abort")

    async def _send_abort(self) -> None:
        with contextlib.suppress(APIStatusError):
            await self._owner.client.session.abort(self._session)

    async def _ended(self, runs: list[Run]) -> None:
        """Wait for these runs. Send the abort again: the server ignores one (with 200) before the turn starts."""
        waits = [asyncio.wrap_future(ending(run.turn)) for run in runs]
        while waits:
            _done, waits = map(list, await asyncio.wait(waits, timeout=ABORT_AGAIN))
            if not all(run.turn.state.ended for run in runs):
                await self._send_abort()

    async def _stop_late(self, turn_id: str) -> None:
        """Abort a turn already marked as over: now, and again if the server starts it after all."""
        self._stillborn.add(turn_id)
        await self._send_abort()

    async def _stop_decided(self, turn_id: str) -> None:
        """Stop the server's work on a turn whose result is decided; end the turn here if that takes too long."""
        run = self._runs.get(turn_id)
        with contextlib.suppress(OpencodeError, TimeoutError):  # the server may be gone
            async with asyncio.timeout(ABORT_TIMEOUT):
                await self._send_abort()
                await self._ended([run] if run is not None else [])
        if run is not None and not run.turn.state.ended:
            run.tell("noted")

    def _tell_reason(self) -> None:
        """Record the reason first: an abort while waiting to retry yields no server error (docs/server.md)."""
        for run in self:
            if not run.turn.state.error:
                self._owner.feed.tell(self._session, "stopping", messageID=run.turn.id, error=ABORTED)
