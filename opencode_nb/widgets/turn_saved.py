"""Keep what a running turn has said in the notebook, in a static form, for when the kernel ends before the turn does.

Runs on the package's loop thread. When the turn ends, its output replaces this one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from opencode_nb.render.turn.bounded import bounded
from opencode_nb.render.turn.page import turn_html, turn_text
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.widgets.live import SavedWidget

EVERY = 2.0
"""Minimum seconds from a change to its static form: what a kernel that is killed may take with it."""

PACE = 10_000
"""Maximum characters of the turn to write per second: each form has all of them, and must not hold up the stream."""

LONGEST = 300_000
"""Maximum characters of both forms: Jupyter's server drops what exceeds 1 MB a second, the stream among it."""

KERNEL_ENDED: Json = {"name": "KernelEnded", "data": {"message": "The kernel ended before this turn did."}}


class SavedTurn:
    """The static form of one turn, in the `saved` trait of its widget."""

    def __init__(self, widget: SavedWidget, turn: TurnState) -> None:
        self._widget, self._turn = widget, turn
        self._written = asyncio.get_running_loop().time()
        self._due: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Bring the form up to date soon."""
        if self._due is None:
            self._after(EVERY)

    def _after(self, seconds: float) -> None:
        self._due = asyncio.get_running_loop().call_later(seconds, self._write)

    def _write(self) -> None:
        self._due = None
        now = asyncio.get_running_loop().time()
        early = self._written + _size(self._turn) / PACE - now
        if early > 0:
            self._after(early)
            return
        self._written = now
        data = unfinished(self._turn)
        if sum(map(len, data.values())) <= LONGEST:
            self._widget.save(data, {})

    def close(self) -> None:
        """Write no more."""
        if self._due is not None:
            self._due.cancel()


def unfinished(turn: TurnState) -> dict[str, str]:
    """Return the MIME bundle of a turn as it is to be read if the kernel ends now."""
    cut_off = replace(bounded(turn), status="error", error=KERNEL_ENDED, retry=None, permissions={}, questions={})
    return {"text/html": turn_html(cut_off), "text/plain": turn_text(cut_off)}


def _size(turn: TurnState) -> int:
    """Return about how many characters the turn has."""
    return sum(len(str(part)) for part in turn.parts)
