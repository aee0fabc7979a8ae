"""Unloader: takes the old turns of a long session out of memory. They can be loaded again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from opencode_nb.errors import OpencodeError
from opencode_nb.session.owner import Owner
from opencode_nb.transcript.transcript import Transcript

MOST_TURNS = 100
"""Maximum number of turns kept in memory (about 40 KB each), unless a view shows earlier ones."""

KEPT_TURNS = 50
"""Number of turns kept when old ones are unloaded: twice what a view at the end of the session shows."""


class Unloader:
    """Unloads a session's old turns, unless a view shows them."""

    def __init__(self, owner: Owner, transcript: Transcript) -> None:
        self._owner, self._transcript = owner, transcript
        self._readers: list[Callable[[], bool]] = []
        self._unloading: asyncio.Task[None] | None = None

    def keep_while(self, reads: Callable[[], bool]) -> Callable[[], None]:
        """Keep all turns in memory while `reads()` is true; return a function to cancel."""
        self._readers.append(reads)
        return lambda: self._readers.remove(reads) if reads in self._readers else None

    def turn_ended(self) -> None:
        """Unload old turns if there are many."""
        if len(self._transcript.turns) <= MOST_TURNS or any(reads() for reads in self._readers):
            return
        if self._unloading is None or self._unloading.done():
            self._unloading = asyncio.create_task(self._keep_last(), name="opencode_nb unload")

    async def _keep_last(self) -> None:
        with contextlib.suppress(OpencodeError):  # retried when the next turn ends
            await self._owner.feed.let_go(self._transcript, KEPT_TURNS)
