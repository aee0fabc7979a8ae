"""Compare two snapshots: which names and objects changed, in words."""

from __future__ import annotations

from opencode_nb.diffs.memory import How, KernelChanges, VariableChange
from opencode_nb.kernel.memory.places import MISSING
from opencode_nb.kernel.memory.snapshot import VARIABLE, Key, Snapshot
from opencode_nb.kernel.memory.types import package, same, type_name


def same_value(one: object, other: object, depth: int = 3) -> bool:
    """Return whether two values of a name are the same: the same object, or equal and immutable, also in tuples."""
    if type(one) is tuple and type(other) is tuple and depth and len(one) == len(other):
        return one is other or all(same_value(*pair, depth - 1) for pair in zip(one, other, strict=True))
    return same(one, other)


def bound(before: Snapshot, after: Snapshot) -> list[Key]:
    """Return the names in all places that are bound to something else, new, or gone; in order."""
    keys = [key for key in {**before.bindings, **after.bindings} if not _came_with_library(key, before, after)]
    return [key for key in keys if not same_value(value(before, key), value(after, key))]


def _came_with_library(key: Key, before: Snapshot, after: Snapshot) -> bool:
    """Return whether a setting is on one side only, as its library was imported in between: nothing to take back."""
    return key[0] not in (VARIABLE, "environment variable") and (key in before.bindings) != (key in after.bindings)


def value(snapshot: Snapshot, key: Key) -> object:
    """Return the value of a name; MISSING if there is none."""
    return snapshot.bindings.get(key, MISSING)


def label(key: Key) -> str:
    """Return the name of a variable, or of a place with its name: "environment variable HOME"."""
    place, name = key
    return name if place == VARIABLE else f"{place} {name}".rstrip()


def compare(before: Snapshot, after: Snapshot) -> KernelChanges:
    """Return what changed from one snapshot to the other."""
    names = bound(before, after)
    changed = after.changed(before)
    in_place = {(VARIABLE, name) for name in after.names(changed) | before.names(changed)} - {*names}
    there = [key for key in after.bindings if key in in_place or key in names]
    gone = [key for key in names if key not in after.bindings]
    return KernelChanges(
        variables=tuple(_described(before, after, key, in_place) for key in [*there, *gone] if key[0] == VARIABLE),
        environment=tuple(label(key) for key in names if key[0] != VARIABLE),
        untracked=tuple(sorted(unseen(before, "untracked") | unseen(after, "untracked"))),
        over_budget=tuple(sorted(unseen(before, "over") | unseen(after, "over"))),
    )


def unseen(snapshot: Snapshot, why: str) -> set[str]:
    """Return the variables that hold something that is `untracked`, or `over` the budget."""
    return snapshot.names(getattr(snapshot, why))


def _described(before: Snapshot, after: Snapshot, key: Key, in_place: set[Key]) -> VariableChange:
    old, new = value(before, key), value(after, key)
    how: How = "changed in place" if key in in_place else "rebound"
    how = "new" if old is MISSING else "deleted" if new is MISSING else how
    kind = kind_of(old if new is MISSING else new)
    return VariableChange(key[1], how, kind, _shape(before, old), _shape(after, new))


def kind_of(value: object) -> str:
    """Return the name of a value's type, with its package if it has one."""
    of = type(value)
    return type_name(of) if package(of) in ("builtins", "__main__", "") else f"{package(of)}.{type_name(of)}"


def _shape(snapshot: Snapshot, value: object) -> str:
    node = snapshot.nodes.get(id(value))
    return node.family.shape(node.copy) if node else ""
