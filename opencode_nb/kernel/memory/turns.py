"""The checkpoints of the last turns, by turn, for undo and redo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from opencode_nb.diffs.memory import KernelChanges, Restored
from opencode_nb.kernel.memory.budget import Budget
from opencode_nb.kernel.memory.checkpoint import Checkpoint

KEPT = 10
"""Number of turns whose checkpoints are kept."""

KEPT_BYTES = 1024 * 1024 * 1024
"""Bytes of copies kept for all turns together; the latest turn's are always kept."""

DROPPED = (
    "Not restored in the kernel: it has no copies for this turn. It keeps those of the last "
    f"{KEPT} turns, up to 1 GB, until it is restarted."
)

Run = Callable[[Callable[[], Restored]], Awaitable[Restored]]
"""Runs a function where the user's code runs, and returns what it returns."""


@dataclass(slots=True)
class _Kept:
    """A turn's checkpoints: its first one, and one for each time that the user changed something between two runs.

    `earlier` is what the turn changed before its last checkpoint.
    """

    checkpoints: list[Checkpoint]
    earlier: KernelChanges = field(default_factory=KernelChanges)
    changes: KernelChanges = field(default_factory=KernelChanges)
    is_undone: bool = False

    def compare(self) -> KernelChanges:
        """Return what the turn has changed so far."""
        self.changes = self.earlier + self.checkpoints[-1].compare()
        return self.changes

    def go_on(self, checkpoint: Checkpoint) -> None:
        """Leave alone what the user changed since the last `compare`."""
        self.earlier = self.changes
        self.checkpoints.append(checkpoint)

    def switch(self, *, back: bool) -> Restored:
        """Restore, or redo."""
        self.is_undone = back
        acts = [one.restore for one in reversed(self.checkpoints)] if back else [one.redo for one in self.checkpoints]
        return reduce(add, (act() for act in acts))

    @property
    def size(self) -> int:
        return sum(checkpoint.size for checkpoint in self.checkpoints)


class Turns:
    """Checkpoints of one session's turns in one namespace. `before` and `after` run on the user's thread.

    `run` brings an undo to that thread; by default it runs on another one, for a user's thread that waits.
    """

    def __init__(
        self, namespace: MutableMapping[str, Any], run: Run = asyncio.to_thread, budget: Budget | None = None
    ) -> None:
        self._namespace, self._run, self._budget = namespace, run, budget
        self._kept: dict[str, _Kept] = {}

    def __contains__(self, turn: object) -> bool:
        return turn in self._kept

    def before(self, turn: str) -> None:
        """Take the turn's checkpoint, or another if the user changed something. Call before the agent's code runs."""
        kept = self._kept.get(turn)
        if kept is None:
            self._kept[turn] = _Kept([self._checkpoint()])
        elif kept.size < KEPT_BYTES and kept.checkpoints[-1].is_overtaken():
            kept.go_on(self._checkpoint())

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(self._namespace, self._budget)

    def after(self, turn: str) -> KernelChanges:
        """Return what the turn has changed so far. Call after each run of the agent's code."""
        changes = self._kept[turn].compare()
        self._let_go()
        return changes

    async def undo(self, turns: Sequence[str]) -> Restored:
        """Take back what these turns changed: give the latest first. Turns that are undone already are left alone."""
        return await self._run(lambda: self._switch(turns, back=True))

    async def redo(self, turns: Sequence[str]) -> Restored:
        """Bring back what undone turns changed: give the earliest first."""
        return await self._run(lambda: self._switch(turns, back=False))

    def _switch(self, turns: Iterable[str], *, back: bool) -> Restored:
        result = Restored()
        for turn in turns:
            kept = self._kept.get(turn)
            if kept is None:
                result += Restored(note=DROPPED)
            elif kept.is_undone is not back:
                result += kept.switch(back=back)
        return result

    def _let_go(self) -> None:
        """Drop the oldest checkpoints beyond what is kept."""
        while len(self._kept) > 1 and (len(self._kept) > KEPT or self._bytes > KEPT_BYTES):
            del self._kept[next(iter(self._kept))]

    @property
    def _bytes(self) -> int:
        return sum(kept.size for kept in self._kept.values())
