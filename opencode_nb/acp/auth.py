"""How to log in to an agent, as it told when it started. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from opencode_nb.transcript.state import Json

CAPABILITIES: Json = {"auth": {"terminal": True}, "_meta": {"terminal-auth": True}}
"""What has agents tell the commands of their logins; those of before the protocol had a place for them use `_meta`."""

REQUIRED = -32000
"""The protocol's code of an agent that needs a login."""


class AuthMethod(NamedTuple):
    """A way to log in. `command` is to be run in a terminal; "" for what `authenticate` does."""

    id: str
    name: str
    description: str
    command: str


def methods(told: Any, command: Sequence[str]) -> list[AuthMethod]:
    """Return the ways to log in to an agent that was started by this command."""
    listed = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return [
        AuthMethod(
            str(one.get("id")), str(one.get("name") or ""), _description(one), shlex.join(_in_terminal(one, command))
        )
        for one in listed
    ]


def _description(method: Json) -> str:
    variables = [str(one.get("name")) for one in method.get("vars") or () if isinstance(one, dict)]
    needed = f"Set {', '.join(variables)} in env=." if variables else ""
    return " ".join(filter(None, (str(method.get("description") or ""), needed)))


def _in_terminal(method: Json, command: Sequence[str]) -> Iterator[str]:
    meta = method.get("_meta")
    before = meta.get("terminal-auth") if isinstance(meta, dict) else None
    if method.get("type") == "terminal":
        env = method.get("env")
        yield from (f"{name}={value}" for name, value in (env if isinstance(env, dict) else {}).items())
        yield from (*command[:1], *map(str, method.get("args") or ()))
    elif isinstance(before, dict) and before.get("command"):
        program = str(before["command"])
        yield next((own for own in command[:1] if PurePath(own).name == program), program)
        yield from map(str, before.get("args") or ())


def advice(known: Sequence[AuthMethod]) -> str:
    """Return what to do for an agent that needs a login."""
    ways = [f"run `{one.command}` in a terminal" if one.command else f"call authenticate({one.id!r})" for one in known]
    return f"It needs a login: {', or '.join(ways)}." if ways else "It needs a login, and tells none: see its own help."
