"""The live page of a conversation: a window of its turns, and below it open requests, todos and undone messages.

Only the window is on the page and in memory, however long the conversation is; `earlier` and `later` move it. The
composer and other controls belong to the page itself (static/chat/chat.js).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from opencode_nb.render.chat.docks import todos_html, undone_html
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join
from opencode_nb.render.markup.patch_ops import Op
from opencode_nb.render.turn import facts
from opencode_nb.render.turn.card_model import Json
from opencode_nb.render.turn.page import LiveTurn
from opencode_nb.render.turn.parts import Look, RequestsView

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState
    from opencode_nb.transcript.transcript import Transcript

Key = tuple[str, str]
"""What may have changed: a turn's id and one of `LiveTurn`'s keys; ("", "session") for anything outside of turns."""

PAGE = 10
"""Turns shown at first, and added with each step back."""
WINDOW = 30
"""Maximum number of turns on the page."""

_NUMBERS = itertools.count(1)
"""Numbers as keys of turns: in an imported session, any part of an id may be the unique one."""


class ChatTurn(LiveTurn):
    """A turn in a conversation: with its prompt above it, and its open requests in the docks."""

    def __init__(self, turn: TurnState, look: Look) -> None:
        super().__init__(turn, actions=False, prompt=True, again=True, key=f"t{next(_NUMBERS)}", look=look)

    def _contents(self) -> dict[str, Html]:
        return {**super()._contents(), "e": NOTHING}


class LiveChat:
    """The conversation on the live page, below its view's root. Only reads the transcript.

    After changing `look`, update everything.
    """

    def __init__(self, transcript: Transcript, look: Look | None = None) -> None:
        self._transcript = transcript
        self.look = look or Look()
        self._window: list[str] = []  # ids of the turns on the page, consecutive
        self._turns: dict[str, ChatTurn] = {}
        self._at_end = True
        self._edges = (NOTHING, NOTHING)
        self._requests = RequestsView("requests", self.look)
        self._docks = {"todos": NOTHING, "undone": NOTHING}

    # -- window ----------------------------------------------------------------------------------------------------

    @property
    def at_end(self) -> bool:
        """Whether the window contains the latest turn and follows new ones."""
        return self._at_end

    @property
    def at_beginning(self) -> bool:
        """Whether the window contains the first known turn."""
        visible = self._visible()
        return not visible or self._window[:1] == visible[:1]

    def earlier(self) -> None:
        """Add earlier turns on the next update; a full window drops its latest ones."""
        visible = self._visible()
        first = self._position(visible, 0)
        self._window = visible[max(0, first - PAGE) : first] + self._window
        self._at_end = self._at_end and len(self._window) <= WINDOW
        del self._window[WINDOW:]

    def later(self) -> None:
        """Add later turns on the next update; a full window drops its earliest ones."""
        visible = self._visible()
        end = self._position(visible, -1) + 1
        self._window = (self._window + visible[end : end + PAGE])[-WINDOW:]
        self._at_end = end + PAGE >= len(visible)

    def latest(self) -> None:
        """Go to the end and follow new turns."""
        if not self._at_end:
            self._window, self._at_end = self._visible()[-PAGE:], True

    def show(self, turn: str) -> None:
        """Move the window to this turn, with some around it; unknown turns are ignored."""
        visible = self._visible()
        if turn in self._window or turn not in visible:
            return
        place = visible.index(turn)
        self._window = visible[max(0, place - PAGE // 2) : place + PAGE]
        self._at_end = self._window[-1] == visible[-1]

    def _visible(self) -> list[str]:
        return [turn.id for turn in self._transcript.visible_turns]

    def _position(self, visible: list[str], end: int) -> int:
        return visible.index(self._window[end]) if self._window and self._window[end] in visible else 0

    def _move_window(self) -> list[str]:
        """Return the window after turns were added and removed: everything between its ends."""
        visible = self._visible()
        place = {turn: index for index, turn in enumerate(visible)}
        known = [place[turn] for turn in self._window if turn in place]
        if not known:
            self._at_end = True
            return visible[-PAGE:]
        return visible[known[0] : len(visible) if self._at_end else known[-1] + 1][-WINDOW:]

    # -- showing ---------------------------------------------------------------------------------------------------

    def snapshot(self) -> Html:
        """Return the current content of the view's root for the page; later updates build on it."""
        self.update(None)
        turns = join(self._turns[turn].snapshot() for turn in self._window)
        before, after = self._edges
        inner = [_place("before", before), turns, _place("after", after)]
        log = element("div", join(inner), style="log", data_key="log", role="log", aria_label="Conversation")
        docks = [self._requests.html(), *(_place(name, html) for name, html in self._docks.items())]
        return join([log, element("div", join(docks), style="docks", data_key="docks")])

    def update(self, dirty: set[Key] | None) -> list[Op]:
        """Return the operations for these changes; None means everything may have changed."""
        only_parts = dirty is not None and all(key.startswith("prt") for _turn, key in dirty)
        writing = only_parts and not self._requests.is_incomplete
        ops = [] if writing else self._update_window()
        for turn, keys in self._by_turn(dirty).items():
            ops += self._turns[turn].update(keys)
        return ops if writing else ops + self._update_docks()

    def _by_turn(self, dirty: set[Key] | None) -> dict[str, set[str] | None]:
        if dirty is None:
            return dict.fromkeys(self._window)
        found: dict[str, set[str] | None] = {}
        for turn, key in dirty:
            if turn in self._turns:
                keys = found.setdefault(turn, set())
                assert keys is not None
                keys.add(key)
        return found

    def _update_window(self) -> list[Op]:
        """Drop turns that leave the window, and insert those that enter it."""
        self._window = self._move_window()
        ops: list[Op] = [
            ["drop", self._turns.pop(turn).key] for turn in [*self._turns] if turn not in set(self._window)
        ]
        following = "after"
        for turn in reversed(self._window):
            if turn not in self._turns:
                self._turns[turn] = ChatTurn(self._transcript.turns[turn], self.look)
                ops.append(["put", self._turns[turn].key, "log", self._turns[turn].snapshot(), following])
            following = self._turns[turn].key
        return ops + self._update_edges()

    def _update_edges(self) -> list[Op]:
        more = not self.at_beginning or self._transcript.has_earlier
        edges = (_edge("earlier", "Earlier messages", more), _edge("later", "Later messages", not self._at_end))
        old, self._edges = self._edges, edges
        return [
            ["splice", name, 0, new]
            for name, new, known in zip(("before", "after"), edges, old, strict=True)
            if new != known
        ]

    # -- docks -----------------------------------------------------------------------------------------------------

    def _update_docks(self) -> list[Op]:
        transcript = self._transcript
        opened: dict[str, Json] = {}
        for turn in list(transcript.turns.values()):
            opened |= turn.requests
        latest = next(reversed(transcript.turns.values()), None)
        ops = self._requests.update(opened, facts.directory(latest) if latest else "")
        docks = {
            "todos": todos_html(transcript.todos, busy=transcript.busy),
            "undone": undone_html(transcript.undone_turns),
        }
        old, self._docks = self._docks, docks
        return ops + [["splice", name, 0, html] for name, html in self._docks.items() if html != old[name]]


def _place(key: str, content: Html) -> Html:
    return element("div", content, data_key=key)


def _edge(intent: str, label: str, more: bool) -> Html:
    """Build the button that loads more turns: the page presses it when it scrolls into view."""
    button = element("button", escape(label), style="edge", type="button", data_intent=intent)
    return button if more else NOTHING
