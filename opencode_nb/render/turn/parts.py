"""The parts of a turn on the live page: each view remembers what the page has of its part, and sends what changed.

Knows how one part changes, not where it stands (page.py) nor what it looks like (layout.py, cards.py).
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
from opencode_nb.render.turn.requests import request_html, subject_html
from opencode_nb.render.turn.tools import describe

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState


@dataclass(slots=True)
class Look:
    """What all of a live view has in common; who changes it has everything updated.

    While `heard` is False nothing that can be clicked is shown: on some kernels a page's clicks wait until the cell has
    ended. Changes stand in so many `columns`, as a person chose.
    """

    heard: bool = True
    columns: int = 1


class Child(Protocol):
    """A turn of a sub-session inside its task's card."""

    def snapshot(self) -> Html:
        """The whole of it as it stands."""

    def update(self, dirty: set[str] | None) -> list[Op]:
        """What changed; None: look everywhere."""


class View(Protocol):
    """One part on the page. `html` is given to the page when it's called; `update` brings the page from there."""

    key: str

    def html(self) -> Html:
        """The whole element as it stands."""

    def update(self, part: Json, context: Context) -> list[Op]:
        """Operations after the part, or what it stands in, has changed."""


class TextView:
    """What the model says, as it comes."""

    def __init__(self, key: str, part: Json, context: Context) -> None:
        self.key = key
        self._stream = MarkdownStream(key)
        self.update(part, context)

    def html(self) -> Html:
        """The whole element as it stands."""
        return layout.text_html(self._stream.html(), self.key)

    def update(self, part: Json, context: Context) -> list[Op]:
        """Operations for the text that came."""
        return self._stream.update(str(part.get("text") or ""), final=_is_done(part, context))


class ReasoningView:
    """What the model thinks: open while it does, folded after."""

    def __init__(self, key: str, part: Json, context: Context) -> None:
        self.key = key
        self._stream = MarkdownStream(f"{key}b")
        self._thinking = True
        self.update(part, context)

    def html(self) -> Html:
        """The whole element as it stands."""
        return layout.reasoning_html(self._part, self._stream.html(), thinking=self._thinking, key=self.key)

    def update(self, part: Json, context: Context) -> list[Op]:
        """Operations for the text that came; the whole once more when it folds."""
        done, was_thinking = _is_done(part, context), self._thinking
        self._part, self._thinking = part, not done
        ops = self._stream.update(str(part.get("text") or ""), final=done)
        return [["put", self.key, "", self.html()]] if was_thinking and done else ops


class OtherView:
    """A part that changes as a whole."""

    def __init__(self, key: str, part: Json, context: Context) -> None:
        self.key = key
        self._html = layout.other_html(part, context, key)

    def html(self) -> Html:
        """The whole element as it stands."""
        return self._html

    def update(self, part: Json, context: Context) -> list[Op]:
        """The whole element, if it changed."""
        old, self._html = self._html, layout.other_html(part, context, self.key)
        return [] if old == self._html else [["put", self.key, "", self._html]]


class ToolView:
    """A tool call: sent whole when its status changes, else by what changed in its line and its content.

    `child_turns` gives the turns of the sub-session that the call opened, `make_child` the view of one.
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
        """The whole element as it stands."""
        self._sources = {"s": "", "b": ""}
        return cards.card_html(self.card, key=self.key, child=self._child_html())

    def _child_html(self) -> Html | None:
        return join(child.snapshot() for child in self._children.values()) if self._children else None

    def update(self, part: Json, context: Context) -> list[Op]:
        """Operations after the call, its turn or its sub-session has changed."""
        old, self.card = self.card, describe(part, context)
        had_children = bool(self._children)
        child_ops = [op for child in self._children.values() for op in child.update(None)]
        new = self._adopt()
        if _looks(self.card) != _looks(old) or (new and not had_children):
            self._remember()
            return [["put", self.key, "", self.html()]]
        ops = [*self._splice("s", cards.summary_html(self.card)), *self._splice("b", cards.body_html(self.card))]
        return [*ops, *child_ops, *(["put", key, f"{self.key}c", self._children[key].snapshot()] for key in new)]

    def _adopt(self) -> list[str]:
        """Take in turns that the sub-session has begun; their keys."""
        session = self.card.child_session
        new = []
        for index, turn in enumerate(self._child_turns(session) if session else ()):
            key = f"{self.key}c{index}"
            if key not in self._children:
                self._children[key] = self._make_child(turn, key)
                new.append(key)
        return new

    def _remember(self) -> None:
        self._shown = {"s": cards.summary_html(self.card), "b": cards.body_html(self.card)}
        self._sources = {"s": "", "b": ""}

    def _splice(self, place: str, html: Html) -> list[Op]:
        if self._shown[place] == html:
            return []
        op = splice(f"{self.key}{place}", self._sources[place], html)
        self._shown[place] = html
        self._sources[place] = html
        return [op]


class GroupView:
    """Several tool calls in a row that only look around."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._views: list[ToolView] = []
        self._line = NOTHING

    def html(self) -> Html:
        """The whole element as it stands."""
        self._line = self._summary()
        return layout.group_html(self._cards(), join(view.html() for view in self._views), self.key)

    def add(self, view: ToolView) -> list[Op]:
        """Operations for one more call."""
        self._views.append(view)
        return [["put", view.key, f"{self.key}b", view.html()], *self.changed()]

    def remove(self, view: ToolView) -> list[Op]:
        """Operations for a call that is gone."""
        self._views.remove(view)
        return [["drop", view.key], *self.changed()]

    def changed(self) -> list[Op]:
        """Operations for the group's line after a call has changed."""
        old, self._line = self._line, self._summary()
        return [] if old == self._line else [["splice", f"{self.key}s", 0, self._line]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left in it."""
        return not self._views

    def _cards(self) -> list[Card]:
        return [view.card for view in self._views]

    def _summary(self) -> Html:
        return layout.group_summary(self._cards())


@dataclass(slots=True)
class _Shown:
    """A request's card on the page: its key, what it was drawn of, and its markup."""

    key: str
    request: Json
    card: Html


class RequestsView:
    """Open requests, which come and go one by one: what a person enters into one stays until it's answered.

    They are as the `look` has it at the time of an `update`. In other columns, or when the server tells what a call was
    given, only what is asked for is drawn anew.
    """

    def __init__(self, key: str, look: Look) -> None:
        self.key = key
        self._serial = 0
        self._shown: dict[str, _Shown] = {}
        self._look, self._drawn = look, replace(look)

    @property
    def is_incomplete(self) -> bool:
        """Whether a request is shown whose call the server has still to tell."""
        return any(shown.request.get("call") == {} for shown in self._shown.values())

    def html(self) -> Html:
        """The whole element as it stands."""
        return element("div", join(keyed(it.card, it.key) for it in self._shown.values()), data_key=self.key)

    def update(self, requests: dict[str, Json], root: str) -> list[Op]:
        """Operations after requests came or were answered; paths in them are shown relative to `root`."""
        gone = [known for known in self._shown if known not in requests]
        ops: list[Op] = [["drop", self._shown.pop(request_id).key] for request_id in gone]
        drawn, self._drawn = self._drawn, replace(self._look)
        for known, shown in self._shown.items():
            if drawn != self._look or shown.request != requests[known]:
                ops += self._redraw(shown, requests[known], root, whole=drawn.heard != self._look.heard)
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
        """Operations for a card that's drawn anew: `whole`, or only what is asked for in it."""
        old, shown.card, shown.request = shown.card, self._draw(request, root, shown.key), request
        if shown.card == old:
            return []
        if whole:
            return [put(shown.key, self.key, shown.card)]
        columns = self._look.columns if self._look.heard else 0
        return [["put", f"{shown.key}m", shown.key, subject_html(request, root, columns, shown.key)]]


def _is_done(part: Json, context: Context) -> bool:
    time = part.get("time")
    return context.ended or (isinstance(time, dict) and time.get("end") is not None)


def _looks(card: Card) -> tuple[str, bool, str]:
    """What of a card stands in its outermost tag, and so can't be spliced."""
    return card.status, card.open, cards.label(card)
