"""A tool: a function in this process that the agent may call, described independently of how it is called. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencode_nb.tools.privacy import Outgoing

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the session's id, the arguments, and the ids of call and turn in the transcript.

    Both ids are "" as long as the transcript does not have the call. The arguments are as the model gave them, unless
    the call is `edited`: the user has changed them before allowing it.
    """

    session: str
    arguments: Json
    id: str = ""
    turn: str = ""
    edited: bool = False


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
class Guard:
    """Keeps the agent's file tools off the files that a tool is for.

    `refusal` returns why a file must not be changed (given the session and the resolved path); "" if it may. The server
    has to ask about edits of files that fit `pattern`. `closed` returns the patterns of those that subagents of a
    session, which do not have the tool, must not edit.
    """

    pattern: str
    refusal: Callable[[str, Path], Awaitable[str]]
    closed: Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool's name without any prefix, its description for the model, the JSON schema of its arguments, its function.

    `call` runs on the package's loop thread, and must not block it. `asks`: the user is asked before each call.
    `hints` are MCP's annotations, such as ("destructive_hint", True).
    `preview` returns blocks (as `Result.shown`) that are shown with the request; it knows the call's session and
    arguments, and must not block either.
    """

    name: str
    description: str
    schema: Json
    call: Callable[[Call], Awaitable[Result]]
    asks: bool = False
    hints: tuple[tuple[str, bool], ...] = ()
    preview: Callable[[Call], tuple[Json, ...]] | None = None
    guard: Guard | None = None
