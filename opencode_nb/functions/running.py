"""Runs functions of the user's where user code belongs, never on the package's loop, and interrupts them.

A sync function runs on the main thread if that waits for a turn, else on a thread of its own. An async one runs on the
loop of the user's code, unless that stands still, else on one that all async functions of the process share.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from opencode_nb import portal
from opencode_nb.interrupt import Job
from opencode_nb.session.permissions.jobs import Jobs, served_on_main

T = TypeVar("T")
Loop = asyncio.AbstractEventLoop

ATTEMPTS = 5
PATIENCE = 1.0
"""How often a function that goes on is interrupted, and the seconds in between."""

BEGIN_TIMEOUT = 5.0
"""Seconds for a loop of the user's to begin with a function: its thread may be blocked, even by this very turn."""


class UserLoop(NamedTuple):
    """A loop of the user's code, and the thread that it runs on."""

    loop: Loop
    thread: int


@dataclass(frozen=True, slots=True)
class Where:
    """Where a function runs: as a job of `jobs` on the main thread, on a `loop`, or, with neither, on its own thread.

    `job` is what interrupts it on the main thread.
    """

    jobs: Jobs | None = None
    job: Job | None = None
    loop: Loop | None = None

    @property
    def interrupted_by_user(self) -> bool:
        """Whether it was the user who interrupted it."""
        return self.job is not None and self.job.by_user

    def paused(self) -> AbstractContextManager[None]:
        """In the body, leave interrupts to the thread's other jobs, as a question to the user is one."""
        return nullcontext() if self.job is None else self.job.paused()


# -- sync functions ----------------------------------------------------------------------------------------------------


async def run(work: Callable[[Where], T], stopped: T, stop: Callable[[], None]) -> T:
    """Run a sync function, which raises nothing, and return its result; `stopped` if it was interrupted around it.

    Cancelling calls `stop`, which ends what the function waits for, and interrupts it: this ends when the function has
    ended, or has gone on in spite of ATTEMPTS interrupts.
    """
    while (jobs := served_on_main()) is not None:
        task = _OnMain(work, jobs, stopped)
        jobs.post(task.run)
        try:
            both = portal.ending(task.outcome), portal.ending(jobs.over)
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if task.job.drop():  # the prompt waits no more
                continue
            await both[0]
        except asyncio.CancelledError:
            if not task.job.drop():
                stop()
                await _stopped(task.outcome, task.job.interrupt)
            raise
        return task.outcome.result()
    thread = _OnThread(work, stopped)
    thread.start()

    def interrupt() -> None:
        stop()
        thread.interrupt()

    return await _result(thread.outcome, interrupt)


class _OnMain(Generic[T]):
    """A function as a job of the main thread, while that waits for a turn."""

    def __init__(self, work: Callable[[Where], T], jobs: Jobs, stopped: T) -> None:
        self._work, self._jobs, self._result = work, jobs, stopped
        self.job = Job()
        self.outcome: Future[T] = Future()

    def run(self) -> None:
        """Run it. An interrupt of the user's is raised again, for the cell that waits."""
        if not self.job.claim():
            return
        try:
            with self.job.interruptible():
                self._result = self._work(Where(self._jobs, self.job))
        except KeyboardInterrupt:  # before the function began, or after it had ended
            pass
        finally:
            self.outcome.set_result(self._result)
        if self.job.by_user:
            raise KeyboardInterrupt


class _OnThread(threading.Thread, Generic[T]):
    """A thread for one function, which can be interrupted as the main thread can."""

    def __init__(self, work: Callable[[Where], T], stopped: T) -> None:
        super().__init__(name="opencode_nb function", daemon=True)
        self._work, self._result = work, stopped
        self._lock = threading.Lock()
        self._open = True
        self.outcome: Future[T] = Future()

    def run(self) -> None:
        """Run it, and drop an interrupt that comes too late."""
        try:
            self._result = self._work(Where())
            self._close()
        except KeyboardInterrupt:  # before the function began, or after it had ended
            self._close()
        self.outcome.set_result(self._result)

    def _close(self) -> None:
        with self._lock:
            self._open = False
            _raise_in(self.ident, None)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in it; computations in C, and waits there, take no notice."""
        with self._lock:
            if self._open:
                _raise_in(self.ident, KeyboardInterrupt)


def _raise_in(thread: int | None, error: type[BaseException] | None) -> None:
    """Have a thread raise an exception at its next step; None takes back one that it has not raised yet."""
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread or 0), raised)


# -- async functions ---------------------------------------------------------------------------------------------------


async def run_async(work: Callable[[Where], Coroutine[Any, Any, T]], user: UserLoop | None) -> T:
    """Await an async function, which raises nothing, and return its result. Cancelling cancels it, as `run` does."""
    here = asyncio.get_running_loop()
    if not portal.is_here():  # whoever runs an `AsyncOpencode` runs it on their own loop
        return await work(Where(loop=here))
    if user is not None and _is_free(user):
        task = _OnLoop(work, user.loop)
        if await task.begins(user):
            return await _result(task.outcome, task.cancel)
    task = _OnLoop(work, _shared.get())
    try:
        return await _result(task.outcome, task.cancel)
    finally:
        if not task.outcome.done():
            _shared.forget()  # it stands still


def _is_free(user: UserLoop) -> bool:
    """Whether a loop of the user's runs, and its thread does not wait for a turn."""
    waits = user.thread in portal.waiting
    waits |= user.thread == threading.main_thread().ident and served_on_main() is not None
    return user.loop.is_running() and not waits


class _OnLoop(Generic[T]):
    """An async function on another thread's loop."""

    def __init__(self, work: Callable[[Where], Coroutine[Any, Any, T]], loop: Loop) -> None:
        self._work, self._loop = work, loop
        self._task: asyncio.Task[None] | None = None
        self._job = Job()
        self._begun: Future[None] = Future()
        self.outcome: Future[T] = Future()
        loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._job.claim():
            self._task = self._loop.create_task(self._run(), name="opencode_nb function")
            self._begun.set_result(None)

    async def _run(self) -> None:
        self.outcome.set_result(await self._work(Where(loop=self._loop)))

    async def begins(self, user: UserLoop) -> bool:
        """Wait until it begins; return False, and drop it, if the loop stands still, or does not come to it in time."""
        end = time.monotonic() + BEGIN_TIMEOUT
        try:
            while not self._begun.done():
                if (time.monotonic() >= end or not _is_free(user)) and self._job.drop():
                    return False
                await asyncio.wait({portal.ending(self._begun)}, timeout=portal.POLL)
        except asyncio.CancelledError:
            self.cancel()
            raise
        return True

    def cancel(self) -> None:
        """Cancel it, from any thread. It takes no notice while it computes."""
        if self._job.drop():
            self.outcome.cancel()
        elif self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)


class _Shared:
    """The loop that async functions share where the user's code has none that runs; on a thread of its own."""

    def __init__(self) -> None:
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None

    def get(self) -> Loop:
        """Return the loop, started on first use; a new one in a forked child."""
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="opencode_nb async functions", daemon=True
            )
            self._thread.start()
        return self._loop

    def forget(self) -> None:
        """Start another loop for the next function: this one stands still."""
        self._loop = None


_shared = _Shared()


# -- waiting -----------------------------------------------------------------------------------------------------------


async def _result(outcome: Future[T], interrupt: Callable[[], None]) -> T:
    try:
        await portal.ending(outcome)
    except asyncio.CancelledError:
        await _stopped(outcome, interrupt)
        raise
    return outcome.result()


async def _stopped(outcome: Future[Any], interrupt: Callable[[], None]) -> None:
    """Interrupt a function until it ends; give up after ATTEMPTS."""
    for _attempt in range(ATTEMPTS):
        interrupt()
        await asyncio.wait({portal.ending(outcome)}, timeout=PATIENCE)
        if outcome.done():
            return
