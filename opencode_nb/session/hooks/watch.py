"""Watcher: tells hooks what happens in sessions. On the loop's thread.

Events, and what finds them in changes, are loaded with the first hook that is called.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from opencode_nb.session.hooks.dispatch import Dispatcher
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import TurnState
from opencode_nb.transcript.transcript import Change, Transcript

if TYPE_CHECKING:
    from opencode_nb.session.hooks.events import Event

REMEMBERED_TURNS = 200
"""Ended turns of which is remembered that they were told: late events must not tell them again."""


class Watched(Protocol):
    """A session, as hooks see it."""

    transcript: Transcript

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def title(self) -> str:
        """Its title."""

    @property
    def directory(self) -> Path:
        """Where its agent works."""

    def turn_for(self, state: TurnState) -> Turn:
        """Return the Turn of a turn's state."""


class Watcher:
    """Tells a dispatcher what happens in sessions. What was there when a session was opened is not told."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._told: OrderedDict[str, set[str] | None] = OrderedDict()  # by turn; None: it has ended

    def started(self, session: Watched) -> None:
        """A session was opened."""
        self._tell_session("session_started", session)

    def ended(self, session: Watched) -> None:
        """A session was deleted, or is no longer followed."""
        self._tell_session("session_ended", session)

    def _tell_session(self, name: str, session: Watched) -> None:
        if self._dispatcher.hooks.has(name):
            from opencode_nb.session.hooks.events import SessionEvent

            self._dispatcher.tell(name, SessionEvent(session.id, session.title, session.directory))

    def changed(self, session: Watched, change: Change) -> None:
        """Look at what changed in a turn."""
        state = session.transcript.turns.get(change.turn)
        if state is None or state.replay or not self._is_live(state, change):
            return
        from opencode_nb.session.hooks.found import events

        turn = session.turn_for(state)
        for name, key, event in events(session.id, turn, change):
            self._tell_once(state.id, name, key, event)
        if change.kind == "ended":
            self._end(session.id, turn)

    def _is_live(self, state: TurnState, change: Change) -> bool:
        """Return whether the turn runs or has just ended, rather than being part of the history."""
        if state.id not in self._told and (not state.ended or change.kind == "ended"):
            self._told[state.id] = set()
        return self._told.get(state.id) is not None

    def _tell_once(self, turn_id: str, name: str, key: str, event: Event) -> None:
        told = self._told[turn_id]
        if told is not None and (mark := f"{name} {key}") not in told:
            told.add(mark)
            self._dispatcher.tell(name, event)

    def _end(self, session_id: str, turn: Turn) -> None:
        """Call the last hooks of a turn once it is complete, with its diffs."""
        self._told[turn.id] = None
        for old in list(self._told)[:-REMEMBERED_TURNS]:
            if self._told[old] is None:
                del self._told[old]
        turn.on_done(lambda: self._tell_end(session_id, turn))

    def _tell_end(self, session_id: str, turn: Turn) -> None:
        from opencode_nb.session.hooks.events import TurnEvent

        event = TurnEvent(session_id, turn)
        if turn.error is not None:
            self._dispatcher.tell("turn_failed", event)
        self._dispatcher.tell("turn_ended", event)
