"""What a prompt of a map is answered with, and the same again from what was kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from opencode_nb.many.changes import BetweenTrees, Changes, of_json
from opencode_nb.many.kept import restored
from opencode_nb.recording.turns import as_json
from opencode_nb.results.schema import Schema
from opencode_nb.session.turn import Turn, expect
from opencode_nb.session.turns.detached import Detached
from opencode_nb.spending.steps import Spent
from opencode_nb.transcript.state import Json

Reopen = Callable[..., Any]
"""Opens a session by `id=`, at once: that of a blocking `Opencode`."""


class Answered(NamedTuple):
    """A turn that has ended well, and what finds its changes."""

    turn: Turn
    changes: Changes


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Makes turns whose session is let go. `reopen` opens a session again; None if that has to be awaited."""

    reopen: Reopen | None
    environment: Mapping[str, str]

    def detached(self, session_id: str, version: str, changes: Changes) -> Detached:
        """Return what a turn keeps of its session. One that ran in a worktree cannot go on: its directory is gone."""
        reopen = None if isinstance(changes, BetweenTrees) else self.reopen
        return Detached(session_id, version, changes, reopen and partial(reopen, id=session_id))

    def of_json(self, kept: Json, schema: Schema | None) -> tuple[Answered, list[Spent]]:
        """Return an answer again, and what it spent. `schema` is what it must be."""
        changes = of_json(kept["changes"], self.environment)
        state, spent = restored(kept["turn"])
        turn = Turn(state, self.detached(state.session_id, kept["version"], changes), _over())
        if schema is not None:
            expect(turn, schema)
        return Answered(turn, changes), spent


def to_json(answer: Answered) -> Json:
    """Return an answer as JSON."""
    version = answer.turn.provenance["opencode"]
    return {"turn": as_json(answer.turn.state), "version": version, "changes": answer.changes.kept}


def _over() -> Future[None]:
    """Return the future of a turn that has ended."""
    done: Future[None] = Future()
    done.set_result(None)
    return done
