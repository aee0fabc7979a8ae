"""The waiting thread: while a cell or script waits for a turn, it runs what the turn needs done on its thread.

User code runs where user code always runs, and `input()` asks where a person looks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from queue import Empty, SimpleQueue
from typing import TypeVar

from opencode_nb.portal import POLL

T = TypeVar("T")
_Job = tuple[Callable[[], object], "Future[object] | None"]


def next_of(queue: SimpleQueue[T]) -> T:
    """Wait for a queue's next item, so that an interrupt gets through."""
    while True:
        with contextlib.suppress(Empty):
            return queue.get(timeout=POLL)


class Jobs:
    """A queue of jobs for one waiting thread."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()

    async def run(self, job: Callable[[], T]) -> T:
        """Have the waiting thread run this; its result or exception. Cancelling drops a job that has not begun."""
        future: Future[T] = Future()
        self._queue.put((job, future))  # type: ignore[arg-type]  # a Future[T] takes what its own job returns
        return await asyncio.wrap_future(future)

    def post(self, job: Callable[[], object]) -> None:
        """From any thread: have the waiting thread run this. What it raises ends the waiting, and is raised there."""
        self._queue.put((job, None))

    def serve_until(self, done: Future[None]) -> None:
        """Run jobs on this thread until `done`. KeyboardInterrupt passes through, at once."""
        done.add_done_callback(lambda _future: self._queue.put(None))
        while not done.done():
            job = next_of(self._queue)
            if job is not None:
                _run(*job)


def _run(job: Callable[[], object], future: Future[object] | None) -> None:
    if future is None:
        job()
        return
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except Exception as error:  # handed to who posted it
        future.set_exception(error)
    except BaseException:  # an interrupt: nobody gets an answer from this job, as if it had been cancelled
        future.set_exception(CancelledError())
        raise
