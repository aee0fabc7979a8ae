"""Listeners: functions that are called with one kind of a session's updates each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from opencode_nb.session.turn import Turn
from opencode_nb.transcript.messages import Change
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.tool_call import ToolCall
from opencode_nb.transcript.transcript import Transcript
from opencode_nb.transcript.updates import Update, Updates

log = logging.getLogger("opencode_nb")


class Listeners(TypedDict, total=False):
    """What to call with what, on the package's loop thread.

    `on_text` and `on_reasoning`: new pieces of an answer's text and of its reasoning. `on_tool`: a tool call, as it is
    now, at each of its updates. `on_todos`: all todos. `on_permission` and `on_question`: a request that waits, as the
    server sent it. `on_usage`: what a step of the model used, `{"cost", "tokens"}`. `on_title`: the session's new
    title. `on_mode`: the name of the agent that answers now. `on_turn_complete`: a turn that has ended, however it has.
    """

    on_text: Callable[[str], object] | None
    on_reasoning: Callable[[str], object] | None
    on_tool: Callable[[ToolCall], object] | None
    on_todos: Callable[[list[Json]], object] | None
    on_permission: Callable[[Json], object] | None
    on_question: Callable[[Json], object] | None
    on_usage: Callable[[Json], object] | None
    on_title: Callable[[str], object] | None
    on_mode: Callable[[str], object] | None
    on_turn_complete: Callable[[Turn], object] | None


def check(listeners: Mapping[str, object]) -> None:
    """Raise TypeError for an unknown listener, or one that cannot be called."""
    for name, listener in listeners.items():
        if name not in Listeners.__annotations__:
            raise TypeError(f"Unknown listener {name!r}. Use one of: {', '.join(Listeners.__annotations__)}.")
        if listener is not None and not callable(listener):
            raise TypeError(f"{name} must be a function, not {type(listener).__name__}.")


def caller(
    transcript: Transcript, listeners: Mapping[str, Any], turn: Callable[[TurnState], Turn]
) -> Callable[[Change], None]:
    """Return a function that calls the listeners with what a change brings. Raises TypeError as `check` does.

    A listener that raises is logged, and called again with the next update.
    """
    check(listeners)
    called = {name.removeprefix("on_"): listener for name, listener in listeners.items() if listener is not None}
    updates = Updates(transcript)

    def call(change: Change) -> None:
        for update in updates.of(change):
            if (listener := called.get(update.kind)) is not None:
                try:
                    listener(_argument(update, transcript, turn))
                except Exception:
                    log.exception("on_%s of session %s failed", update.kind, transcript.id)

    return call


def _argument(update: Update, transcript: Transcript, turn: Callable[[TurnState], Turn]) -> Any:
    """Return what a listener is called with."""
    if update.kind == "turn_complete":
        return turn(transcript.turns[update.turn])
    if update.kind == "tool":
        return update.tool
    return list(update.todos) if update.kind == "todos" else update.text or update.value
