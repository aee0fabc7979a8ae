"""Checkpoint: the state before the agent's code, what that changed, and the way back and forth."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from opencode_nb.diffs.memory import KernelChanges, Restored
from opencode_nb.kernel.memory import restore
from opencode_nb.kernel.memory.budget import Budget
from opencode_nb.kernel.memory.compare import bound, compare
from opencode_nb.kernel.memory.places import all_places
from opencode_nb.kernel.memory.snapshot import Snapshot, take


class Checkpoint:
    """The state of a namespace and of the process when it was created. Use on the thread that runs the user's code."""

    def __init__(self, namespace: MutableMapping[str, Any], budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._skip = {id(namespace)}
        self._places = all_places(namespace)
        self._before = take(self._places, self._budget, skip=self._skip)
        self._after = self._before
        self._left: dict[str, str] = {}  # what the last restore refused, and why: it was not taken away

    def compare(self) -> KernelChanges:
        """Return what changed since the checkpoint. What changes later counts as the user's: `restore` keeps it."""
        self._after = self._now(self._before)
        self._after.share(self._before, self._after.changed(self._before))
        return compare(self._before, self._after)

    def is_overtaken(self) -> bool:
        """Return whether anything changed since the last `compare`."""
        now = self._now(self._before, self._after)
        return bool(bound(self._after, now) or now.changed(self._after))

    @property
    def size(self) -> int:
        """Bytes of all copies."""
        return self._before.copied + (0 if self._after is self._before else max(0, self._after.copied))

    def restore(self) -> Restored:
        """Take back what had changed at the last `compare`, but for what the user changed since."""
        restored = self._go(self._before, self._after, {})
        self._left = dict(restored.refused)
        return restored

    def redo(self) -> Restored:
        """Bring back what `restore` took away, but for what the user changed since."""
        return self._go(self._after, self._before, self._left)

    def _go(self, goal: Snapshot, since: Snapshot, left: dict[str, str]) -> Restored:
        plan = restore.plan(goal, since, self._now(goal, since), left)
        return restore.carry_out(plan, goal, self._places)

    def _now(self, *known: Snapshot) -> Snapshot:
        """Take a snapshot that has the objects of the known ones too: a name may not hold them any more."""
        also = [node.value for snapshot in known for node in snapshot.nodes.values()]
        return take(self._places, self._budget, also, self._skip)
