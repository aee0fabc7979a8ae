"""Count todos, the same way in every place: cancelled ones are neither done nor open."""

from __future__ import annotations

from collections.abc import Iterable

from opencode_nb.render.turn.card_model import Json

CANCELLED = "cancelled"


def counts(todos: Iterable[Json]) -> tuple[int, int]:
    """Return how many todos are done, and how many there are to do in all."""
    wanted = [todo.get("status") for todo in todos if todo.get("status") != CANCELLED]
    return wanted.count("completed"), len(wanted)


def progress(todos: list[Json]) -> str:
    """Return a phrase such as `1 of 2 done, 1 cancelled`."""
    done, wanted = counts(todos)
    cancelled = len(todos) - wanted
    phrases = [f"{done} of {wanted} done" if wanted else "", f"{cancelled} cancelled" if cancelled else ""]
    return ", ".join(phrase for phrase in phrases if phrase) or "0 of 0 done"


def current(todos: Iterable[Json]) -> str:
    """Return what is being done now, or ""."""
    return next((str(todo.get("content") or "") for todo in todos if todo.get("status") == "in_progress"), "")
