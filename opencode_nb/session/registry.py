"""Open sessions. A session stays open while it is referenced, recently used, or still has work to do."""

from __future__ import annotations

import asyncio
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator

from opencode_nb.session.connection import call_soon
from opencode_nb.session.incoming.subscribers import Subscribers
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.transcript import Change, Transcript

RECENT = 16
"""Sessions kept without references, so that switching between them does not reload them."""


Observer = Callable[[AsyncSession, Change], None]


class Sessions:
    """Open sessions by id. Calls `left(id)` on the loop when one is garbage-collected; it can be opened again."""

    def __init__(self, left: Callable[[str], None]) -> None:
        self._left = left
        self._all: weakref.WeakValueDictionary[str, AsyncSession] = weakref.WeakValueDictionary()
        self._recent: OrderedDict[str, AsyncSession] = OrderedDict()
        self._observers = Subscribers[[AsyncSession, Change]]("all sessions")

    def add(self, session: AsyncSession) -> None:
        """Register a session."""
        self._all[session.id] = session
        loop = asyncio.get_running_loop()
        weakref.finalize(session, call_soon, loop, _tell_gone, weakref.ref(self), session.id).atexit = False
        self.use(session)

    def get(self, session_id: str, *, used: bool = True) -> AsyncSession | None:
        """Return the open session with this id, or None; `used` marks it as recently used."""
        session = self._all.get(session_id)
        if session is not None and used:
            self.use(session)
        return session

    def remove(self, session_id: str) -> None:
        """Remove a deleted session."""
        self._all.pop(session_id, None)
        self._recent.pop(session_id, None)

    def __iter__(self) -> Iterator[AsyncSession]:
        return iter(list(self._all.values()))

    def use(self, session: AsyncSession) -> None:
        """Mark a session as recently used, and drop the oldest idle ones."""
        self._recent[session.id] = session
        self._recent.move_to_end(session.id)
        idle = [known for known in self._recent.values() if not (known.busy or known.queue.items)]
        for known in idle[: max(0, len(self._recent) - RECENT)]:
            del self._recent[known.id]

    def transcripts(self) -> Iterator[Transcript]:
        """Yield what is known of each session."""
        return (session.transcript for session in self)

    def route(self, transcript: Transcript, changes: list[Change]) -> None:
        """Tell a session, then the observers, what an event changed."""
        session = self.get(transcript.id, used=False)
        if session is not None:
            session.changed(changes)
            for change in changes:
                self._observers.call(session, change)

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call `observer(session, change)` with each change of every session; return a function that stops it."""
        return self._observers.add(observer)

    def gone(self, session_id: str) -> None:
        """Report that a session was garbage-collected, unless it was opened again."""
        if session_id not in self._all:
            self._left(session_id)


def _tell_gone(sessions: weakref.ref[Sessions], session_id: str) -> None:
    """Takes a weak reference, because a finalizer would keep the registry and its sessions alive."""
    if (registry := sessions()) is not None:
        registry.gone(session_id)
