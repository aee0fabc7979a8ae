"""Keep what was said in a panel's session in a static form, for the saved notebook.

Runs on the package's loop thread. Each finished turn is rendered once, and one at a time, so that nothing that streams
meanwhile is held up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opencode_nb._version import __version__
from opencode_nb.render.chat import saved
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change

SETTLE = 0.3
"""Seconds from a change to its static form: the events around the end of a turn come together."""

Publish = Callable[[Json, Json], None]


class SavedChat:
    """The static form of a session: hands a MIME bundle and its metadata to `publish` when they change."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._session: AsyncSession | None = None
        self._pieces: dict[str, saved.Piece] = {}  # by the turn's id
        self._due = False
        self._writing: asyncio.Task[None] | None = None
        self.bundle: tuple[Json, Json] = ({}, {})

    def open(self, session: AsyncSession) -> None:
        """Show this session from now on: at once that it is this one, soon what was said in it."""
        self._session = session
        self._pieces.clear()
        self._show(session, [])
        self._change()

    def changed(self, change: Change) -> None:
        """Take a change of the session's transcript. Those of a running turn change nothing here."""
        assert self._session is not None
        turn = self._session.transcript.turns.get(change.turn)
        if turn is None or turn.ended:
            self._pieces.pop(change.turn, None)
            self._change()

    async def now(self) -> tuple[Json, Json]:
        """Return the bundle of what was said until now, and its metadata."""
        await self._write()
        return self.bundle

    def close(self) -> None:
        """Stop following the session."""
        if self._writing is not None:
            self._writing.cancel()

    def _change(self) -> None:
        self._due = True
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon(), name="opencode_nb saved chat")

    async def _write_soon(self) -> None:
        while self._due:
            await asyncio.sleep(SETTLE)
            self._due = False
            await self._write()

    async def _write(self) -> None:
        session = self._session
        assert session is not None
        pieces = await self._latest(session)
        if session is self._session:  # not if the panel has switched to another one meanwhile
            self._show(session, pieces)

    async def _latest(self, session: AsyncSession) -> list[saved.Piece]:
        """Return the pieces of the last finished turns, as many as may be saved."""
        pieces: list[saved.Piece] = []
        for turn in reversed([turn for turn in session.transcript.visible_turns if turn.ended]):
            piece = self._pieces.get(turn.id)
            if piece is None:
                piece = self._pieces[turn.id] = saved.piece(turn)
                await asyncio.sleep(0)  # a change may take it out again
            pieces.insert(0, piece)
            if saved.is_full(pieces):
                return pieces[1:]
        return pieces

    def _show(self, session: AsyncSession, pieces: list[saved.Piece]) -> None:
        earlier = _earlier(session, len(pieces)) if pieces else ""
        data = saved.conversation(session.title, session.id, pieces, earlier)
        bundle: tuple[Json, Json] = data, {"opencode_nb": {"session": session.id, "opencode_nb": __version__}}
        if bundle != self.bundle:
            self.bundle = bundle
            self._publish(*bundle)


def _earlier(session: AsyncSession, shown: int) -> str:
    """Return how many finished turns come before those that are shown; "some" if not all are loaded, "" if none."""
    if session.transcript.has_earlier:
        return "some"
    count = sum(turn.ended for turn in session.transcript.visible_turns) - shown
    return str(count) if count else ""
