"""Tools: the functions that the agents of one `Opencode` have as tools. Use from any thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.functions import registry

if TYPE_CHECKING:
    from opencode_nb.functions.parameters import Function
    from opencode_nb.functions.tool import FunctionTool


class Tools:
    """The functions that the agent may call: those decorated with `oc.tool`, then those given to this `Opencode`.

    Iterate over it, or look one up by its name. What changes here counts from the next prompt on.
    """

    def __init__(self, functions: Iterable[Function] = ()) -> None:
        self._given: list[FunctionTool] = []
        self._without: list[FunctionTool] = []
        for function in functions:
            self.add(function)

    def add(self, function: Function, **options: Any) -> FunctionTool:
        """Offer a function, method or tool, in place of one with its name; options as for `oc.tool`.

        Raises ValueError for what cannot be a tool.
        """
        from opencode_nb.functions.tool import as_tool, made_of

        made = as_tool(made_of(function, options))
        self._given = [*(one for one in self._given if one.name != made.name), made]
        self._without = [one for one in self._without if one is not made]
        return made

    def remove(self, name: str) -> None:
        """Take a tool away from the sessions of this `Opencode`. Raises OpencodeError if it has none of this name."""
        found = self[name]
        self._given = [one for one in self._given if one is not found]
        self._without = [*self._without, found]

    def names(self) -> list[str]:
        """Return their names."""
        return [one.name for one in self]

    def __iter__(self) -> Iterator[FunctionTool]:
        every = (*registry.decorated(), *self._given)
        return iter({one.name: one for one in every if one not in self._without}.values())

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> FunctionTool:
        found = {one.name: one for one in self}
        if name not in found:
            raise OpencodeError(f"There is no tool {name!r} of yours.{did_you_mean(name, found)}")
        return found[name]

    def __repr__(self) -> str:
        return f"<Tools {', '.join(self.names()) or 'none'}>"
