"""The live view of one request that no turn asks: a card in a cell's output, with the buttons that answer it."""

from __future__ import annotations

from opencode_nb.portal import run
from opencode_nb.render.turn.parts import LiveRequest
from opencode_nb.session.permissions.policy import Person
from opencode_nb.transcript.state import Json
from opencode_nb.widgets import assets
from opencode_nb.widgets.answers import PagePerson, chosen_columns
from opencode_nb.widgets.live import LiveView, SavedWidget, after_cell


class RequestWidget(SavedWidget):
    """The widget model of a request's view."""

    _esm = assets.script("turn/turn.js")
    _css = assets.styles("core/base.css", "core/rows.css")

    def __repr__(self) -> str:
        """Stays in the notebook if the kernel ends before the answer comes."""
        return "The kernel ended before this was answered. Rerun the cell."


class RequestView:
    """Shows a request in a `RequestWidget`; `person` is who answers it there, else `fallback`.

    Create and close it on the main thread.
    """

    def __init__(self, request: Json, fallback: Person | None) -> None:
        self.widget = RequestWidget()
        self._view: LiveView[str] = LiveView(self.widget, self._intent, self._show_heard)
        self._picture = LiveRequest(request)
        self.person = PagePerson(self._view, fallback)
        run(self._open)

    async def _open(self) -> None:
        self._view.open(self._picture)

    def _show_heard(self, heard: bool) -> None:
        """Show buttons only if clicks arrive."""
        if self._picture.look.heard != heard:
            self._picture.look.heard = heard
            self._view.take_snapshot()

    async def _intent(self, intent: Json) -> None:
        if intent.get("kind") == "columns":
            self._picture.look.columns = chosen_columns(intent)
            self._view.take_snapshot()
        else:
            self.person.take(intent)

    def close(self) -> None:
        """Close the view. In a running cell, the widget is removed when the cell has ended."""
        run(self._view.close)
        after_cell(self._view.remove)
