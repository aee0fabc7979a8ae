"""Asks prompts through one agent's server, each in a session of its own, and lets go of that session afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from opencode_nb.errors import NotFoundError, OpencodeError, TurnError
from opencode_nb.many.answers import Answered, Rebuild
from opencode_nb.many.changes import InSession
from opencode_nb.many.items import Item
from opencode_nb.many.sessions import Sessions
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.prompt.parts import text_of
from opencode_nb.session.session import AsyncSession
from opencode_nb.session.turn import Turn, expect
from opencode_nb.session.turns.options import limits

Sent = Callable[[str], Awaitable[None]]
"""Is awaited with the session's id before the prompt is sent there."""


class Asker(Protocol):
    """Asks prompts."""

    async def ask(self, item: Item, sent: Sent) -> Answered:
        """Ask the prompt and return its turn. Raises what `prompt` raises."""

    async def found(self, item: Item, session_id: str) -> Answered | None:
        """Return the turn of a prompt that an earlier map sent and never saw the end of; None if it did not succeed."""


class Here:
    """Asks prompts in sessions of `ai`. Cancelling stops the turn."""

    def __init__(self, ai: AsyncOpencode, sessions: Sessions, rebuild: Rebuild) -> None:
        self._ai, self._sessions, self._rebuild = ai, sessions, rebuild

    async def ask(self, item: Item, sent: Sent) -> Answered:
        """Ask a prompt in a session of its own."""
        check_budget(self._ai, item)
        session = await self._sessions.open(item, self._ai)
        turn: Turn | None = None
        try:
            await sent(session.id)
            turn = await session.prompt(item.prompt, **{**item.options, **_compiled(item)})
            return Answered(turn, InSession.of(session))
        except TurnError as error:
            turn = error.turn
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(OpencodeError):  # the server is gone, and the turn with it
                await session.abort_own()
            raise
        finally:
            await self._leave(session, turn)

    async def _leave(self, session: AsyncSession, turn: Turn | None) -> None:
        """Let go of a session: it would be kept current with every event of all others."""
        if not session.transcript.turns:
            with contextlib.suppress(OpencodeError):  # it hides no failure that led here
                await session.delete()
            return
        await session.withdraw()
        await self._sessions.leave(session)
        if turn is not None:
            turn.session = self._rebuild.detached(session.id, session.server_version, InSession.of(session))
        with contextlib.suppress(OpencodeError):  # it was closed meanwhile
            self._ai.forget(session.id)

    async def found(self, item: Item, session_id: str) -> Answered | None:
        """Return the turn that an earlier map began in this session, once it has ended well; None if it did not.

        Stops it if it asks for something, which nobody here answers, or takes longer than the prompt's timeout.
        """
        try:
            session = await self._ai.session(id=session_id)
        except NotFoundError:
            return None
        turn = next(iter(session.turns()[-1:]), None)
        if turn is None or turn.prompt != text_of(item.prompt):
            return None
        if item.schema is not None:
            expect(turn, item.schema)
        try:
            if not await _ended(session, turn, item.options.get("timeout") or self._ai.timeout):
                return None
            turn.raise_for_status()
            _ = item.schema and turn.data
            return Answered(turn, InSession.of(session))
        except TurnError:
            return None
        finally:
            await self._leave(session, turn)


async def _ended(session: AsyncSession, turn: Turn, timeout: float | None) -> bool:
    """Wait for a turn that another client started; return False if it had to be stopped."""
    asked = asyncio.Event()
    unsubscribe = session.subscribe(lambda _change: asked.set() if turn.state.requests else None)
    waits = [asyncio.ensure_future(turn), asyncio.ensure_future(asked.wait())]
    try:
        if not turn.state.requests:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if turn.state.ended:
            return True
        await session.abort()
        return False
    finally:
        unsubscribe()
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def _compiled(item: Item) -> dict[str, Any]:
    """Return the schema as it was read: once for all prompts."""
    return {} if item.schema is None else {"schema": item.schema}


def check_budget(ai: AsyncOpencode, item: Item) -> None:
    """Raise BudgetExceededError if a budget leaves no step, before a session is created for the prompt."""
    if ai.recording is None:
        limits(ai, None, item.options)  # type: ignore[arg-type]  # a part of the options
