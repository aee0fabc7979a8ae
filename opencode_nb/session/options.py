"""The options of every method that starts a turn: declared once, and shown in each signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, TypedDict, TypeVar

from opencode_nb.session.permissions.policy import PermissionOption, Person

F = TypeVar("F", bound=Callable[..., Any])


class TurnOptions(TypedDict, total=False):
    """Options of one turn. Those left out or None default to the session's own.

    `permission` overrides the policy, `person` answers the requests that the policy leaves open, `timeout` (seconds)
    aborts the turn.
    """

    model: str | None
    agent: str | None
    variant: str | None
    permission: PermissionOption | None
    person: Person | None
    timeout: float | None


def spelled_out(function: F) -> F:
    """Replace `**options` in a function's displayed signature with each of the `TurnOptions`."""
    shown = signature(function)
    own = [parameter for parameter in shown.parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD]
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=getattr(kind, "__forward_arg__", kind))
        for name, kind in TurnOptions.__annotations__.items()
    ]
    function.__signature__ = shown.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return function


def check(options: Mapping[str, object]) -> None:
    """Raise TypeError for an unknown option."""
    if unknown := [name for name in options if name not in TurnOptions.__annotations__]:
        raise TypeError(f"Unknown option {unknown[0]!r}. Use one of: {', '.join(TurnOptions.__annotations__)}.")
