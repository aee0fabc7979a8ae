"""Work on many prompts, some at a time, with their results in order; and what stops it. Knows no session or file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from opencode_nb.api.verifying import VerifyingError
from opencode_nb.many.items import Item

STOP_TIMEOUT = 15.0
"""Seconds to wait for stopped turns to end: each gets 5 from the server, then counts as aborted."""

Ask = Callable[[Item], Awaitable[Any]]
"""Returns what a prompt's place in the results gets, or raises."""

Tell = Callable[[int, Any], Awaitable[None]]
"""Is awaited with each result and its index, before the next prompt is sent in its stead."""

T = TypeVar("T")


async def ask_all(items: Sequence[Item], ask: Ask, concurrency: int, tell: Tell) -> list[Any]:
    """Ask all, `concurrency` at a time, and return the results in order.

    An exception of a prompt is its result; one of `tell` stops all and is raised. Cancelling stops all turns, and waits
    until they have ended.
    """
    results: list[Any] = [None] * len(items)
    waiting = iter(items)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(items))):
                group.create_task(_take(waiting, ask, results, tell))
    except* Exception as errors:
        raise errors.exceptions[0] from None
    return results


async def _take(waiting: Iterator[Item], ask: Ask, results: list[Any], tell: Tell) -> None:
    for item in waiting:
        results[item.index] = result = await _result(item, ask)
        await tell(item.index, result)


async def _result(item: Item, ask: Ask) -> Any:
    try:
        return await ask(item)
    except VerifyingError:  # it holds for all
        raise
    except Exception as error:  # whatever it is, it must not take the results of the others along
        if (task := asyncio.current_task()) is not None and task.cancelling():  # it came of stopping, which goes on
            raise asyncio.CancelledError from error
        return error.with_traceback(None)  # whose frames would keep the session in memory


class Stoppable(Generic[T]):
    """An async function that can be stopped from outside, also before it has begun."""

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self._function = function
        self._task: asyncio.Task[object] | None = None
        self._stopped = False

    async def run(self) -> T:
        """Run it. Raises CancelledError if it is stopped."""
        self._task = asyncio.current_task()
        if self._stopped:
            raise asyncio.CancelledError
        return await self._function()

    async def stop(self) -> None:
        """Stop it; return when it has ended. On the loop that runs it."""
        self._stopped = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=STOP_TIMEOUT)
