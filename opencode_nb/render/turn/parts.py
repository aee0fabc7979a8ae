"""The parts of a turn on the live page: each view remembers what the page has of its part, and sends what changed.

Knows how one part changes, not where it is (page.py) or what it looks like (layout.py, cards.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from opencode_nb.render.markdown.stream import MarkdownStream
from opencode_nb.render.markup.escape import NOTHING, Html, element, join
from opencode_nb.render.markup.patch_ops import Op, keyed, put, splice
from opencode_nb.render.turn import cards, layout
from opencode_nb.render.turn.card_model import Card, Context, Json
from opencode_nb.render.turn.request_model import is_unseen
from opencode_nb.render.turn.requests import request_html, subject_html
from opencode_nb.render.turn.tools import describe

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState


@dataclass(slots=True)
class Look:
    """Settings shared by everything in a live view; after a change, update everything.

    While `heard` is False nothing clickable is shown: on some kernels, clicks wait until the cell has ended. `columns`
    is the user's choice for showing changes.
    """

    heard: bool = True
    columns: int = 1


class Child(Protocol):
    """A turn of a sub-session in its task's card."""

    def snapshot(self) -> Html:
        """Return its current markup."""

    def update(self, dirty: set[str] | None) -> list[Op]:
        """Return the operations for what changed; None means everything may have."""


class View(Protocol):
    """One part on the page. `html` returns markup for the page; `update` builds on it."""

    key: str

    def html(self) -> Html:
        """Return the current element."""

    def update(self, part: Json, context: Context) -> list[Op]:
        """Return the operations after the part or its context changed."""


class TextView:
    """The model's text while it streams."""

    def __init__(self, key: str, part: Json, context: Context) -> None:
        self.key = key
        self._stream = MarkdownStream(key)
        self.update(part, context)

    def html(self) -> Html:
        """Return the current element."""
        return layout.text_html(self._stream.html(), self.key)

    def update(self, part: Json, context: Context) -> list[Op]:
        """Return the operations for new text."""
        return self._stream.update(str(part.get("text") or ""), final=_is_done(part, context))


class ReasoningView:
    """The model's reasoning: open while it thinks, then folded."""

    def __init__(self, key: str, part: Json, context: Context) -> None:
        self.key = key
        self._stream = MarkdownStream(f"{key}b")
        self._thinking = True
        self.update(part, context)

    def html(self) -> Html:
        """Return the current element."""
        return layout.reasoning_html(self._part, self._stream.html(), thinking=self._thinking, key=self.key)

    def update(self, part: Json, context: Context) -> list[Op]:
        """Return the operations for new text; the whole element again when it folds."""
        done, was_thinking = _is_done(part, context), self._thinking
        self._part, self._thinking = part, not done
        ops = self._stream.update(str(part.get("text") or ""), final=done)
        return [["put", self.key, "", self.html()]] if was_thinking and done else ops


class OtherView:
    """A part that is always replaced as a whole."""

    def __init__(self, key: str, part: Json, context: Context) -> None:
        self.key = key
        self._html = layout.other_html(part, context, key)

    def html(self) -> Html:
        """Return the current element."""
        return self._html

    def update(self, part: Json, context: Context) -> list[Op]:
        """Return the whole element if it changed."""
        old, self._html = self._html, layout.other_html(part, context, self.key)
        return [] if old == self._html else [["put", self.key, "", self._html]]


class ToolView:
    """A tool call: sent whole when its status changes, else only the changes of its summary and content.

    `child_turns` returns the turns of the sub-session that the call opened, `make_child` creates the view of one.
    """

    def __init__(
        self,
        key: str,
        part: Json,
        context: Context,
        child_turns: Callable[[str], list[TurnState]],
        make_child: Callable[[TurnState, str], Child],
    ) -> None:
        self.key = key
        self._child_turns, self._make_child = child_turns, make_child
        self._children: dict[str, Child] = {}
        self.card = describe(part, context)
        self._shown: dict[str, Html] = {}
        self._sources: dict[str, str] = {}
        self._adopt()
        self._remember()

    def html(self) -> Html:
        """Return the current element."""
        self._sources = {"s": "", "b": ""}
        return cards.card_html(self.card, key=self.key, child=self._child_html())

    def _child_html(self) -> Html | None:
        return join(child.snapshot() for child in self._children.values()) if self._children else None

    def update(self, part: Json, context: Context) -> list[Op]:
        """Return the operations after the call, its turn or its sub-session changed."""
        old, self.card = self.card, describe(part, context)
        had_children = bool(self._children)
        child_ops = [op for child in self._children.values() for op in child.update(None)]
        new = self._adopt()
        if _looks(self.card) != _looks(old) or (new and not had_children):
            self._remember()
            return [["put", self.key, "", self.html()]]
        ops = [
            *self._splice("s", cards.summary_html(self.card)),
            *self._splice("b", cards.body_html(self.card, self.key)),
        ]
        return [*ops, *child_ops, *(["put", key, f"{self.key}c", self._children[key].snapshot()] for key in new)]

    def _adopt(self) -> list[str]:
        """Create views for new turns of the sub-session; return their keys."""
        session = self.card.child_session
        new = []
        for index, turn in enumerate(self._child_turns(session) if session else ()):
            key = f"{self.key}c{index}"
            if key not in self._children:
                self._children[key] = self._make_child(turn, key)
                new.append(key)
        return new

    def _remember(self) -> None:
        self._shown = {"s": cards.summary_html(self.card), "b": cards.body_html(self.card, self.key)}
        self._sources = {"s": "", "b": ""}

    def _splice(self, place: str, html: Html) -> list[Op]:
        if self._shown[place] == html:
            return []
        op = splice(f"{self.key}{place}", self._sources[place], html)
        self._shown[place] = html
        self._sources[place] = html
        return [op]


class GroupView:
    """Consecutive tool calls that only explore."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._views: list[ToolView] = []
        self._line = NOTHING

    def html(self) -> Html:
        """Return the current element."""
        self._line = self._summary()
        return layout.group_html(self._cards(), join(view.html() for view in self._views), self.key)

    def add(self, view: ToolView) -> list[Op]:
        """Add a call and return the operations."""
        self._views.append(view)
        return [["put", view.key, f"{self.key}b", view.html()], *self.changed()]

    def remove(self, view: ToolView) -> list[Op]:
        """Remove a call and return the operations."""
        self._views.remove(view)
        return [["drop", view.key], *self.changed()]

    def changed(self) -> list[Op]:
        """Return the operations for the group's summary after a call changed."""
        old, self._line = self._line, self._summary()
        return [] if old == self._line else [["splice", f"{self.key}s", 0, self._line]]

    @property
    def is_empty(self) -> bool:
        """Whether no calls are left."""
        return not self._views

    def _cards(self) -> list[Card]:
        return [view.card for view in self._views]

    def _summary(self) -> Html:
        return layout.group_summary(self._cards())


@dataclass(slots=True)
class _Shown:
    """A request's card on the page: its key, its request, and its markup."""

    key: str
    request: Json
    card: Html


class RequestsView:
    """Open requests, added and removed one by one: what the user typed into one stays until it is answered.

    The page shows one of them at a time (static/live/pager.js).

    They follow the `look` at the time of an `update`. When the columns change, or the server sends a call's input, only
    the subject of the request is redrawn.
    """

    def __init__(self, key: str, look: Look) -> None:
        self.key = key
        self._serial = 0
        self._shown: dict[str, _Shown] = {}
        self._look, self._drawn = look, replace(look)

    @property
    def is_incomplete(self) -> bool:
        """Whether a shown request still lacks the input of its call."""
        return any(shown.request.get("call") == {} for shown in self._shown.values())

    def html(self) -> Html:
        """Return the current element."""
        cards = join(keyed(it.card, it.key) for it in self._shown.values())
        return element("div", cards, data_part="requests", data_key=self.key)

    def update(self, requests: dict[str, Json], root: str) -> list[Op]:
        """Return the operations after requests came or were answered; paths in them are relative to `root`."""
        gone = [known for known in self._shown if known not in requests]
        ops: list[Op] = [["drop", self._shown.pop(request_id).key] for request_id in gone]
        drawn, self._drawn = self._drawn, replace(self._look)
        for known, shown in self._shown.items():
            if drawn != self._look or shown.request != requests[known]:
                arrived = is_unseen(shown.request) != is_unseen(requests[known])
                ops += self._redraw(shown, requests[known], root, whole=arrived or drawn.heard != self._look.heard)
        for request_id in [new for new in requests if new not in self._shown]:
            self._serial += 1
            key = f"{self.key}{self._serial}"
            card = self._draw(requests[request_id], root, key)
            self._shown[request_id] = _Shown(key, requests[request_id], card)
            ops.append(put(key, self.key, card))
        return ops

    def _draw(self, request: Json, root: str, key: str) -> Html:
        return request_html(request, root, heard=self._look.heard, columns=self._look.columns, key=key)

    def _redraw(self, shown: _Shown, request: Json, root: str, *, whole: bool) -> list[Op]:
        """Return the operations for a changed card: `whole`, or only its subject."""
        old, shown.card, shown.request = shown.card, self._draw(request, root, shown.key), request
        if shown.card == old:
            return []
        if whole:
            return [put(shown.key, self.key, shown.card)]
        columns = self._look.columns if self._look.heard else 0
        return [["put", f"{shown.key}m", shown.key, subject_html(request, root, columns, shown.key)]]


class LiveRequest:
    """A request that no turn asks, below the root of its view. After changing the `look`, update everything."""

    def __init__(self, request: Json) -> None:
        self.look = Look()
        self._open = {str(request["id"]): request}
        self._cards = RequestsView("rq", self.look)

    def snapshot(self) -> Html:
        """Return the current content of the view's root; later updates build on it."""
        self.update(None)
        return element("article", self._cards.html(), style="turn", data_key="r")

    def update(self, _dirty: set[str] | None) -> list[Op]:
        """Return the operations after the look has changed."""
        return self._cards.update(self._open, "")


def _is_done(part: Json, context: Context) -> bool:
    time = part.get("time")
    return context.ended or (isinstance(time, dict) and time.get("end") is not None)


def _looks(card: Card) -> tuple[str, bool, str]:
    """Return what is in a card's outermost tag, and so cannot be spliced."""
    return card.status, card.open, cards.label(card)
