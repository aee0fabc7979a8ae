"""Pick up what is set up elsewhere while a panel has no model: a login in a terminal, an edited configuration."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from opencode_nb.errors import OpencodeError
from opencode_nb.session.owner import Owner

log = logging.getLogger("opencode_nb")

EVERY = 1.0
"""Seconds between two looks: a person who has just logged in looks back at the panel."""


class SetupWatch:
    """Calls `learn` when something about the agent's models has changed. To be used on the loop's thread."""

    def __init__(self, owner: Callable[[], Owner], learn: Callable[[], Awaitable[None]]) -> None:
        self._owner, self._learn = owner, learn
        self._task: asyncio.Task[None] | None = None

    def watch(self, wanted: bool) -> None:
        """Watch from now on, or stop."""
        if wanted and self._task is None:
            self._task = asyncio.create_task(self._run(), name="opencode_nb set-up")
        elif not wanted and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        seen: object = None  # look at once: something may have changed since there was found to be no model
        while True:
            if (now := await _state(self._owner())) != seen:
                seen = now
                await self._look()
            await asyncio.sleep(EVERY)

    async def _look(self) -> None:
        try:
            await self._learn()
        except OpencodeError as error:  # the server is away: the panel shows that
            log.info("What was set up could not be read: %s", error)


async def _state(owner: Owner) -> object:
    """What says that there may be a model now: files, and what another panel or a cell chose."""
    return await owner.setup_files(), owner.model, owner.demo
