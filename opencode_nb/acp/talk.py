"""Talks: the sessions with an agent: what it told, the prompts that it works on, and what it waits for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opencode_nb.acp.events import Events
from opencode_nb.transcript.state import Json


@dataclass(slots=True)
class Talk:
    """One session. `asked` are the replies that the agent waits for, by request; `pages` the requests to visit one.

    `granted` are the calls that were allowed. Files are written one after another. `servers` are the MCP servers that
    it was given, `reopening` whether it is opened again, so that what is told is known. `news` is set when it tells
    something.
    """

    events: Events
    prompting: asyncio.Task[None] | None = None
    asked: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    granted: set[str] = field(default_factory=set)
    servers: list[Json] = field(default_factory=list)
    reopening: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def withdraw(self) -> None:
        """Tell the agent that nobody answers what it still asks: its turn was stopped, or is over."""
        for reply in self.asked.values():
            reply.cancel()


class Talks(dict[str, Talk]):
    """The sessions by their ids, which work in `directory`."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = str(directory)

    def of(self, session_id: str) -> Talk:
        """Return a session; a new one if nothing is known of it."""
        if session_id not in self:
            self[session_id] = Talk(Events(session_id, self._directory, lambda: time.time() * 1000))
        return self[session_id]
