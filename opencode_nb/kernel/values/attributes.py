"""Read what an object stores under a name, without running code of the user's: no property, no `__getattr__`."""

from __future__ import annotations

import inspect
from types import MemberDescriptorType

_MISSING = object()


def stored(value: object, name: str, default: object = None) -> object:
    """Return the attribute as it is stored in an object, its slots or its class; `default` if there is none."""
    found = inspect.getattr_static(value, name, _MISSING)
    if isinstance(found, MemberDescriptorType):
        found = _of_slot(found, value)
    return default if found is _MISSING else found


def _of_slot(slot: MemberDescriptorType, value: object) -> object:
    try:
        return slot.__get__(value)
    except AttributeError:  # not set
        return _MISSING


def attributes(value: object) -> dict[str, object]:
    """Return what an object stores itself: its instance's dict, or its slots."""
    try:
        return dict(object.__getattribute__(value, "__dict__"))
    except (AttributeError, TypeError):  # it has none
        names = [name for name in getattr(type(value), "__slots__", ()) if isinstance(name, str)]
        return {name: stored(value, name) for name in names}
