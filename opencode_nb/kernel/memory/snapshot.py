"""Snapshot: all bindings at one moment, and shallow copies of the objects that hang on them, within a budget."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from opencode_nb.kernel.memory.budget import Budget, Meter
from opencode_nb.kernel.memory.families import Family
from opencode_nb.kernel.memory.places import Place
from opencode_nb.kernel.memory.policy import Policy, process_dicts
from opencode_nb.kernel.memory.types import is_leaf

Key = tuple[str, str]
"""A place's title, and a name in it."""

VARIABLE = "variable"


@dataclass(frozen=True, slots=True)
class Node:
    """A tracked object, and a copy of what it held. `holds`: whether there is anything in it that can change."""

    value: Any
    family: Family
    copy: Any
    holds: bool

    @property
    def children(self) -> Collection[Any]:
        """The objects that it holds, if any of them can change."""
        return self.family.children(self.copy) if self.holds else ()

    def same(self, other: Node) -> bool:
        """Return whether the object held the same then; not where a library cannot compare it."""
        try:
            return self.family is other.family and self.family.same(self.copy, other.copy)
        except Exception:  # whatever a library raises about odd data
            return False


class Snapshot:
    """Bindings and copies. `over` are objects that did not fit the budget, `untracked` those that cannot be copied.

    It keeps all objects alive: the ids stay valid as long as it exists.
    """

    def __init__(self, bindings: dict[Key, Any]) -> None:
        self.bindings = bindings
        self.nodes: dict[int, Node] = {}
        self.over: dict[int, Any] = {}
        self.untracked: dict[int, Any] = {}
        self.copied = 0
        """Bytes of all copies, without those that a library shares until a change."""

    def __contains__(self, key: int) -> bool:
        return key in self.nodes or key in self.over or key in self.untracked

    @property
    def variables(self) -> dict[str, Any]:
        """The variables by name."""
        return {name: value for (place, name), value in self.bindings.items() if place == VARIABLE}

    def changed(self, since: Snapshot) -> set[int]:
        """Return the ids of objects that are in both, and hold something else now."""
        both = self.nodes.keys() & since.nodes.keys()
        pairs = ((key, self.nodes[key], since.nodes[key]) for key in both)
        return {key for key, now, then in pairs if now is not then and not now.same(then)}

    def share(self, other: Snapshot, changed: set[int]) -> None:
        """Use the copies of another snapshot for all but the changed objects, and let go of the own ones."""
        for key in self.nodes.keys() & other.nodes.keys() - changed:
            node = self.nodes[key] = other.nodes[key]
            self.copied -= 0 if node.family.shared else node.family.cost(node.value)

    def names(self, objects: Iterable[int]) -> set[str]:
        """Return the variables that hold one of these objects, directly or through others."""
        queue, seen, found = deque(objects), set(), set()
        while queue:
            key = queue.popleft()
            if key not in seen:
                seen.add(key)
                found |= self._named.get(key, set())
                queue += self._holders.get(key, ())
        return found

    def held(self, names: Iterable[str]) -> set[int]:
        """Return the tracked objects that these variables hold, directly or through others."""
        variables = self.variables
        queue, seen = deque(id(variables[name]) for name in names if name in variables), set[int]()
        while queue:
            key = queue.popleft()
            if key in self and key not in seen:
                seen.add(key)
                node = self.nodes.get(key)
                queue += map(id, node.children) if node else ()
        return seen

    @cached_property
    def _named(self) -> Mapping[int, set[str]]:
        named = defaultdict[int, set[str]](set)
        for name, value in self.variables.items():
            named[id(value)].add(name)
        return named

    @cached_property
    def _holders(self) -> Mapping[int, list[int]]:
        holders = defaultdict[int, list[int]](list)
        for key, node in self.nodes.items():
            for child in node.children:
                if id(child) in self:
                    holders[id(child)].append(key)
        return holders


def take(places: Mapping[str, Place], budget: Budget, also: Iterable[Any] = (), skip: Iterable[int] = ()) -> Snapshot:
    """Take a snapshot of all places and what hangs on the variables, and of the objects in `also`.

    Goes breadth first: where the budget ends, each variable's own content is kept rather than one variable's depth.
    """
    bindings = {(title, name): value for title, place in places.items() for name, value in place.read().items()}
    snapshot = Snapshot(bindings)
    meter = Meter(budget)
    _Walk(snapshot, meter, {*skip} | process_dicts()).run([*snapshot.variables.values(), *also])
    snapshot.copied = meter.copied
    return snapshot


class _Walk:
    def __init__(self, snapshot: Snapshot, meter: Meter, skip: set[int]) -> None:
        self._snapshot, self._meter, self._skip = snapshot, meter, skip
        self._policy = Policy()
        self._leaves: dict[int, type[Any]] = {}
        self._queue = deque[Any]()

    def run(self, roots: Iterable[Any]) -> None:
        self._queue += roots
        while self._queue:
            value = self._queue.popleft()
            if id(value) not in self._snapshot and id(value) not in self._skip:
                self._look(value)

    def _look(self, value: Any) -> None:
        try:
            family, is_fixed = self._policy.family(value)
            if family is not None:
                self._copy(value, family)
            elif not is_fixed:
                self._snapshot.untracked[id(value)] = value
        except Exception:  # whatever a library raises about a value that it cannot copy: the report names it
            self._snapshot.untracked[id(value)] = value

    def _copy(self, value: Any, family: Family) -> None:
        if not self._meter.takes(family.cost(value), shared=family.shared):
            self._snapshot.over[id(value)] = value
            return
        copy = family.copy(value)
        children = family.children(copy)
        node = self._snapshot.nodes[id(value)] = Node(value, family, copy, not self._are_leaves(children))
        self._queue += node.children

    def _are_leaves(self, values: Collection[Any]) -> bool:
        """Return whether none of the values can change: millions of numbers are not looked at one by one."""
        kinds = {*map(id, map(type, values))}
        if not kinds <= self._leaves.keys():
            types = {id(of): of for of in map(type, values)}
            self._leaves |= {key: of for key, of in types.items() if is_leaf(of)}
        return kinds <= self._leaves.keys()
