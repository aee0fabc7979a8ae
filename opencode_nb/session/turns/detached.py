"""Detached: what an ended turn keeps of its session when the session is let go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opencode_nb.transcript.state import TurnState

if TYPE_CHECKING:
    from opencode_nb.changes.sources import Found


@dataclass(frozen=True, slots=True)
class Detached:
    """What an ended turn keeps of its session, so that thousands of turns need little memory.

    `changes` finds what a turn of it changed. `open` opens the session again; None if that has to be awaited, as in
    `await ai.session(id=turn.session.id)`, or if the session cannot go on.
    """

    id: str
    server_version: str
    changes: Callable[[TurnState], Found] = field(repr=False)
    open: Callable[[], Any] | None = field(default=None, repr=False)
