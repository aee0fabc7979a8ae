"""The docks below a conversation: todos with their progress, and undone messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join
from opencode_nb.render.turn import cards
from opencode_nb.render.turn.card_model import Checklist, Json
from opencode_nb.render.turn.phrases import shorten
from opencode_nb.render.turn.todos import counts, current, progress

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState

_LONG_LINE = 90


def todos_html(todos: list[Json], *, busy: bool) -> Html:
    """Build the folded list under a progress line; empty if all is done and the agent is idle."""
    done, wanted = counts(todos)
    if not todos or (done == wanted and not busy):
        return NOTHING
    now = f", now: {doing}" if (doing := current(todos)) else ""
    title = [
        element("span", escape("\u25d0"), style="glyph"),
        element("span", escape("Todos"), style="name"),
        element("span", escape(f"{progress(todos)}{now}")),
    ]
    bar = element("progress", NOTHING, max=str(wanted or 1), value=str(done), aria_label="Todos done", style="progress")
    summary = element("summary", join([*title, bar], Html(" ")), style="summary")
    content = cards.block_html(Checklist(todos))
    return element("details", join([summary, content]), style="card", data_part="todos", data_fold="todos")


def undone_html(undone: list[TurnState]) -> Html:
    """Build the undone messages with their Redo buttons: all of them, or up to one of them."""
    if not undone:
        return NOTHING
    title = f"{len(undone)} message{'' if len(undone) == 1 else 's'} undone"
    redo = _redo("Redo", undone[-1], "")
    head = element("div", join([element("span", escape(title), style="name"), redo], Html(" ")), style="line")
    lines = [_undone_line(turn, last=turn is undone[-1]) for turn in undone]
    note = element("div", escape("The next message deletes them for good."), style="muted small")
    return element(
        "div", join([head, element("div", join([*lines, note]), style="body")]), style="notice", data_part="undone"
    )


def _undone_line(turn: TurnState, *, last: bool) -> Html:
    """Build an undone message with its Redo button; the last one needs none besides Redo for all."""
    words = shorten(" ".join(_words(turn).split()), _LONG_LINE) or "A message without text"
    redo = NOTHING if last else _redo("Redo up to here", turn, f": {words}")
    return element("div", join([element("span", escape(words), style="struck wrap"), redo], Html(" ")), style="line")


def _redo(label: str, turn: TurnState, about: str) -> Html:
    """Build the button to redo up to and including this turn; `about` is for screen readers."""
    return element(
        "button",
        escape(label),
        style="button",
        type="button",
        aria_label=label + about,
        data_intent="redo",
        data_session=turn.session_id,
        data_message=turn.id,
    )


def _words(turn: TurnState) -> str:
    parts = turn.prompt.parts.values() if turn.prompt else ()
    return " ".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
