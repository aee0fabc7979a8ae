"""Look at types and plain values without running the user's code: no properties, no metaclasses, no `__eq__`.

Types are recognised by their id: even hashing a class may run code of its metaclass.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import enum
import fractions
import functools
import operator
import pathlib
import re
import types
import uuid
import weakref
from collections.abc import Sequence
from typing import Any

Class = type[Any]

mro_of: Any = type.__dict__["__mro__"].__get__
"""The classes of a class in the order of inheritance, whatever its metaclass says."""

members_of: Any = type.__dict__["__dict__"].__get__
"""The own members of a class, whatever its metaclass says."""

_name_of = type.__dict__["__qualname__"].__get__
_basicsize_of = type.__dict__["__basicsize__"].__get__
_base_of = type.__dict__["__base__"].__get__

_COMPARABLE = (bool, int, str, bytes, range, datetime.date, datetime.timedelta, uuid.UUID, fractions.Fraction)
_BY_REPR = (float, complex, decimal.Decimal)  # NaN is NaN, and 0.0 is not -0.0

_CALLABLE = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.CodeType,
    property,
    classmethod,
    staticmethod,
    functools.partial,
    operator.itemgetter,
    operator.attrgetter,
)

_LEAVES = {
    id(leaf)
    for leaf in (
        *_COMPARABLE,
        *_BY_REPR,
        *_CALLABLE,
        *(type(None), type(...), type(NotImplemented), slice, types.ModuleType, weakref.ref, types.GenericAlias),
        *(datetime.datetime, datetime.time, datetime.timezone, re.Pattern, re.Match, memoryview),
        *(pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath, pathlib.PureWindowsPath),
    )
}
_COMPARABLE_IDS = {id(one) for one in _COMPARABLE}
_BY_REPR_IDS = {id(one) for one in _BY_REPR}
_IMMUTABLE_LIBRARY = re.compile(
    r"(numpy\.(?!ndarray|matrix|memmap|ma|random|rec|nditer|flatiter|char)\w+"
    r"|pandas\.(?:\w*Index|Timestamp|Timedelta|Period|Interval|\w*Dtype|NaTType|NAType|DateOffset)"
    r"|polars\.(?!DataFrame|Series)\w+)\Z"
)


def inherits(of: Class, base: Class) -> bool:
    """Return whether `of` is `base` or a subclass of it."""
    return any(one is base for one in mro_of(of))


def is_leaf(of: Class) -> bool:
    """Return whether values of this type never change, or are tracked by their names only: functions, classes."""
    return (
        id(of) in _LEAVES
        or inherits(of, type)
        or inherits(type(of), enum.EnumType)
        or _IMMUTABLE_LIBRARY.match(f"{package(of)}.{type_name(of)}") is not None
    )


def module_of(of: Class) -> str:
    """Return the module that defines a class, "" if it is not known."""
    name = members_of(of).get("__module__")
    return name if type(name) is str else str(type.__dict__["__module__"].__get__(of)) if not _is_heap(of) else ""


def _is_heap(of: Class) -> bool:
    return bool(type.__dict__["__flags__"].__get__(of) & 1 << 9)


def package(of: Class) -> str:
    """Return the first word of a class's module."""
    return module_of(of).partition(".")[0]


def type_name(of: Class) -> str:
    """Return the name of a class, without its module."""
    return str(_name_of(of))


def has_own_fields(of: Class) -> bool:
    """Return whether a class keeps something in its objects that Python cannot see: it is written in C."""
    members = members_of(of)
    slots = sum(type(member) is types.MemberDescriptorType for member in members.values())
    visible = slots + ("__dict__" in members) + ("__weakref__" in members)
    base = _base_of(of)
    return bool(base is not None and _basicsize_of(of) - _basicsize_of(base) > 8 * visible)


def same(one: object, other: object) -> bool:
    """Return whether both are the same object, or equal values of a builtin type that never changes. NaN is NaN."""
    if one is other:
        return True
    of = type(one)
    if of is not type(other):
        return False
    if id(of) in _COMPARABLE_IDS:
        return bool(one == other)
    return id(of) in _BY_REPR_IDS and repr(one) == repr(other)


def same_items(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Return whether all items are the `same`, in order."""
    if len(one) != len(other):
        return False
    return all(map(operator.is_, one, other)) or all(map(same, one, other))


def attributes(value: object) -> dict[str, Any] | None:
    """Return the `__dict__` of an object, None if it has none. Raises TypeError if its class hides it."""
    for of in mro_of(type(value)):
        descriptor = members_of(of).get("__dict__")
        if descriptor is not None:
            if type(descriptor) not in (types.GetSetDescriptorType, types.MemberDescriptorType):
                raise TypeError("the attributes can only be reached through the user's own code")
            return descriptor.__get__(value)  # type: ignore[no-any-return]
    return None


UNSET = object()
"""The value of a slot that has none."""


def slots(value: object) -> list[tuple[Any, Any]]:
    """Return the slots of an object with their values, which may be UNSET: (descriptor, value)."""
    found = []
    for of in mro_of(type(value)):
        members = members_of(of)
        if "__slots__" in members:
            found += [member for member in members.values() if type(member) is types.MemberDescriptorType]
    return [(member, _slot(member, value)) for member in found]


def _slot(member: Any, value: object) -> Any:
    with contextlib.suppress(AttributeError):
        return member.__get__(value)
    return UNSET
