"""The actions of a scripted model as plain values: words, reasoning, tool calls, errors, waits.

Owns the vocabulary of scripts and how a script is split into requests. Knows nothing of HTTP or of the library of named
turns.

A *script* is a list of actions for one turn. The server sends the model one request per step of a turn, so a script is
split into one list of actions per request: a tool call or an error ends its request; other actions continue it. An
inner list is exactly one request, for instance one with two parallel tool calls:

    [reason("Let me look."), tool("bash", command="ls"), text("Done.")]     two requests
    [[tool("glob", pattern="*.py"), tool("grep", pattern="x")], text("Done.")]     two requests, two calls in the first
    [error(429, "Slow down", retry_after_ms=50), text("Done.")]     two requests: the server retries
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

ARGUMENT_PIECE = 24
"""Characters of a tool call's arguments per delta: split into pieces, as real providers do."""


@dataclass(frozen=True, slots=True)
class Words:
    """Deltas of the answer, or of the reasoning before it. `pace`: seconds per delta, None for the endpoint's."""

    deltas: tuple[str, ...]
    reasoning: bool = False
    pace: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call, with its JSON arguments in the pieces to stream. The name may be a pattern of an offered tool's."""

    name: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An HTTP error instead of an answer."""

    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def retryable(self) -> bool:
        """Whether a client retries the request."""
        return self.status in (408, 409, 429) or self.status >= 500


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Silence until `DemoModel.release(name)`."""

    name: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts to report instead of the estimated ones."""

    prompt: int
    completion: int
    reasoning: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """The finish reason to report instead of `stop` or `tool_calls`: `length`, `content_filter`, ..."""

    reason: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Raw bytes inserted into the stream, to break it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """Cuts the connection without ending the stream."""


Action: TypeAlias = Words | Call | Failure | Pause | Gate | Usage | Finish | Raw | Drop
Step: TypeAlias = list[Action]
Script: TypeAlias = Sequence[Action | Sequence[Action]]


def text(content: str | Iterable[str], *, pace: float | None = None) -> Words:
    """Say words of the answer. A string is split into words; a list of strings is sent as exactly those deltas."""
    return Words(_deltas(content), pace=pace)


def reason(content: str | Iterable[str], *, pace: float | None = None) -> Words:
    """Say words of the reasoning; split like `text`."""
    return Words(_deltas(content), reasoning=True, pace=pace)


def tool(name: str, /, **arguments: Any) -> Call:
    """Call the tool `name`, streaming its arguments in several pieces."""
    return raw_tool(name, *_chunks(json.dumps(arguments, ensure_ascii=False)))


def raw_tool(name: str, /, *pieces: str) -> Call:
    """Call the tool `name` with exactly these pieces of arguments, which need not form valid JSON."""
    return Call(name, pieces)


def kernel_tool(name: str, /, **arguments: Any) -> Call:
    """Call a tool of the notebook's kernel, such as "python". Its full name, which the request lists, varies."""
    return tool(f"nb*_{name}", **arguments)


def error(
    status: int, message: str, *, retry_after: float | None = None, retry_after_ms: float | None = None
) -> Failure:
    """Fail with an HTTP error. `retry_after` (seconds) and `retry_after_ms` are each sent as their own header."""
    headers = {"retry-after": retry_after, "retry-after-ms": retry_after_ms}
    return Failure(status, message, {name: f"{value:g}" for name, value in headers.items() if value is not None})


def pause(seconds: float) -> Pause:
    """Stay silent for so many seconds."""
    return Pause(seconds)


def gate(name: str) -> Gate:
    """Stay silent until `DemoModel.release(name)`."""
    return Gate(name)


def usage(prompt: int, completion: int, *, reasoning: int = 0, cached: int = 0) -> Usage:
    """Report these token counts; `reasoning` is part of `completion`, `cached` part of `prompt`."""
    return Usage(prompt, completion, reasoning, cached)


def finish(reason: str) -> Finish:
    """Report this finish reason."""
    return Finish(reason)


def raw(data: bytes) -> Raw:
    """Insert these bytes into the stream."""
    return Raw(data)


def drop() -> Drop:
    """Cut the connection."""
    return Drop()


def steps(script: Script | Action) -> list[Step]:
    """Split a script into one list of actions per request."""
    cut: list[Step] = []
    is_open = False
    for item in script if isinstance(script, Sequence) else [script]:
        if isinstance(item, Sequence):
            cut.append(list(item))
            is_open = False
            continue
        if not is_open:
            cut.append([])
        cut[-1].append(item)
        is_open = not isinstance(item, Call | Failure | Drop)
    return cut


def _deltas(content: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(content, str):
        return tuple(re.findall(r"\s*\S+\s*?(?=\s|$)|\s+$", content)) or (content,)
    return tuple(content)


def _chunks(data: str) -> list[str]:
    return [data[start : start + ARGUMENT_PIECE] for start in range(0, len(data), ARGUMENT_PIECE)]
