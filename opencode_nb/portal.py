"""One background event loop for the whole process, and functions to run async code on it from ordinary code.

The loop runs in a daemon thread, started on first use and stopped when the interpreter exits; a forked child gets its
own. Works even if the calling thread already runs an event loop, as the main thread of a Jupyter kernel does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar
from weakref import WeakMethod

if TYPE_CHECKING:
    import asyncio

__all__ = ["POLL", "before_stop", "ending", "is_here", "result_of", "run", "start"]

_Running = tuple["asyncio.AbstractEventLoop", Callable[[], None]]  # a loop, and a function that ends it
Cleanup = Callable[[], Awaitable[None]]
P = ParamSpec("P")
T = TypeVar("T")

STOP_TIMEOUT = 2.0  # seconds that the exiting interpreter waits for cancelled tasks to clean up
# Every wait on the main thread is a series of short ones, so that interrupts get through: one that arrives after the
# thread releases the GIL but before it starts to wait is seen only when the wait ends; on Windows, every one is
# (https://github.com/python/cpython/issues/80116).
POLL = 0.1  # seconds


class _Loop:
    """The running loop, its thread, and the cleanups to run before it ends."""

    def __init__(self) -> None:
        self.cleanups: list[WeakMethod[Cleanup]] = []
        started: Future[_Running] = Future()
        self.thread = threading.Thread(target=_run_loop, args=(started, self.cleanups), name="opencode_nb", daemon=True)
        self.thread.start()
        self.asyncio, self._end = started.result()

    def stop(self) -> None:
        """Cancel running tasks, clean up, and end the thread."""
        self.asyncio.call_soon_threadsafe(self._end)
        self.thread.join(STOP_TIMEOUT)


waiting: set[int] = set()
"""The threads that wait for an async function now, by their identifiers: they run nothing else meanwhile."""

_lock = threading.Lock()
_loop: _Loop | None = None
_exiting = False


def run(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run an async function on the background loop and wait for it; return its result or raise its exception.

    An interrupt (or any other exception) in the waiting thread cancels the function and is raised again. Raises
    RuntimeError when called on the background loop itself, which would deadlock.
    """
    task = _Cancellable(partial(function, *args, **kwargs))
    future: Future[T] | None = None
    waiting.add(threading.get_ident())
    try:
        future = start(task.run)
        return result_of(future)
    except BaseException:
        if future is None or not future.done():
            task.cancel()
        raise
    finally:
        waiting.discard(threading.get_ident())
        del future  # it holds the exception, whose traceback holds this frame


def result_of(future: Future[T], timeout: float | None = None) -> T:
    """Wait for a future's result, letting interrupts through. Raises TimeoutError after `timeout` seconds."""
    end = float("inf") if timeout is None else time.monotonic() + timeout
    while not future.done():
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"It has not ended within {timeout:g} s.")
        wait((future,), min(POLL, left))
    return future.result()


def is_here() -> bool:
    """Return whether this is the background loop's own thread."""
    return _loop is not None and threading.current_thread() is _loop.thread


def start(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Start an async function on the background loop. Cancelling the future cancels the function."""
    import asyncio  # imported only when a loop is needed

    loop = _ensure()
    if threading.current_thread() is loop.thread:
        raise RuntimeError("this is the background event loop itself: await the async version instead")
    return asyncio.run_coroutine_threadsafe(_awaited(function, *args, **kwargs), loop.asyncio)


async def _awaited(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    return await function(*args, **kwargs)


class _Cancellable(Generic[T]):
    """A function that can be cancelled even if the interrupt arrives while it is being started."""

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self._function = function
        self._cancelled = False
        self._task: asyncio.Task[object] | None = None

    async def run(self) -> T:
        import asyncio

        self._task = asyncio.current_task()
        if self._cancelled:
            raise asyncio.CancelledError
        return await self._function()

    def cancel(self) -> None:
        """Cancel from any thread; whichever of this and `run` comes second sees what the other has set."""
        self._cancelled = True
        if self._task is not None:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)


def ending(future: Future[Any]) -> asyncio.Future[None]:
    """Return a future of the running loop that is done when this one is, and whose cancellation leaves it alone."""
    import asyncio

    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    def tell(_future: Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(end)

    future.add_done_callback(tell)
    return ended


def before_stop(cleanup: Cleanup) -> None:
    """Register a method to await before the background loop ends, while its object lives; no-op on other threads."""
    if _loop is not None and is_here():
        _loop.cleanups.append(WeakMethod(cleanup))


def _ensure() -> _Loop:
    global _loop
    with _lock:
        if _exiting:
            raise RuntimeError("the interpreter is exiting: no more async functions can be run")
        if _loop is None or not _loop.thread.is_alive():
            _loop = _Loop()
        return _loop


def _run_loop(started: Future[_Running], cleanups: list[WeakMethod[Cleanup]]) -> None:
    import asyncio

    try:
        asyncio.run(_serve(started, cleanups))
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)  # the thread waiting for the loop must not wait for ever


async def _serve(started: Future[_Running], cleanups: list[WeakMethod[Cleanup]]) -> None:
    import asyncio

    ended = asyncio.Event()
    started.set_result((asyncio.get_running_loop(), ended.set))
    await ended.wait()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for reference in cleanups:
        cleanup = reference()
        if cleanup is not None:
            await cleanup()


@atexit.register
def _stop() -> None:
    global _exiting
    with _lock:
        _exiting = True
    if _loop is not None and _loop.thread.is_alive():
        _loop.stop()


def _forget() -> None:
    """Reset in a forked child, where the thread does not exist and the lock may be held."""
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
