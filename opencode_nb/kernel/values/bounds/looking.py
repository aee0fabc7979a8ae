"""Look at values on the main thread if it is soon free, else on another, where no code of the user's may run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

OnMain = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function on the main thread when that is free, and returns its result."""

WAIT = 0.5
"""How long a busy main thread is waited for, in seconds."""

LATEST = 10.0
"""How long a look that has begun may take, in seconds: computations in C cannot be interrupted."""


async def look(at: Callable[[bool], T], on_main: OnMain | None = None) -> T:
    """Return `at(True)` from the main thread or, if that is busy, `at(False)` from another: may the user's code run?

    Raises TimeoutError if the look hangs.
    """
    if on_main is None:
        return await asyncio.to_thread(at, False)
    first = _First()
    running = asyncio.ensure_future(on_main(lambda: at(True) if first.claim() else None))
    await asyncio.wait({running}, timeout=WAIT)
    if not first.claim():  # it has begun
        found: T = await asyncio.wait_for(running, LATEST)
        return found
    if not running.cancel() and not running.cancelled():
        running.exception()  # the main thread cannot be reached, as at a terminal's prompt: that is no error here
    return await asyncio.to_thread(at, False)


class _First:
    """Tells the first of two threads that it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def claim(self) -> bool:
        return self._lock.acquire(blocking=False)
