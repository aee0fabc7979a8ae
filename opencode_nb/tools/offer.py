"""The tools of one session as the agent calls them: one call at a time; every failure is an answer, never an exception.

Knows nothing of MCP and HTTP (http.py), nor of sessions: whether a call may run is for `admit` to say.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from opencode_nb.tools.privacy import Gate, Let, Level, Outgoing, Piece
from opencode_nb.tools.tool import Call, Json, Result, Tool

log = logging.getLogger("opencode_nb")

MOST_CHARACTERS = 60_000
"""Characters of an answer: what is beyond is left out of its middle. Tools have tighter limits of their own."""

SEARCHED_CHARACTERS = 4 * MOST_CHARACTERS
"""Characters of one piece that are searched for secrets: that takes a second for a million."""

MOST_IMAGES = 8
"""Images of an answer."""

MOST_IMAGE_BYTES = 4_000_000
"""Bytes of one image: what providers accept, in base64, is about 5 MB."""

KERNEL, FUNCTIONS = "kernel", "functions"
"""Who may give tools to a session: the kernel, whose gate is that of the functions too, and the user's functions."""

STOPPED = "Stopped: the turn, or this call, was stopped before it ended."


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model gets for a call: text, PNG images, and whether it failed."""

    text: str
    images: tuple[bytes, ...] = ()
    failed: bool = False


class RefusedError(Exception):
    """A call that must not run. Its text, which the model reads, says why and what to do."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may run.

    `shown` takes what the user is to see; `over` returns when nobody waits for it any more; `stop` ends its turn.
    """

    call: Call
    shown: Callable[[tuple[Json, ...]], None]
    over: Callable[[], Awaitable[None]]
    stop: Callable[[], None]


Admit = Callable[[Tool, Json], Awaitable[Admitted]]
"""Return the call to run for a tool and its arguments, or raise RefusedError."""

Described = tuple[tuple[Hashable, ...], ...]


class Given(NamedTuple):
    """Tools, and the gate that their results pass; None for the session's own."""

    tools: tuple[Tool, ...]
    gate: Gate | None


class Offer:
    """The tools of one session. Each call is admitted by `admit`; its result passes a gate. See `set`.

    `gate` returns the session's own gate at the time of a call.
    """

    def __init__(self, admit: Admit, gate: Callable[[], Gate]) -> None:
        self._given: dict[str, Given] = {}
        self._admit, self._gate = admit, gate
        self._turn = asyncio.Lock()  # first come, first served

    def set(self, tools: Iterable[Tool], gate: Gate | None, *, by: str = "") -> None:
        """Offer these tools, whose results pass this gate or the session's, in place of those given before by the same.

        From any thread. Raises ValueError, without changing anything, if two would have the same name.
        """
        given = {**self._given, by: Given(tuple(tools), gate)}
        names = Counter(tool.name for some in given.values() for tool in some.tools)
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"The agent has a tool {twice[0]!r} already: choose another name.")
        self._given = given

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools, in the order in which they were given."""
        return tuple(tool for some in self._given.values() for tool in some.tools)

    @property
    def described(self) -> Described:
        """What the agent is told of the tools: it has to be told again when this changes."""
        return tuple(
            (tool.name, tool.description, json.dumps(tool.schema), tool.asks, tool.hints) for tool in self.tools
        )

    async def answer(self, name: str, arguments: Json) -> Answer:
        """Call a tool, after the calls that came earlier have ended. Raises nothing but CancelledError."""
        found = self._find(name)
        if found is None:
            names = [tool.name for tool in self.tools]
            there = f"There are: {', '.join(names)}." if names else "The user has taken them away."
            return Answer(f"There is no tool {name!r} here. {there}", failed=True)
        tool, gate = found
        try:
            admitted = await self._admit(tool, arguments)
            async with self._turn:
                return await _run(tool, admitted, gate)
        except RefusedError as refused:
            return Answer(str(refused), failed=True)
        except Exception as error:  # of a tool or the gate: the model reads it, and the user finds it in the log
            log.warning("The tool %s failed", name, exc_info=True)
            return _failed(tool, error, gate)

    def _find(self, name: str) -> tuple[Tool, Gate] | None:
        """Return the tool of this name, and the gate of whoever gave it."""
        every = ((tool, some.gate or self._gate()) for some in self._given.values() for tool in some.tools)
        return next((found for found in every if found[0].name == name), None)


async def _run(tool: Tool, admitted: Admitted, gate: Gate) -> Answer:
    result = await _unless(admitted.over(), tool.call(admitted.call))
    if result.shown:
        admitted.shown(result.shown)
    if result.stopped:
        admitted.stop()
    return _passed(tool, result, gate)


def _passed(tool: Tool, result: Result, gate: Gate) -> Answer:
    return capped(gate.let(_shortened(result.outgoing), by=tool.name), failed=result.failed)


def _failed(tool: Tool, error: Exception, gate: Gate) -> Answer:
    """Tell what kind of error it was; its message may hold data, so the gate decides about that."""
    kind = Piece(f"The tool {tool.name} failed with {type(error).__name__}", Level.NONE)
    try:
        return _passed(tool, Result(Outgoing(tool.name, (kind, Piece(f": {error}"))), failed=True), gate)
    except Exception:  # the gate itself, or a message that cannot be made: then nothing of it leaves
        return Answer(f"{kind.text}.", failed=True)


def capped(let: Let, *, failed: bool) -> Answer:
    """Return an answer within the limits; say in its text what was left out."""
    images = [image for image in let.images[:MOST_IMAGES] if len(image) <= MOST_IMAGE_BYTES]
    lost = len(let.images) - len(images)
    note = f"\n[{lost} of {len(let.images)} images left out: too many, or too large.]" if lost else ""
    return Answer(_cut(let.text) + note, tuple(images), failed)


async def _unless(over: Awaitable[None], work: Awaitable[Result]) -> Result:
    """Return the result of the work. If it is over before, cancel it, wait for it to end, and raise RefusedError."""
    ended, working = asyncio.ensure_future(over), asyncio.ensure_future(work)
    try:
        await asyncio.wait((ended, working), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise RefusedError(STOPPED)
    finally:
        ended.cancel()
        working.cancel()
        await asyncio.wait((ended, working))


def _shortened(outgoing: Outgoing) -> Outgoing:
    """Cut the middle out of huge texts before they are searched for secrets, far from what the answer will keep."""
    pieces = tuple(replace(piece, text=_cut(piece.text, SEARCHED_CHARACTERS)) for piece in outgoing.pieces)
    return replace(outgoing, pieces=pieces)


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    over = len(text) - most
    if over <= 0:
        return text
    return f"{text[: most // 2]}\n[... {over:,} characters left out ...]\n{text[-(most // 2) :]}"
