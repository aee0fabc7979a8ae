"""The live view of one turn: a widget that shows it while it streams, and in which the user answers the agent.

One direction: a change in the transcript -> dirty keys -> `LiveTurn` (render/turn) -> numbered batches of patches ->
the page (live.py). A click comes back as an intent, and is carried out on the loop's thread. The view has no state that
is not in the transcript.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Literal

from IPython.core.getipython import get_ipython

from opencode_nb.kernel.cells import pages
from opencode_nb.portal import run
from opencode_nb.render.turn.page import LiveTurn
from opencode_nb.session.blocking import Session
from opencode_nb.session.permissions.policy import Answer, Person
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Change
from opencode_nb.widgets import assets
from opencode_nb.widgets.answers import chosen_columns, permission_answer, question_answer
from opencode_nb.widgets.live import LiveView, SavedWidget, settle
from opencode_nb.widgets.turn_saved import SavedTurn


class TurnWidget(SavedWidget):
    """The widget model of a turn's view."""

    _esm = assets.script("turn/turn.js")
    _css = assets.styles("core/base.css", "core/rows.css")

    def __repr__(self) -> str:
        """Stays in the notebook if the kernel ends before the turn has said anything, or where pages cannot keep it."""
        return "The kernel ended before this turn did. Rerun the cell."


class TurnView:
    """Shows a turn in a `TurnWidget`, and is the `Person` who is asked through its page.

    `fallback` is asked if the page cannot be heard (see `live.PONG_TIMEOUT`); None waits for the page forever. Create
    and close it on the main thread; everything in between runs on the package's loop thread.
    """

    def __init__(self, session: Session, fallback: Person | None = None) -> None:
        self.widget = TurnWidget()
        self._view: LiveView[str] = LiveView(self.widget, self._intent, self._show_heard)
        self._session = session
        self._fallback = fallback
        self._live: LiveTurn | None = None
        self._turn: Turn | None = None
        self._saved: SavedTurn | None = None
        self._answers: dict[str, asyncio.Future[Any]] = {}
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
        _when_cell_has_ended(self._view.remove)

    async def _close(self) -> None:
        self._unsubscribe()
        self._end_page()
        self._live = None
        if self._saved is not None:
            self._saved.close()
        await self._view.close()

    # -- intents ---------------------------------------------------------------------------------------------------

    async def _intent(self, intent: Json) -> None:
        kind, waiting = intent.get("kind"), self._answers.get(str(intent.get("id", "")))
        if kind == "permission" and (answer := permission_answer(intent)):
            settle(waiting, answer)
        elif kind == "question" and (answers := question_answer(intent)):
            settle(waiting, answers)
        elif kind == "columns" and self._live is not None:
            self._live.look.columns = chosen_columns(intent)
            self._view.take_snapshot()
        elif kind == "stop":
            await self._session._async.abort()

    # -- requests --------------------------------------------------------------------------------------------------

    async def permission(self, request: Json) -> Answer | None:
        """Wait for a click on the request's card; ask the fallback if the page cannot be heard."""
        answer: Answer | None = await self._answer_of_page(request["id"])
        if answer is None and self._fallback is not None:
            return await self._fallback.permission(request)
        return answer

    async def question(self, request: Json) -> list[list[str]] | Literal["reject"] | None:
        """Wait for the request's form; ask the fallback if the page cannot be heard."""
        answers: list[list[str]] | Literal["reject"] | None = await self._answer_of_page(request["id"])
        if answers is None and self._fallback is not None:
            return await self._fallback.question(request)
        return answers

    async def _answer_of_page(self, key: str) -> Any:
        """Return the user's answer on the page; None if the page cannot be heard and there is a fallback."""
        self._answers[key] = asyncio.get_running_loop().create_future()
        try:
            if self._fallback is None or await self._view.page_shows(key):
                return await self._answers[key]
            return None
        finally:
            del self._answers[key]


def _when_cell_has_ended(callback: Callable[[], None]) -> None:
    """Call back after the cell running on this thread, or at once if there is none."""
    shell = get_ipython()
    if shell is None or threading.current_thread() is not threading.main_thread():
        callback()
        return

    def once(_result: object) -> None:
        shell.events.unregister("post_run_cell", once)
        callback()

    shell.events.register("post_run_cell", once)
