"""Runs jobs on the thread that waits for a turn: the one that executes the cell or script.

So callbacks run on the user's usual thread, and `input()` prompts where the user is looking.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from opencode_nb.portal import POLL

T = TypeVar("T")
_Job = tuple[Callable[[], object], "Future[object] | None"]


def next_of(queue: SimpleQueue[T]) -> T:
    """Wait for a queue's next item. Polls, so that KeyboardInterrupt gets through."""
    while True:
        with contextlib.suppress(Empty):
            return queue.get(timeout=POLL)


class Jobs:
    """A queue of jobs for one waiting thread. `over` is done once the thread waits no more: jobs left are not run."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self.over: Future[None] = Future()

    async def run(self, job: Callable[[], T]) -> T:
        """Run a job on the waiting thread; return its result or raise its exception. Cancelling drops a pending job."""
        future: Future[T] = Future()
        self._queue.put((job, future))  # type: ignore[arg-type]  # a Future[T] takes what its own job returns
        return await asyncio.wrap_future(future)

    def post(self, job: Callable[[], object]) -> None:
        """Queue a job for the waiting thread, from any thread. An exception in it is raised from `serve_until`."""
        self._queue.put((job, None))

    def serve_until(self, done: Future[Any]) -> None:
        """Run jobs on this thread until `done`. KeyboardInterrupt is raised immediately."""
        with self._serving():
            self.serve_inside(done)

    def serve_inside(self, done: Future[Any]) -> None:
        """Run jobs until `done`, inside of one of them: it waits for a person who is asked on this thread, too."""
        done.add_done_callback(lambda _future: self._queue.put(None))
        while not done.done():
            job = next_of(self._queue)
            if job is not None:
                _run(*job)

    @contextlib.contextmanager
    def _serving(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.over = Future()
        _on_main.append(self)
        try:
            yield
        finally:
            _on_main.remove(self)
            self.over.set_result(None)


_on_main: list[Jobs] = []
"""The queues that the main thread serves, the innermost last."""


def served_on_main() -> Jobs | None:
    """Return the jobs that the main thread serves now, while it waits for a turn; else None."""
    return next(reversed(_on_main), None)


def _run(job: Callable[[], object], future: Future[object] | None) -> None:
    if future is None:
        job()
        return
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except Exception as error:  # re-raised for the caller of `run`
        future.set_exception(error)
    except BaseException:  # an interrupt: cancel the job for its caller, and re-raise here
        future.set_exception(CancelledError())
        raise
