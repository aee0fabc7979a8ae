"""Render a turn as a page: live, in increments keyed by part, and static, for the saved notebook.

`LiveTurn` remembers what the page has and sends only what changed; `turn_html` returns everything at once. layout.py
builds the contents; this module makes no markup but their containers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opencode_nb.render.markdown.convert import to_html
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join
from opencode_nb.render.markup.patch_ops import Op
from opencode_nb.render.turn import answers, facts, layout
from opencode_nb.render.turn.card_model import Consent, Context, Json
from opencode_nb.render.turn.cards import card_html
from opencode_nb.render.turn.parts import (
    GroupView,
    Look,
    OtherView,
    ReasoningView,
    RequestsView,
    TextView,
    ToolView,
    View,
)
from opencode_nb.render.turn.text import turn_markdown, turn_text
from opencode_nb.render.turn.tools import describe, is_exploring

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState

__all__ = ["LiveTurn", "Op", "turn_html", "turn_markdown", "turn_text"]

_NOT_IN_KEYS = re.compile("[^A-Za-z0-9]")
_KEY_LENGTH = 6


ROOT_CLASSES = "opencode-nb mathjax_ignore tex2jax_ignore"
"""The last two classes keep JupyterLab from typesetting the text between two prices as a formula."""


class LiveTurn:
    """A turn on the live page, below the root of its view.

    `actions`: whether the user can answer and stop it there. `prompt`: whether to show the prompt above it. `key` is
    the article's key, and the prefix of all keys in it. A `nested` turn has no footer, and as status only that it waits
    to retry. `again`: whether a failed one has a button that sends its prompt again.

    Only reads the turn. After changing the `look`, which the turns of one page share, update everything.
    """

    def __init__(
        self,
        turn: TurnState,
        *,
        actions: bool = True,
        prompt: bool = False,
        key: str = "",
        nested: bool = False,
        again: bool = False,
        look: Look | None = None,
    ) -> None:
        self._turn = turn
        self._nested = nested
        self._actions = actions
        self._prompt = prompt
        self._again = again
        self.look = look or Look()
        # Ids are long, and every operation contains a key: the end of an id is random enough.
        self.key = key or "t" + _NOT_IN_KEYS.sub("", turn.id)[-_KEY_LENGTH:]
        self._forget()

    def _forget(self) -> None:
        self._serial = 0
        self._views: dict[str, View] = {}
        self._groups: dict[str, GroupView] = {}
        self._requests = RequestsView(f"{self.key}q", self.look)
        self._slots: dict[str, Html] = dict.fromkeys("abcdefg", NOTHING)
        self._consents: dict[str, Consent] = {}
        self._is_open = False
        self._was_ended = False

    def open(self) -> Html:
        """Return the view's root without content; the next `update` sends everything."""
        self._forget()
        return self._article(NOTHING)

    def snapshot(self) -> Html:
        """Return the current content of the view's root for the page; later updates build on it."""
        self.update(None)
        seen: set[str] = set()
        pieces: list[Html] = []
        for part in self._turn.parts:
            item = self._item_of(str(part.get("id")))
            if item is not None and item.key not in seen:
                seen.add(item.key)
                pieces.append(item.html())
        return self._article(join(pieces))

    def update(self, dirty: set[str] | None) -> list[Op]:
        """Return the operations for `dirty`: ids of parts and messages, or "turn"; None means all of them."""
        ops: list[Op] = []
        ended = self._turn.ended and not self._was_ended
        if dirty is None or not self._is_open or ended:
            dirty = {str(part.get("id")) for part in self._turn.parts} | self._views.keys() | {"turn"}
        self._is_open, self._was_ended = True, self._turn.ended
        self._update_parts(ops, dirty | self._asking_or_answered())
        beside = any(not key.startswith("prt") or self._is_of_prompt(key) for key in dirty)
        if beside:
            self._update_slots(ops)
        if beside or self._requests.is_incomplete:
            open_now = self._turn.requests if self._actions else {}
            ops += self._requests.update(open_now, facts.directory(self._turn))
        return ops

    # Parts

    def _update_parts(self, ops: list[Op], dirty: set[str]) -> None:
        context = self._context()
        unknown = False
        for part_id in sorted(dirty):
            view, part = self._views.get(part_id), self._find(part_id)
            if view is None:
                unknown = unknown or part is not None
            elif part is None or not facts.is_shown(part):
                self._remove(ops, part_id)
            else:
                ops += view.update(part, context)
                ops += self._groups[part_id].changed() if part_id in self._groups else []
        if unknown:
            self._add_parts(ops)

    def _asking_or_answered(self) -> set[str]:
        """Return the parts about whose call someone was asked or has answered: requests don't name parts."""
        old, self._consents = self._consents, answers.consents(self._turn)
        calls = {call for call in {*old, *self._consents} if old.get(call) != self._consents.get(call)}
        return {str(part["id"]) for part in self._turn.parts if str(part.get("callID")) in calls} if calls else set()

    def _is_of_prompt(self, part_id: str) -> bool:
        return self._turn.prompt is not None and part_id in self._turn.prompt.parts

    def _find(self, part_id: str) -> Json | None:
        return next((step.parts[part_id] for step in list(self._turn.steps.values()) if part_id in step.parts), None)

    def _add_parts(self, ops: list[Op]) -> None:
        """Add views for new parts, each in its place."""
        shown = [part for part in self._turn.parts if facts.is_shown(part)]
        for index, part in enumerate(shown):
            if str(part["id"]) not in self._views:
                self._add(ops, part, shown[index - 1] if index else None, shown[index + 1 :])

    def _add(self, ops: list[Op], part: Json, previous: Json | None, following: list[Json]) -> None:
        part_id = str(part["id"])
        view = self._views[part_id] = self._make_view(part)
        item: View | GroupView = view
        if isinstance(view, ToolView) and is_exploring(part):
            if group := self._groups.get(str(previous["id"])) if previous else None:
                self._groups[part_id] = group
                ops += group.add(view)
                return
            item = self._groups[part_id] = GroupView(f"{view.key}g")
            item.add(view)
        before = next((known.key for later in following if (known := self._item_of(str(later["id"])))), "")
        ops.append(["put", item.key, f"{self.key}p", item.html(), *([before] if before else [])])

    def _item_of(self, part_id: str) -> View | GroupView | None:
        """Return the element that shows this part: its own view, or its group."""
        return self._groups.get(part_id) or self._views.get(part_id)

    def _remove(self, ops: list[Op], part_id: str) -> None:
        view, group = self._views.pop(part_id), self._groups.pop(part_id, None)
        if group is None:
            ops.append(["drop", view.key])
            return
        assert isinstance(view, ToolView)
        ops += group.remove(view)
        if group.is_empty:
            ops.append(["drop", group.key])

    def _make_view(self, part: Json) -> View:
        self._serial += 1
        key, context = f"{self.key}.{self._serial}", self._context()
        if part.get("type") == "tool":
            return ToolView(key, part, context, lambda session: self._turn.children.get(session, []), self._child)
        kinds: dict[Any, Callable[..., View]] = {"text": TextView, "reasoning": ReasoningView}
        return kinds.get(layout.kind(part, context), OtherView)(key, part, context)

    def _child(self, turn: TurnState, key: str) -> LiveTurn:
        return LiveTurn(turn, actions=False, key=key, nested=True, look=self.look)

    @property
    def _columns(self) -> int:
        return self.look.columns if self.look.heard else 0

    def _context(self) -> Context:
        return layout.context(self._turn, self._columns)

    # Containers around the parts

    def _article(self, parts: Html) -> Html:
        inner = [
            self._slot("a"),
            element("div", parts, style="parts", data_key=f"{self.key}p"),
            *(self._slot(name) for name in "bc"),
            self._requests.html(),
            *(self._slot(name) for name in "defg"),
        ]
        return element("article", join(inner), style="turn", data_message=self._turn.id, data_key=self.key)

    def _slot(self, name: str) -> Html:
        return element("div", self._slots[name], data_key=f"{self.key}{name}")

    def _contents(self) -> dict[str, Html]:
        turn = self._turn
        own = {"b": layout.decisions_html(turn), "c": layout.error_html(turn, again=self._again and self.look.heard)}
        if self._nested:
            return {**own, "f": layout.retry_html(turn)}
        return {
            "a": layout.prompt_html(turn) if self._prompt else NOTHING,
            **own,
            "d": join([layout.changes_html(turn, f"{self.key}d", self._columns), layout.kernel_html(turn, self.key)]),
            "e": layout.todos_html(turn),
            "f": layout.status_html(turn, actions=self._actions and self.look.heard),
            "g": join([layout.footer_html(turn), layout.sent_html(turn, f"{self.key}g"), layout.replay_html(turn)]),
        }

    def _update_slots(self, ops: list[Op]) -> None:
        for name, html in self._contents().items():
            if html != self._slots[name]:
                self._slots[name] = html
                ops.append(["put", f"{self.key}{name}", self.key, self._slot(name)])


def turn_html(turn: TurnState, *, provenance: Json | None = None, title: str = "") -> Html:
    """Render the whole turn as static markup: no scripts, only inline styles, nothing that a sanitizer removes.

    `title` goes above it; `provenance`, names and values, folded below it.
    """
    pieces = [
        element("div", escape(title), style="title") if title else NOTHING,
        element("div", _parts_html(turn), style="parts"),
        layout.decisions_html(turn),
        layout.error_html(turn),
        layout.changes_html(turn),
        layout.kernel_html(turn),
        layout.footer_html(turn),
        layout.sent_html(turn),
        layout.replay_html(turn),
        layout.provenance_html(provenance) if provenance else NOTHING,
    ]
    article = element("article", join(pieces), style="turn", data_message=turn.id, data_status=turn.status)
    return element("div", article, style="root", classes=ROOT_CLASSES, data_view="turn")


def _parts_html(turn: TurnState) -> Html:
    return join(_run_html(turn, run) for run in layout.runs(turn))


def _run_html(turn: TurnState, run: list[Json]) -> Html:
    content = join(_part_html(turn, part) for part in run)
    if not is_exploring(run[0]):
        return content
    return layout.group_html([describe(part, layout.context(turn)) for part in run], content)


def _part_html(turn: TurnState, part: Json) -> Html:
    context = layout.context(turn)
    match layout.kind(part, context):
        case "text":
            return layout.text_html(to_html(str(part["text"])))
        case "reasoning":
            return layout.reasoning_html(part, to_html(str(part["text"])), thinking=False)
        case "tool":
            card = describe(part, context)
            return card_html(card, child=_children_html(turn.children.get(card.child_session, [])))
    return layout.other_html(part, context)


def _children_html(turns: list[TurnState]) -> Html | None:
    pieces = [
        piece for turn in turns for piece in (_parts_html(turn), layout.decisions_html(turn), layout.error_html(turn))
    ]
    return join(pieces) if turns else None
