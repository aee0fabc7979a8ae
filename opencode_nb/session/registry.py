"""The sessions that are open here: each as long as somebody holds it, or it was used lately, or has something to do."""

from __future__ import annotations

import asyncio
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator

from opencode_nb.session.connection import call_soon
from opencode_nb.session.session import AsyncSession

RECENT = 16
"""Sessions that are kept although nobody holds them: who goes back and forth between some need not load them again."""


class Sessions:
    """Open sessions by id. `left(id)` is called on the loop when one has gone: it can be read again."""

    def __init__(self, left: Callable[[str], None]) -> None:
        self._left = left
        self._all: weakref.WeakValueDictionary[str, AsyncSession] = weakref.WeakValueDictionary()
        self._recent: OrderedDict[str, AsyncSession] = OrderedDict()

    def add(self, session: AsyncSession) -> None:
        """Take in a session."""
        self._all[session.id] = session
        loop = asyncio.get_running_loop()
        weakref.finalize(session, call_soon, loop, _tell_gone, weakref.ref(self), session.id).atexit = False
        self.use(session)

    def get(self, session_id: str, *, used: bool = True) -> AsyncSession | None:
        """The session of this id, None where it is not open; `used`: somebody works with it."""
        session = self._all.get(session_id)
        if session is not None and used:
            self.use(session)
        return session

    def remove(self, session_id: str) -> None:
        """Let go of a session that was deleted."""
        self._all.pop(session_id, None)
        self._recent.pop(session_id, None)

    def __iter__(self) -> Iterator[AsyncSession]:
        return iter(list(self._all.values()))

    def use(self, session: AsyncSession) -> None:
        """Take note that somebody works with a session."""
        self._recent[session.id] = session
        self._recent.move_to_end(session.id)
        idle = [known for known in self._recent.values() if not (known.busy or known.queue.items)]
        for known in idle[: max(0, len(self._recent) - RECENT)]:
            del self._recent[known.id]

    def gone(self, session_id: str) -> None:
        """Tell that a session has left memory, unless it was opened again."""
        if session_id not in self._all:
            self._left(session_id)


def _tell_gone(sessions: weakref.ref[Sessions], session_id: str) -> None:
    """By a weak reference: finalizers live for good, and the sessions that they hold would too."""
    if (registry := sessions()) is not None:
        registry.gone(session_id)
