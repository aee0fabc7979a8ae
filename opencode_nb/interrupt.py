"""Interrupts one piece of code on the main thread, and nothing else.

A handshake for each job: what has not begun is dropped, what has ended is left alone. While the code runs, SIGINT is
ours: an interrupt that we sent is told from the user's, and one that arrives late is awaited and swallowed.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

ARRIVAL_TIMEOUT = 1.0
"""Maximum seconds for an interrupt that was sent to reach the main thread."""


class Job:
    """One piece of code: it waits, is claimed, runs and ends; or it is dropped while it waits.

    `started` is done when it runs; `asked` when someone asks to stop it, with the reason.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = "waiting"
        self._open = self._sent = self._wanted = False
        self._before: Any = signal.SIG_DFL
        self._task: asyncio.Task[Any] | None = None
        self.by_user = False
        self.started: Future[None] = Future()
        self.asked: Future[str] = Future()

    def ask(self, reason: str) -> None:
        """Ask to stop it, from any thread: whoever watches the job interrupts it."""
        with self._lock:
            if not self.asked.done():
                self.asked.set_result(reason)

    def drop(self) -> bool:
        """Drop it if it has not begun; return whether it will never run."""
        with self._lock:
            if self._state == "waiting":
                self._state = "dropped"
            return self._state == "dropped"

    def claim(self) -> bool:
        """Claim it for the main thread, which then runs it: it can be dropped no more. False if it was dropped."""
        with self._lock:
            if self._state == "waiting":
                self._state = "claimed"
            return self._state == "claimed"

    def interrupt(self) -> None:
        """Interrupt it if it runs. Call from another thread."""
        with self._lock:
            if self._state == "running":
                self._sent = True
                _interrupt_main()
            self._wanted = self._wanted or self._state == "paused"

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Run the body as this job, on the main thread; an interrupt raises KeyboardInterrupt in it."""
        self._before = signal.signal(signal.SIGINT, self._on_interrupt)
        try:
            self._begin()
            yield
        finally:
            self._open = False
            self._end()
            signal.signal(signal.SIGINT, self._before)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """In the body, inside `interruptible`, leave SIGINT to whoever had it before: the user may be asked there.

        An interrupt of ours meanwhile raises KeyboardInterrupt after the body.
        """
        with self._lock:
            self._state = "paused"
        signal.signal(signal.SIGINT, self._before)
        try:
            yield
        except KeyboardInterrupt:
            self.by_user = True
            raise
        finally:
            signal.signal(signal.SIGINT, self._on_interrupt)
            with self._lock:
                self._state = "running"
        if self._wanted:
            raise KeyboardInterrupt

    def _begin(self) -> None:
        with self._lock:
            self._state = "running"
        self.started.set_result(None)
        self._open = True

    def _end(self) -> None:
        with self._lock:
            self._state = "ended"
        deadline = time.monotonic() + ARRIVAL_TIMEOUT
        while self._sent and time.monotonic() < deadline:
            time.sleep(0.001)

    def _on_interrupt(self, _number: int, frame: FrameType | None) -> None:
        ours, self._sent = self._sent, False
        self.by_user = self.by_user or not ours
        if not self._open:
            return
        if self._task is None or _is_stepping(frame):
            raise KeyboardInterrupt
        self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def awaited(self, coroutine: Coroutine[Any, Any, T]) -> T | None:
        """Await a coroutine inside `interruptible`; None if an interrupt escapes it.

        An interrupt is raised in code that computes. Code that waits is cancelled: there is only the loop to raise in.
        """
        self._task = asyncio.ensure_future(_step(coroutine))
        try:
            return await self._task  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            if not self._task.cancelled():
                raise
            return None
        finally:
            self._task = None


async def _step(coroutine: Coroutine[Any, Any, T]) -> T | None:
    try:
        return await coroutine
    except KeyboardInterrupt:  # out of a task, it would end the kernel's loop
        return None


def _is_stepping(frame: FrameType | None) -> bool:
    """Whether the interrupted thread is inside the coroutine, rather than in the loop."""
    while frame is not None and frame.f_code is not _step.__code__:
        frame = frame.f_back
    return frame is not None


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):  # also ends a sleeping call in C
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
