"""Families of types: how to copy what an object holds, compare two copies, and put one back into the object.

A copy is shallow: it refers to the same inner objects, which have copies of their own. So aliases stay aliases.
Methods of the builtin types are called on the type, so that a subclass's own methods never run.
"""

from __future__ import annotations

import random
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable
from typing import Any, Protocol

from opencode_nb.kernel.memory.types import UNSET, attributes, members_of, mro_of, same_items, slots


class Family(Protocol):
    """What must be known about a type to track its objects. `put` restores in place."""

    @property
    def shared(self) -> bool:
        """Whether a copy costs memory only when the object is changed."""

    def cost(self, value: Any) -> int:
        """Return the size of a copy, in bytes."""

    def copy(self, value: Any) -> Any:
        """Copy what the object holds. Raises any exception if it cannot be done."""

    def put(self, value: Any, copy: Any) -> None:
        """Make the object hold what the copy holds; the copy stays usable."""

    def same(self, one: Any, other: Any) -> bool:
        """Return whether two copies of one object are equal."""

    def children(self, copy: Any) -> Collection[Any]:
        """Return the objects that it holds."""

    def shape(self, copy: Any) -> str:
        """Return its size for people, such as "891x12" or "length 3"; "" for none."""


class Fixed:
    """An immutable container: it never changes, what it holds may."""

    shared = False

    def cost(self, value: Any) -> int:
        """Cost nothing: the container itself is kept."""
        return 0

    def copy(self, value: Any) -> Any:
        """Return the items."""
        return tuple.__getitem__(value, slice(None)) if isinstance(value, tuple) else tuple(frozenset().union(value))

    def put(self, value: Any, copy: Any) -> None:
        """Do nothing."""

    def same(self, one: Any, other: Any) -> bool:
        """Return True."""
        return True

    def children(self, copy: Any) -> Collection[Any]:
        """Return the items."""
        return copy  # type: ignore[no-any-return]

    def shape(self, copy: Any) -> str:
        """Return the number of items."""
        return f"length {len(copy)}"


class Sequences(Fixed):
    """Lists, deques and bytearrays: copied into a list, or into bytes."""

    def __init__(self, of: Any, into: Any = list) -> None:
        self._of, self._into = of, into

    def cost(self, value: Any) -> int:
        """Return the memory of the object itself."""
        return int(self._of.__sizeof__(value))

    def copy(self, value: Any) -> Any:
        """Return the items in order."""
        if self._of is deque:
            return list(self._of.__iter__(value))
        return self._into(self._of.__getitem__(value, slice(None)))

    def put(self, value: Any, copy: Any) -> None:
        """Replace all items."""
        self._of.clear(value)
        self._of.extend(value, copy)

    def same(self, one: Any, other: Any) -> bool:
        """Compare item by item."""
        return one == other if self._into is bytes else same_items(one, other)

    def children(self, copy: Any) -> Collection[Any]:
        """Return the items."""
        return () if self._into is bytes else copy


class Mappings(Fixed):
    """Dicts. Copying and updating use the stored hashes: no key's own code runs."""

    def cost(self, value: Any) -> int:
        """Return the memory of the dict itself."""
        return dict.__sizeof__(value)

    def copy(self, value: Any) -> Any:
        """Return a plain dict. Raises TypeError if that would run the user's code."""
        iterates = next(of for of in mro_of(type(value)) if "__iter__" in members_of(of))
        return dict.copy(value) if iterates is dict else _rebuilt(value, dict.__iter__(value))

    def put(self, value: Any, copy: Any) -> None:
        """Replace all items, in their old order."""
        dict.clear(value)
        dict.update(value, copy)

    def same(self, one: Any, other: Any) -> bool:
        """Compare item by item; the order counts."""
        return same_items(list(one), list(other)) and same_items(list(one.values()), list(other.values()))

    def children(self, copy: Any) -> Collection[Any]:
        """Return keys and values."""
        return [*copy, *copy.values()]


class Ordered(Mappings):
    """OrderedDicts, which keep an order of their own beside the dict."""

    def put(self, value: Any, copy: Any) -> None:
        """Replace all items, in their old order."""
        OrderedDict.clear(value)
        OrderedDict.update(value, copy)

    def copy(self, value: Any) -> Any:
        """Return a plain dict in the right order. Raises TypeError for keys whose own code would run."""
        return _rebuilt(value, OrderedDict.__iter__(value))


def _rebuilt(value: Any, order: Iterable[Any]) -> dict[Any, Any]:
    """Return the items in this order. Hashes the keys, so it takes only those of builtin types."""
    keys = list(order)
    if not _are_plain(keys):
        raise TypeError
    return {key: dict.__getitem__(value, key) for key in keys}


class Sets(Fixed):
    """Sets. Copying and updating use the stored hashes."""

    def cost(self, value: Any) -> int:
        """Return the memory of the set itself."""
        return set.__sizeof__(value)

    def copy(self, value: Any) -> Any:
        """Return a frozen set."""
        return frozenset().union(value)

    def put(self, value: Any, copy: Any) -> None:
        """Replace all items."""
        set.clear(value)
        set.update(value, copy)

    def same(self, one: Any, other: Any) -> bool:
        """Compare by the items' identity; equal numbers and texts count as the same."""
        if {*map(id, one)} == {*map(id, other)}:
            return True
        return same_items(sorted(one, key=repr), sorted(other, key=repr)) if _are_plain(one, other) else False


def _are_plain(*many: Iterable[Any]) -> bool:
    return all(type(item) in (str, int, bytes, float, bool) for items in many for item in items)


class Instances:
    """Objects of classes written in Python: their attributes, their slots, and what a builtin base class holds."""

    shared = False

    def __init__(self, base: Family | None) -> None:
        self._base = base

    def cost(self, value: Any) -> int:
        """Return the memory of what the base class holds, and a little."""
        return 64 + (self._base.cost(value) if self._base else 0)

    def copy(self, value: Any) -> Any:
        """Return what the base class holds, the attributes' dict itself (which has a copy of its own), the slots."""
        return (self._base.copy(value) if self._base else None), attributes(value), slots(value)

    def put(self, value: Any, copy: Any) -> None:
        """Put it all back; the attributes' dict is an object of its own."""
        base, own, kept = copy
        if self._base:
            self._base.put(value, base)
        if own is not None and attributes(value) is not own:
            object.__setattr__(value, "__dict__", own)
        for member, content in kept:
            _put_slot(member, value, content)

    def same(self, one: Any, other: Any) -> bool:
        """Compare the base's part, the identity of the attributes' dict, and the slots."""
        if self._base and not self._base.same(one[0], other[0]):
            return False
        return one[1] is other[1] and same_items([kept for _, kept in one[2]], [kept for _, kept in other[2]])

    def children(self, copy: Any) -> Collection[Any]:
        """Return the attributes' dict, the slots' values, and what the base class holds."""
        base, own, kept = copy
        inner = self._base.children(base) if self._base else ()
        return [*([] if own is None else [own]), *(content for _, content in kept if content is not UNSET), *inner]

    def shape(self, copy: Any) -> str:
        """Return the size of the base's part."""
        return self._base.shape(copy[0]) if self._base else ""


def _put_slot(member: Any, value: object, content: object) -> None:
    if content is not UNSET:
        member.__set__(value, content)
    elif _is_set(member, value):
        member.__delete__(value)


def _is_set(member: Any, value: object) -> bool:
    try:
        member.__get__(value)
    except AttributeError:
        return False
    return True


class Generators(Fixed):
    """`random.Random`: the state of the generator."""

    def copy(self, value: Any) -> Any:
        """Return the state."""
        return random.Random.getstate(value)

    def put(self, value: Any, copy: Any) -> None:
        """Set the state."""
        random.Random.setstate(value, copy)

    def same(self, one: Any, other: Any) -> bool:
        """Compare the states."""
        return bool(one == other)

    def children(self, copy: Any) -> Collection[Any]:
        """Return nothing."""
        return ()

    def shape(self, copy: Any) -> str:
        """Return ""."""
        return ""


FIXED, LISTS, DICTS, SETS = Fixed(), Sequences(list), Mappings(), Sets()
DEQUES, BYTES = Sequences(deque), Sequences(bytearray, bytes)
PLAIN = Instances(None)

BASES: dict[int, Family | None] = {
    **{id(base): None for base in (object, int, float, complex, str, bytes, BaseException)},
    **{id(base): FIXED for base in (tuple, frozenset)},
    id(list): LISTS,
    id(dict): DICTS,
    id(defaultdict): DICTS,
    id(set): SETS,
    id(deque): DEQUES,
    id(bytearray): BYTES,
}
"""What the builtin part of an object is of, by the id of the builtin class."""

INSTANCES = {key: PLAIN if family is None else Instances(family) for key, family in BASES.items()}
"""The family of a class written in Python, by the id of its builtin base class."""

EXACT: dict[int, Family] = {
    **{key: family for key, family in BASES.items() if family is not None},
    id(OrderedDict): Ordered(),
    id(Counter): DICTS,
    id(random.Random): Generators(),
    id(types.SimpleNamespace): PLAIN,
}
"""The family of a type, by its id."""
