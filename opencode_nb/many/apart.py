"""Asks each prompt in a git worktree of its own, through the same server. The turn's diff is what to take, or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from opencode_nb.errors import OpencodeError, TurnError
from opencode_nb.many.answers import Answered, Rebuild
from opencode_nb.many.here import Here, Sent, check_budget
from opencode_nb.many.items import Item
from opencode_nb.many.sessions import Sessions
from opencode_nb.many.trees import Trees
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.turn import Turn

OF_ITS_START = frozenset(
    {"base_url", "hostname", "port", "start_timeout", "flags", "pure", "on_stderr", "shared", "demo"}
)
"""Options that only make sense for a server that is started, which has happened."""


class Apart:
    """Asks prompts in worktrees. A turn's session cannot go on when the turn has ended: its directory is gone."""

    def __init__(self, ai: AsyncOpencode, sessions: Sessions, rebuild: Rebuild, trees: Trees) -> None:
        self._ai, self._sessions, self._rebuild, self._trees = ai, sessions, rebuild, trees
        self._making = asyncio.Lock()

    async def ask(self, item: Item, sent: Sent) -> Answered:
        """Ask a prompt in a worktree, and remove that. Raises GitError if it cannot be made."""
        check_budget(self._ai, item)
        async with self._making:  # git locks what all worktrees share, and does not wait for it
            root = await asyncio.to_thread(self._trees.add)
        try:
            async with self._agent_in(self._trees.directory(root)) as ai:
                return await self._asked(ai, root, item, sent)
        finally:
            async with self._making:
                await asyncio.shield(asyncio.to_thread(self._trees.remove, root))

    async def _asked(self, ai: AsyncOpencode, root: Path, item: Item, sent: Sent) -> Answered:
        try:
            turn = (await Here(ai, self._sessions, self._rebuild).ask(item, sent)).turn
        except TurnError as error:
            if error.turn is not None:
                await self._compared(error.turn, root)
            raise
        return await self._compared(turn, root)

    async def _compared(self, turn: Turn, root: Path) -> Answered:
        changes = await asyncio.to_thread(self._trees.changes, root)
        version = turn.provenance["opencode"]
        turn.session = self._rebuild.detached(turn.state.session_id, version, changes)
        return Answered(turn, changes)

    @contextlib.asynccontextmanager
    async def _agent_in(self, directory: Path) -> AsyncIterator[AsyncOpencode]:
        """Yield an agent like this one that works in another directory, through the same server."""
        given: dict[str, Any] = {
            name: value for name, value in options_of(self._ai).items() if name not in OF_ITS_START
        }
        url, password = str(self._ai.client.base_url), self._ai.password
        async with AsyncOpencode(base_url=url, password=password, **{**given, "directory": directory}) as ai:
            try:
                yield ai
            finally:
                with contextlib.suppress(OpencodeError):  # what the server holds of the directory ends with the server
                    await ai.client.instance.dispose()

    async def found(self, item: Item, session_id: str) -> Answered | None:
        """Return None: the worktree of an earlier map is gone."""
        return None


def options_of(ai: AsyncOpencode) -> dict[str, Any]:
    """Return the options for another agent like this one, as it is now."""
    now = {name: getattr(ai, name) for name in ("model", "agent", "variant", "effort", "timeout", "directory")}
    limits = {name: ai.turn_limits.get(name) for name in ("max_cost", "max_tokens", "max_steps", "max_tools")}
    given = {name: value for name, value in ai.options.items() if value is not None}
    return {**given, **now, **limits, "permission": ai.policy.option}
