"""Bring a namespace from one snapshot to another, but for what somebody changed since.

Undo and redo are the same act with the snapshots exchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opencode_nb.diffs.memory import Restored
from opencode_nb.kernel.memory.compare import bound, label, same_value, unseen, value
from opencode_nb.kernel.memory.places import Place
from opencode_nb.kernel.memory.snapshot import Key, Snapshot

CHANGED = "you changed it since"
UNKNOWN = "it is too big to tell whether you changed it since"


@dataclass(slots=True)
class Plan:
    """What to restore: names, and objects in place. `refused` says why names are left alone.

    `over` and `untracked` are variables whose content was not copied on one of the sides.
    """

    names: list[Key]
    objects: set[int]
    over: set[str]
    untracked: set[str]
    refused: dict[str, str] = field(default_factory=dict)


def plan(goal: Snapshot, since: Snapshot, now: Snapshot, left: Mapping[str, str]) -> Plan:
    """Return what to do to come to `goal`, if all was as in `since`; `now` is how it is.

    `left` are names to leave alone, each with the reason.
    """
    over, untracked = (unseen(goal, why) | unseen(since, why) for why in ("over", "untracked"))
    changes = Plan(bound(goal, since), goal.changed(since), over, untracked, dict(left))
    users = now.changed(since)
    unknown = changes.objects - now.nodes.keys()
    _refuse_names(changes, since, now)
    _refuse_holders(changes, (goal, since), users, CHANGED)
    _refuse_holders(changes, (goal, since), unknown, UNKNOWN)
    _spread(changes, (goal, since))
    changes.names = [key for key in changes.names if label(key) not in changes.refused]
    return changes


def _refuse_names(changes: Plan, since: Snapshot, now: Snapshot) -> None:
    for key in changes.names:
        if not same_value(value(now, key), value(since, key)):
            changes.refused[label(key)] = CHANGED


def _refuse_holders(changes: Plan, sides: Iterable[Snapshot], objects: set[int], reason: str) -> None:
    """Refuse the changed names that hold one of these objects: what hangs on a name is restored whole or not at all."""
    concerned = {label(key) for key in changes.names}
    for side in sides:
        concerned |= side.names(changes.objects)
    for side in sides:
        for name in sorted(side.names(objects) & concerned):
            changes.refused.setdefault(name, reason)
    changes.objects -= objects


def _spread(changes: Plan, sides: tuple[Snapshot, ...]) -> None:
    """Leave alone what a refused name holds, and refuse the names that share it."""
    while True:
        left = {key for side in sides for key in side.held(changes.refused)} & changes.objects
        if not left:
            return
        changes.objects -= left
        for side in sides:
            for name in sorted(side.names(left)):
                changes.refused.setdefault(name, "it shares an object with one that you changed since")


def carry_out(changes: Plan, goal: Snapshot, places: Mapping[str, Place]) -> Restored:
    """Restore objects in place, then names."""
    refused = dict(changes.refused)
    done = {key for key in changes.objects if _put(key, goal, refused)}
    names = [label(key) for key in changes.names if _write(key, goal, places, refused)]
    restored = dict.fromkeys([*names, *sorted(goal.names(done))])
    return Restored(
        tuple(name for name in restored if name not in refused),
        tuple(sorted(refused.items())),
        over_budget=tuple(sorted(changes.over)),
        not_tracked=tuple(sorted(changes.untracked)),
    )


def _put(key: int, goal: Snapshot, refused: dict[str, str]) -> bool:
    node = goal.nodes[key]
    try:
        node.family.put(node.value, node.copy)
    except Exception as error:  # whatever a library raises: the report names it
        refused.update(dict.fromkeys(goal.names([key]), f"it could not be restored: {type(error).__name__}"))
        return False
    return True


def _write(key: Key, goal: Snapshot, places: Mapping[str, Place], refused: dict[str, str]) -> bool:
    place, name = key
    try:
        places[place].write(name, value(goal, key))
    except Exception as error:  # a directory that is gone, a variable that the system refuses
        refused[label(key)] = f"it could not be restored: {type(error).__name__}"
        return False
    return True
