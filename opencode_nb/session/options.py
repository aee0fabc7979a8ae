"""The options that everything that starts a turn takes: declared once, and shown in each signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, TypedDict, TypeVar

from opencode_nb.session.permissions.policy import PermissionOption, Person

F = TypeVar("F", bound=Callable[..., Any])


class TurnOptions(TypedDict, total=False):
    """Options of one turn. What is left out or None is the session's own.

    `permission` overrides the policy, `person` answers what the policy leaves open, `timeout` in seconds aborts the
    turn.
    """

    model: str | None
    agent: str | None
    variant: str | None
    permission: PermissionOption | None
    person: Person | None
    timeout: float | None


def spelled_out(function: F) -> F:
    """Show each of the `TurnOptions` in a function's signature, in place of its `**options`."""
    shown = signature(function)
    own = [parameter for parameter in shown.parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD]
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=getattr(kind, "__forward_arg__", kind))
        for name, kind in TurnOptions.__annotations__.items()
    ]
    function.__signature__ = shown.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return function


def check(options: Mapping[str, object]) -> None:
    """Raise TypeError for an option that there is not."""
    if unknown := [name for name in options if name not in TurnOptions.__annotations__]:
        raise TypeError(f"There is no option {unknown[0]!r}: use {', '.join(TurnOptions.__annotations__)}.")
