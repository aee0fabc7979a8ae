"""The parameters of a function: which the model gives, and which takes the session that calls. Imports no pydantic."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from opencode_nb.errors import OpencodeError

Function = Callable[..., Any]

_SESSIONS = ("Session", "AsyncSession")
_REFUSED: Mapping[Any, str] = {
    Parameter.VAR_POSITIONAL: "takes *{name}: a tool's arguments have names. Take a list instead.",
    Parameter.VAR_KEYWORD: "takes **{name}: the agent has to know the names. Name the parameters, or take a dict.",
}


def check(function: Function, name: str) -> None:
    """Raise ValueError for a function that cannot be a tool whatever its annotations are."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ValueError(f"{name} is a generator: return a list, and report progress with `session.progress`.")
    for parameter in _signature(function, name).parameters.values():
        if why := _REFUSED.get(parameter.kind):
            raise ValueError(f"{name} {why.format(name=parameter.name)}")
        if type(parameter.default).__name__ == "FieldInfo":
            raise ValueError(
                f"{name}: write `{parameter.name}: Annotated[..., Field(...)] = default`: "
                "a Field as the default would be the function's value."
            )


def _signature(function: Function, name: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        raise ValueError(f"{name} does not tell its parameters: wrap it in a function of yours.") from None


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes: `given` by the model, with their types; `session` names the one for the session.

    `wants` is "Session" or "AsyncSession"; both are "" without one.
    """

    given: tuple[Parameter, ...]
    types: Mapping[str, Any]
    session: str = ""
    wants: str = ""

    def bound(self, arguments: Mapping[str, Any], session: object) -> tuple[list[Any], dict[str, Any]]:
        """Return what to call the function with, positional and by name. Defaults are the function's own."""
        names = {**arguments, self.session: session} if self.session else dict(arguments)
        of_place = [one for one in self.given if one.kind is Parameter.POSITIONAL_ONLY]
        return [names.pop(one.name, one.default) for one in of_place], names


def parameters(function: Function) -> Parameters:
    """Read a function's parameters. Raises NameError for an annotation that is not defined yet, OpencodeError."""
    types = typing.get_type_hints(_annotated(function), include_extras=True)
    every = inspect.signature(function).parameters.values()
    sessions = [one for one in every if _is_session(types.get(one.name))]
    if len(sessions) > 1 or any(one.kind is Parameter.POSITIONAL_ONLY for one in sessions):
        raise OpencodeError("A tool takes one session, and not by position only.")
    given = tuple(one for one in every if one not in sessions)
    found = next(iter(sessions), None)
    if found is None:
        return Parameters(given, types)
    return Parameters(given, types, found.name, types[found.name].__name__)


def _annotated(function: Function) -> Any:
    """Return what has the annotations: the method of a callable object."""
    return function if inspect.isroutine(function) or hasattr(function, "__wrapped__") else type(function).__call__


def _is_session(annotation: object) -> bool:
    """Whether an annotation is a class of sessions: they stand below this module, which must not import them."""
    is_ours = isinstance(annotation, type) and annotation.__module__.partition(".")[0] == "opencode_nb"
    return is_ours and getattr(annotation, "__name__", "") in _SESSIONS
