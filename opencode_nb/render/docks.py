"""What stands below a conversation until it is done with: todos with their progress, and undone messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opencode_nb.render import cards
from opencode_nb.render.escaping import NOTHING, Html, element, escape, join
from opencode_nb.render.tools import Checklist, Json, shorten

if TYPE_CHECKING:
    from opencode_nb.conversation.state import TurnState

_LONG_LINE = 90
_DONE = ("completed", "cancelled")


def todos_html(todos: list[Json], *, busy: bool) -> Html:
    """The list, folded, under a line that tells how far it is; nothing where all is done and the agent rests."""
    done = sum(todo.get("status") in _DONE for todo in todos)
    if not todos or (done == len(todos) and not busy):
        return NOTHING
    current = next((todo for todo in todos if todo.get("status") == "in_progress"), None)
    now = f", now: {current.get('content') or ''}" if current else ""
    title = [
        element("span", escape("\u25d0"), style="glyph"),
        element("span", escape("Todos"), style="name"),
        element("span", escape(f"{done} of {len(todos)} done{now}")),
    ]
    bar = element("progress", NOTHING, max=str(len(todos)), value=str(done), aria_label="Todos done", style="progress")
    summary = element("summary", join([*title, bar], Html(" ")), style="summary")
    content = cards.block_html(Checklist(todos))
    return element("details", join([summary, content]), style="card", data_part="todos", data_fold="todos")


def undone_html(undone: list[TurnState]) -> Html:
    """The messages that were taken back, and the way to have them again."""
    if not undone:
        return NOTHING
    texts = [shorten(" ".join(_words(turn).split()), _LONG_LINE) for turn in undone]
    title = f"{len(undone)} message{'' if len(undone) == 1 else 's'} undone"
    redo = element("button", escape("Redo"), style="button", type="button", data_intent="redo")
    head = element("div", join([element("span", escape(title), style="name"), redo], Html(" ")), style="line")
    lines = [element("div", escape(text), style="struck wrap") for text in texts if text]
    note = element("div", escape("They are gone for good with the next message."), style="muted small")
    return element(
        "div", join([head, element("div", join([*lines, note]), style="body")]), style="notice", data_part="undone"
    )


def _words(turn: TurnState) -> str:
    parts = turn.prompt.parts.values() if turn.prompt else ()
    return " ".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
