"""Which objects are tracked: decides the family of a type, and what is left alone."""

from __future__ import annotations

import sys
from typing import Any

from opencode_nb.kernel.memory.families import BASES, EXACT, INSTANCES, Family, Instances
from opencode_nb.kernel.memory.libraries import library_family
from opencode_nb.kernel.memory.types import attributes, has_own_fields, is_leaf, mro_of, package, slots, type_name

MACHINERY = frozenset(
    """
    opencode_nb IPython ipykernel ipywidgets anywidget traitlets comm jupyter_client zmq tornado asyncio anyio httpx
    httpcore requests urllib3 aiohttp websockets mcp starlette uvicorn matplotlib threading multiprocessing concurrent
    subprocess logging socket ssl selectors queue tempfile sqlite3 sqlalchemy weakref contextvars _io io _thread
    """.split()  # noqa: SIM905
)
"""Packages whose objects work together with threads, connections or the screen: rolling back half of that breaks it."""

_LIVE = frozenset("_thread threading _io io socket _socket ssl _ssl select selectors asyncio _asyncio queue".split())  # noqa: SIM905
_FRAMES = ("pandas", "polars", "numpy")


class Policy:
    """Decides once for each type; holds the types while it is used, as they are recognised by id."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[type[Any], Family | None, bool]] = {}

    def family(self, value: object) -> tuple[Family | None, bool]:
        """Return the family of an object, and whether it never changes. (None, False): it cannot be tracked."""
        of = type(value)
        known = self._known.get(id(of))
        if known is None:
            known = self._known[id(of)] = (of, *_decide(of))
        family = known[1]
        if isinstance(family, Instances) and package(of) != "__main__" and _is_live(value):
            return None, False
        return family, known[2]


def _decide(of: type[Any]) -> tuple[Family | None, bool]:
    exact = EXACT.get(id(of)) or library_family(of, package(of))
    if exact is not None:
        return exact, False
    if is_leaf(of) or package(of) == "opencode_nb":  # a turn or a session: what it did is undone with the turn
        return None, True
    return _of_class(of), False


def _of_class(of: type[Any]) -> Family | None:
    """Return the family of a class written in Python, None for all others."""
    if package(of) in MACHINERY | {*_FRAMES}:
        return None
    if any(package(base) in (MACHINERY | {*_FRAMES}) and type_name(base) != "object" for base in mro_of(of)):
        return None
    inner = next((base for base in mro_of(of) if id(base) in BASES or has_own_fields(base)), object)
    return INSTANCES.get(id(inner))


def _is_live(value: object) -> bool:
    """Return whether a library's object holds a lock, file or connection itself: then it is left alone."""
    held = [*(attributes(value) or {}).values(), *(content for _, content in slots(value))]
    return any(package(type(content)) in _LIVE for content in held)


def process_dicts() -> set[int]:
    """Return the ids of dicts that belong to the process rather than to the user's data."""
    return {id(sys.modules), *(id(vars(module)) for module in list(sys.modules.values()) if type(module) is type(sys))}
