"""The tools that look at values: variables, inspect and figure. They change nothing, and do not ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from opencode_nb.kernel.values.bounds.bounded import within
from opencode_nb.kernel.values.bounds.looking import OnMain, look
from opencode_nb.kernel.values.describe import SECONDS
from opencode_nb.kernel.values.inspection import inspect
from opencode_nb.kernel.values.namespace import own
from opencode_nb.kernel.values.pictures.figures import figure
from opencode_nb.kernel.values.pictures.last_shown import watch
from opencode_nb.kernel.values.variables import PAGE, variables
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.tool import Call, Json, Result, Tool

_PATH = 'a variable, or a path of attributes and constant keys, such as df, model.coef_ or data["train"][0]'


def value_tools(shell: Any, on_main: OnMain | None) -> tuple[Tool, ...]:
    """Return the tools. Call on the main thread. Without `on_main`, no code of the user's values runs."""
    tools = _Tools(shell, on_main)
    return (
        _tool(
            "variables",
            "List the variables of the user's Jupyter kernel: name, type, shape or length, memory, and short values. "
            f"At most {PAGE} at once.",
            tools.variables,
            filter={"type": "string", "description": "a glob such as df_*, or a part of the name"},
            offset={"type": "integer", "minimum": 0, "description": "how many to skip"},
        ),
        _tool(
            "inspect",
            "Look at one value in the user's Jupyter kernel in depth: columns, dtypes, missing values, statistics and "
            "first rows of a frame; statistics and content of an array; items of a container; documentation and source "
            "of a function, class or module. Changes nothing.",
            tools.inspect,
            required=("name",),
            name={"type": "string", "description": _PATH},
        ),
        _tool(
            "figure",
            "See a figure or image of the user's Jupyter kernel (matplotlib, plotly, Pillow).",
            tools.figure,
            name={"type": "string", "description": f"{_PATH}; without it, the picture shown last"},
        ),
    )


def _tool(
    name: str, description: str, call: Callable[[Call], Any], /, required: tuple[str, ...] = (), **arguments: Json
) -> Tool:
    schema: Json = {"type": "object", "properties": arguments, "required": list(required)}
    return Tool(name, description, schema | {"additionalProperties": False}, call)


class _Tools:
    def __init__(self, shell: Any, on_main: OnMain | None) -> None:
        self._shell, self._on_main = shell, on_main
        self._last = watch(shell)

    async def variables(self, call: Call) -> Result:
        """List variables."""
        wanted, offset = call.arguments.get("filter") or "", call.arguments.get("offset") or 0
        if not isinstance(wanted, str) or not isinstance(offset, int) or offset < 0:
            return _refused("variables", "`filter` is text, and `offset` a number from 0.")
        listed = partial(variables, own(self._shell), wanted, offset)
        return await self._look("variables", lambda _own_code: within(SECONDS, listed))

    async def inspect(self, call: Call) -> Result:
        """Look at one value."""
        path = call.arguments.get("name")
        if not isinstance(path, str):
            return _refused("inspect", f"`name` is {_PATH}.")
        return await self._look("inspect", lambda own_code: inspect(path, *self._names, own_code=own_code))

    async def figure(self, call: Call) -> Result:
        """Draw a figure."""
        path = call.arguments.get("name") or ""
        if not isinstance(path, str):
            return _refused("figure", f"`name` is {_PATH}.")
        return await self._look("figure", lambda own_code: figure(path, *self._names, self._last, own_code=own_code))

    @property
    def _names(self) -> tuple[dict[str, object], dict[str, object]]:
        """All names that a path may start from, and those that the user made."""
        return dict(self._shell.user_ns), own(self._shell)

    async def _look(self, tool: str, at: Callable[[bool], Result]) -> Result:
        try:
            return await look(at, self._on_main)
        except TimeoutError:
            return _refused(tool, "It took too long: what computes it does not react to interrupts.")


def _refused(tool: str, why: str) -> Result:
    return Result(Outgoing(tool, (Piece(why, Level.NONE),)), failed=True)
