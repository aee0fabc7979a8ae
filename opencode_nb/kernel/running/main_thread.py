"""Runs functions on the main thread, where user code runs: as a job of a waiting prompt, or as a request to the kernel.

While a cell waits for a turn, its thread serves jobs. While the kernel idles or computes, a function arrives as an
execute request that the kernel sends to itself: it queues behind running cells, may await, and can be interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from queue import Empty
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opencode_nb import portal
from opencode_nb.errors import OpencodeError
from opencode_nb.portal import POLL
from opencode_nb.session.permissions.jobs import Jobs, served_on_main

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

T = TypeVar("T")

GRACE = 2.0
"""Seconds for a prompt that was just sent to begin to wait, where no request can be sent."""

NUDGES = (0.2, 0.4, 1, 3)
"""Seconds after which another connection sends a message: ipykernel 7.0 to 7.3 overlook a request that arrives just as
they send a reply, until something comes from elsewhere."""

_AT_PROMPT = (
    "IPython waits for the user to type, so nothing can run on its main thread. "
    "It can while a %%prompt cell waits for its turn: ask the user to send the next prompt from one."
)


class UserInterrupt(KeyboardInterrupt):
    """The user interrupted a function on the main thread, which came to `result` nevertheless."""

    def __init__(self, result: object) -> None:
        super().__init__("Interrupted by the user.")
        self.result = result


async def run(function: Callable[[], T], *, idle: Callable[[], Awaitable[T]] | None = None) -> T:
    """Run a function on the main thread; return its result or raise its exception. Cancelling drops it if it waits.

    `idle` is called instead, and awaited, if the main thread serves no prompt and so runs an event loop. Raises
    OpencodeError if the main thread cannot be reached: at the terminal's prompt.
    """
    task = _Task(function, idle)
    request: asyncio.Task[None] | None = None
    try:
        while not task.outcome.done():
            if (jobs := served_on_main()) is not None:
                await _as_job(task, jobs)
                continue
            request = request or asyncio.ensure_future(_as_request(task))
            await asyncio.wait({request}, timeout=POLL)  # a prompt may begin to wait meanwhile, in the cell before
            if request.done() and not task.begun:
                request.result()
                raise OpencodeError("The kernel did not run the request. Try again.")
        return task.outcome.result()
    finally:
        task.outcome.cancel()
        if request is not None:
            request.cancel()


async def undisturbed(function: Callable[[], T]) -> T:
    """Run a function when no code of the user's runs: on the main thread, or while that waits for an async function.

    Raises what `run` raises.
    """
    if threading.main_thread().ident in portal.waiting:
        return await asyncio.to_thread(function)
    return await run(function)


class _Task(Generic[T]):
    """A function on its way to the main thread, and what it comes to. Runs at most once."""

    def __init__(self, function: Callable[[], T], idle: Callable[[], Awaitable[T]] | None) -> None:
        self._function, self.idle = function, idle
        self.outcome: Future[T] = Future()

    @property
    def begun(self) -> bool:
        return self.outcome.running() or self.outcome.done()

    def run(self) -> None:
        """Run it as a job. An interrupt of the user's is raised again, for the cell that waits."""
        if self.begun or not self.outcome.set_running_or_notify_cancel():
            return
        try:
            self.outcome.set_result(self._function())
        except BaseException as error:
            self._failed(error)

    async def run_idle(self) -> None:
        """Await it, as a cell."""
        if self.begun or self.idle is None or not self.outcome.set_running_or_notify_cancel():
            return
        try:
            self.outcome.set_result(await self.idle())
        except BaseException as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, UserInterrupt):
            self.outcome.set_result(error.result)  # type: ignore[arg-type]  # the function's own result
        elif isinstance(error, Exception):
            self.outcome.set_exception(error)
        else:  # as an exception of the loop thread it would end the loop
            self.outcome.set_exception(OpencodeError(f"Stopped by {type(error).__name__} on the main thread."))
        if not isinstance(error, Exception):
            raise error


# -- while a prompt waits ----------------------------------------------------------------------------------------------


async def _as_job(task: _Task[Any], jobs: Jobs) -> None:
    """Run the task as a job; return when it has ended, or when the prompt waits no more and has not begun it."""
    over = jobs.over
    jobs.post(task.run)
    both = asyncio.wrap_future(over), portal.ending(task.outcome)
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if task.begun:
        await both[1]


# -- while no prompt waits ---------------------------------------------------------------------------------------------

_requested: dict[int, _Task[Any]] = {}
_numbers = itertools.count(1)


async def _as_request(task: _Task[Any]) -> None:
    """Send the kernel a request to run the task, and wait until it has."""
    information = _connection_information()
    if information is None:
        await asyncio.sleep(GRACE)
        raise OpencodeError(_AT_PROMPT)
    number = next(_numbers)
    _requested[number] = task
    try:
        await _execute(information, _code(number, is_async=task.idle is not None))
    finally:
        del _requested[number]


def _code(number: int, *, is_async: bool) -> str:
    name = "serve_idle" if is_async else "serve"
    return f"{'await ' if is_async else ''}__import__({__name__!r}, fromlist=['']).{name}({number})"


def serve(number: int) -> None:
    """Run a requested function. Called by the request's code, in which nothing may raise: it would be published."""
    if (task := _requested.get(number)) is not None:
        _quietly(task.run)


async def serve_idle(number: int) -> None:
    """Await a requested function, as `serve` does."""
    if (task := _requested.get(number)) is None:
        return
    try:
        await task.run_idle()
    except (KeyboardInterrupt, asyncio.CancelledError):  # the function's outcome tells of it
        return


def _quietly(run: Callable[[], None]) -> None:
    try:
        run()
    except KeyboardInterrupt:  # the function's outcome tells of it
        return


def _connection_information() -> dict[str, Any] | None:
    """Return where this process's kernel listens, and its key; None if it is no kernel with an application."""
    app: Any = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    if app is None or not app.initialized():
        return None
    return dict(app.instance().get_connection_info())


async def _execute(information: dict[str, Any], code: str) -> None:
    """Have the kernel execute code, and wait for its end; again if a failed cell before it swept the queue.

    Silent and without history: no output, no number, and `_` stays.
    """
    with contextlib.ExitStack() as connections:
        client = connections.enter_context(_connected(information))
        while (content := await _reply(client, code, information, connections)).get("status") == "aborted":
            pass
    if content.get("status") != "ok":
        raise OpencodeError(f"The kernel did not run the request: {content.get('evalue', content.get('status'))}")


@contextlib.contextmanager
def _connected(information: dict[str, Any]) -> Iterator[AsyncKernelClient]:
    """Connect to the kernel's shell channel."""
    from jupyter_client.asynchronous.client import AsyncKernelClient  # imported only when a kernel is idle

    client = AsyncKernelClient()
    client.load_connection_info(information)  # type: ignore[arg-type]  # what the kernel itself told
    client.start_channels(iopub=False, stdin=False, hb=False, control=False)
    try:
        yield client
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)


async def _reply(
    client: Any, code: str, information: dict[str, Any], connections: contextlib.ExitStack
) -> dict[str, Any]:
    request = client.execute(code, silent=True, store_history=False, allow_stdin=False, stop_on_error=False)
    waits = iter(NUDGES)
    while True:
        try:
            message = await client.get_shell_msg(timeout=next(waits, None))
        except Empty:
            connections.enter_context(_connected(information)).kernel_info()
            continue
        if message["parent_header"].get("msg_id") == request:
            return dict(message["content"])
