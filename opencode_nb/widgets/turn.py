"""The live view of one turn: a widget that shows it while it streams, and in which the user answers the agent.

One direction: a change in the transcript -> dirty keys -> `LiveTurn` (render/turn) -> numbered batches of patches ->
the page (live.py). A click comes back as an intent, and is carried out on the loop's thread. The view has no state that
is not in the transcript.
"""

from __future__ import annotations

from collections.abc import Callable

from opencode_nb.kernel.cells import pages
from opencode_nb.portal import run
from opencode_nb.render.turn.page import LiveTurn
from opencode_nb.session.blocking import Session
from opencode_nb.session.permissions.policy import Person
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change
from opencode_nb.widgets import assets
from opencode_nb.widgets.answers import PagePerson, chosen_columns
from opencode_nb.widgets.live import LiveView, SavedWidget, after_cell
from opencode_nb.widgets.turn_saved import SavedTurn


class TurnWidget(SavedWidget):
    """The widget model of a turn's view."""

    _esm = assets.script("turn/turn.js")
    _css = assets.styles("core/base.css", "core/rows.css")

    def __repr__(self) -> str:
        """Stays in the notebook if the kernel ends before the turn has said anything, or where pages cannot keep it."""
        return "The kernel ended before this turn did. Rerun the cell."


class TurnView:
    """Shows a turn in a `TurnWidget`; `person` is who answers there, else `fallback`.

    Create and close it on the main thread; everything in between runs on the package's loop thread.
    """

    def __init__(self, session: Session, fallback: Person | None = None) -> None:
        self.widget = TurnWidget()
        self._view: LiveView[str] = LiveView(self.widget, self._intent, self._show_heard)
        self._session = session
        self.person = PagePerson(self._view, fallback)
        self._live: LiveTurn | None = None
        self._turn: Turn | None = None
        self._saved: SavedTurn | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._end_page = pages.add(self._view, lambda: session.id)

    # -- projection ------------------------------------------------------------------------------------------------

    def attach(self, turn: Turn) -> None:
        """Show this turn."""
        run(self._attach, turn)

    async def _attach(self, turn: Turn) -> None:
        self._turn, self._live, self._saved = turn, LiveTurn(turn.state), SavedTurn(self.widget, turn.state)
        self._unsubscribe = self._session.subscribe(self._changed)
        self._view.open(self._live)

    def _changed(self, change: Change) -> None:
        if self._turn is not None and change.turn == self._turn.id:
            self._view.changed(change.key)
            if self._saved is not None:
                self._saved.changed()

    def _show_heard(self, heard: bool) -> None:
        """Show buttons only if clicks arrive."""
        if self._live is not None and self._live.look.heard != heard:
            self._live.look.heard = heard
            self._view.take_snapshot()

    def close(self) -> None:
        """Close the view; open requests stay unanswered.

        In a running cell the widget itself is removed when the cell has ended and its output has replaced it: otherwise
        the cell would shrink in between, and the page jump.
        """
        run(self._close)
        after_cell(self._view.remove)

    async def _close(self) -> None:
        self._unsubscribe()
        self._end_page()
        self._live = None
        if self._saved is not None:
            self._saved.close()
        await self._view.close()

    # -- intents ---------------------------------------------------------------------------------------------------

    async def _intent(self, intent: Json) -> None:
        kind = intent.get("kind")
        if kind == "columns" and self._live is not None:
            self._live.look.columns = chosen_columns(intent)
            self._view.take_snapshot()
        elif kind == "stop":
            await self._session._async.abort()
        else:
            self.person.take(intent)
