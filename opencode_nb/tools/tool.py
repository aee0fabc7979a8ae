"""A tool: a function in this process that the agent may call, described independently of how it is called. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencode_nb.tools.privacy import Outgoing

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the session's id, the arguments as the model gave them, and the ids of call and turn in the transcript.

    Both ids are "" as long as the transcript does not have the call.
    """

    session: str
    arguments: Json
    id: str = ""
    turn: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call came to. `outgoing` passes the gate before the model reads it.

    `shown` is for the user's eyes only, on the card: a list of blocks (see docs/kernel.md); it never leaves the kernel.
    `stopped`: the user stopped the call, and so the turn.
    """

    outgoing: Outgoing
    failed: bool = False
    shown: tuple[Json, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool's name without any prefix, its description for the model, the JSON schema of its arguments, its function.

    `call` runs on the package's loop thread, and must not block it. `asks`: the user is asked before each call.
    `hints` are MCP's annotations, such as ("destructive_hint", True).
    `preview` returns blocks (as `Result.shown`) that are shown with the request; it knows the call's session and
    arguments, and must not block either. `guard` returns why the agent's file tools must not change a file (given the
    session and the resolved path) but this tool be used; "" if they may.
    """

    name: str
    description: str
    schema: Json
    call: Callable[[Call], Awaitable[Result]]
    asks: bool = False
    hints: tuple[tuple[str, bool], ...] = ()
    preview: Callable[[Call], tuple[Json, ...]] | None = None
    guard: Callable[[str, Path], Awaitable[str]] | None = None
