"""Where each prompt of a map is asked: in a new session, or in a fork of one. And what is left of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Protocol

from opencode_nb.errors import OpencodeError
from opencode_nb.many.items import Item
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.session import AsyncSession


class Sessions(Protocol):
    """Gives each prompt its session."""

    async def open(self, item: Item, ai: AsyncOpencode) -> AsyncSession:
        """Open a session for this prompt."""

    async def leave(self, session: AsyncSession) -> None:
        """Do what is to be done with a session whose turn has ended."""


class Fresh:
    """New sessions. All are sub-sessions of one, so that lists have one entry for all, which deletes all."""

    def __init__(self, ai: AsyncOpencode, count: int) -> None:
        self._ai, self._count = ai, count
        self._parent: asyncio.Task[str] | None = None

    async def open(self, item: Item, ai: AsyncOpencode) -> AsyncSession:
        """Create a session. The first one creates their parent."""
        if ai.recording is not None:
            return await ai.session(item.title)
        if self._parent is None or _failed(self._parent):
            self._parent = asyncio.create_task(self._create(), name="opencode_nb map")
        parent = await asyncio.shield(self._parent)
        return await ai.session(item.title, parent=parent)

    async def _create(self) -> str:
        await self._ai.start()
        created = await self._ai.client.session.create(title=f"oc.map of {self._count} prompts")
        return str(created["id"])

    async def leave(self, session: AsyncSession) -> None:
        """Leave it as it is."""


def _failed(task: asyncio.Task[str]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


class Forks:
    """Forks of one session. Each is archived when its turn has ended: lists leave it out, its id still opens it."""

    def __init__(self, base: AsyncSession) -> None:
        self._base = base

    async def open(self, item: Item, ai: AsyncOpencode) -> AsyncSession:
        """Fork the session as it is now."""
        return await self._base.fork()

    async def leave(self, session: AsyncSession) -> None:
        """Archive it."""
        with contextlib.suppress(OpencodeError):  # then it is listed, which harms nobody
            await self._base.owner.client.session.update(session.id, time={"archived": int(time.time() * 1000)})
