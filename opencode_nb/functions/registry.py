"""Which functions are tools: those decorated in this process, for all sessions, and those given to one `Opencode`."""

from __future__ import annotations

from typing import Any, Protocol


class Named(Protocol):
    """A tool by its name: a `FunctionTool`."""

    function: Any

    @property
    def name(self) -> str:
        """Its name."""


_decorated: dict[str, Any] = {}


def decorated() -> tuple[Any, ...]:
    """Return the tools that were decorated, the first first."""
    return tuple(_decorated.values())


def add(tool: Named) -> None:
    """Offer a tool to all sessions, in place of an earlier one of the same function.

    Raises ValueError if the name is that of another module's.
    """
    known = _decorated.get(tool.name)
    if known is not None and _module(known) != _module(tool):
        raise ValueError(f"There is a tool {tool.name!r} of {_module(known)} already: give `name=`.")
    _decorated[tool.name] = tool


def rename(tool: Named, name: str) -> None:
    """Rename a tool, if it was decorated. Raises ValueError if the name is taken."""
    if _decorated.get(name) not in (None, tool):
        raise ValueError(f"There is a tool {name!r} already: choose another name.")
    if _decorated.get(tool.name) is tool:
        renamed = {name if known is tool else of: known for of, known in _decorated.items()}
        _decorated.clear()
        _decorated.update(renamed)


def remove(tool: Named) -> None:
    """Stop offering a decorated tool."""
    if _decorated.get(tool.name) is tool:
        del _decorated[tool.name]


def _module(tool: Named) -> str:
    return str(getattr(tool.function, "__module__", ""))
