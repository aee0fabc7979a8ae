"""Transport: what carries the protocol's messages to an agent and back, where it is no process of this one's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from opencode_nb.transcript.state import Json


class Transport(Protocol):
    """Carries JSON-RPC messages to an agent and back: over TCP or a websocket, say, or to a double in a test."""

    async def send(self, message: Json) -> None:
        """Send a message. Raises OSError if the agent cannot be reached any more."""

    async def receive(self) -> Json | None:
        """Return the next message; None if there are no more. Raises OSError, which counts as that."""

    async def close(self) -> None:
        """End the connection. May be called again."""


Connect = Callable[[], Awaitable[Transport]]
"""Connects to an agent. Raises OSError."""


class Line(Transport, Protocol):
    """A transport with what errors tell of its agent. `command` starts the agent; empty if it was started elsewhere."""

    fault: str
    command: Sequence[str]
    log_path: Path | None

    @property
    def exit_code(self) -> int | None:
        """The agent's exit code; None while it runs, or if nobody knows."""

    @property
    def tail(self) -> str:
        """The end of the agent's log; "" without one."""

    @property
    def told(self) -> str:
        """What it is, and its last output."""

    async def silent(self) -> None:
        """Wait until no more messages come."""

    async def ended(self) -> None:
        """Wait until the agent has ended."""


class Carried:
    """A transport of the caller's own as a `Line`: of its agent nothing is known here."""

    fault, tail = "", ""
    exit_code: int | None = None
    log_path: Path | None = None
    command: Sequence[str] = ()

    def __init__(self, transport: Transport) -> None:
        self.told = f"Transport: {type(transport).__name__}."
        self._transport = transport
        self._silent = asyncio.Event()
        self.send, self.close = transport.send, transport.close

    async def receive(self) -> Json | None:
        """Return the next message; None if there are no more."""
        message: Json | None = None
        try:
            message = await self._transport.receive()
        except OSError as error:
            self.fault = f"cannot be reached any more: {error}"
        if message is None:
            self._silent.set()
        return message

    async def silent(self) -> None:
        """Wait until no more messages come."""
        await self._silent.wait()

    ended = silent
