"""The call that runs here: which session made it, what it may ask the session, and how it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from opencode_nb import portal
from opencode_nb.errors import OpencodeError
from opencode_nb.functions.running import Where
from opencode_nb.session.permissions import agent_code
from opencode_nb.tools.tool import Call, Json

T = TypeVar("T")

EVERY = 0.2
"""Seconds between two changes of the progress on a card."""

LONGEST_TEXT = 200
"""Characters of what is said of the progress."""


class Host(Protocol):
    """The session, as far as a function that it calls uses it. Implemented by `session.kernel.functions.Hosting`."""

    def session(self, kind: str) -> Any:
        """Return the session as a "Session" or an "AsyncSession". Raises OpencodeError if it is the other one."""

    async def ask(self, call: Call, function: str, question: Json) -> list[str]:
        """Ask the user one question; return what was chosen or typed. Raises OpencodeError without an answer."""

    def show(self, call: Call, blocks: list[Json]) -> None:
        """Show blocks on the call's card. Call on the session's loop."""


class Calling:
    """One call of a function. Made on the session's loop; the function runs elsewhere."""

    def __init__(self, host: Host, call: Call, function: str) -> None:
        self.host, self.call, self.function = host, call, function
        self.loop = asyncio.get_running_loop()
        self._where = Where()
        self._lock = threading.Lock()
        self._asking: Future[Any] | None = None
        self._stopped = False
        self._progress: Json | None = None
        self._shown_at = 0.0

    @contextlib.contextmanager
    def running(self, where: Where) -> Iterator[None]:
        """Mark this thread or task as the one that runs the function."""
        self._where = where
        token = _current.set(self)
        try:
            with agent_code.calling(self.call.session):
                yield
        finally:
            _current.reset(token)

    @property
    def awaits(self) -> bool:
        """Whether the function must await here, as it is on a loop that others run on."""
        try:
            return self._where.loop is asyncio.get_running_loop()
        except RuntimeError:
            return False

    def stop(self) -> None:
        """Cancel what the function waits for. Call from any thread."""
        with self._lock:
            self._stopped = True
            asking = self._asking
        if asking is not None:
            asking.cancel()

    def end(self) -> None:
        """Take the progress from the card, when the call has ended. Call on the session's loop."""
        self.stop()
        if self._shown_at:
            self.host.show(self.call, [])

    def progress(self, done: float, total: float | None, text: str) -> None:
        """Show how far the function is, soon: the last of what comes in a short time. From any thread."""
        with self._lock:
            is_shown_soon, self._progress = self._progress is not None, progress_block(done, total, text)
        if not is_shown_soon:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self.loop.call_soon_threadsafe(self._show_soon)

    def _show_soon(self) -> None:
        self.loop.call_at(max(self.loop.time(), self._shown_at + EVERY), self._show)

    def _show(self) -> None:
        with self._lock:
            block, self._progress = self._progress, None
        if block is not None and not self._stopped:
            self._shown_at = self.loop.time()
            self.host.show(self.call, [block])

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start something on the session's loop; the call's end cancels it."""
        with self._lock:
            if self._stopped:
                work.close()
                raise OpencodeError("The call was stopped.")
            self._asking = future = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future

    def waited(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the session's loop, and wait for it on this thread."""
        future = self.start(work)
        try:
            if self._where.jobs is not None and threading.current_thread() is threading.main_thread():
                with self._where.paused():
                    self._where.jobs.serve_inside(future)  # who is asked may answer on this very thread
            return portal.result_of(future)
        except BaseException:
            future.cancel()
            raise


def progress_block(done: float, total: float | None, text: str) -> Json:
    """Return progress as a block for the card. Raises ValueError for what is no number."""
    numbers = [done, *([] if total is None else [total])]
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
        raise ValueError(f"progress({done!r:.80}, {total!r:.80}): give numbers.")
    told = f"{done:g} of {total:g}" if total else f"{done:g}"
    return {"kind": "progress", "text": ": ".join(filter(None, (told, str(text)[:LONGEST_TEXT])))}


_current: ContextVar[Calling | None] = ContextVar("opencode_nb_calling", default=None)


def current(what: str) -> Calling:
    """Return the call that runs here. Raises OpencodeError outside of one; `what` names what needs it."""
    calling = _current.get()
    if calling is None:
        raise OpencodeError(
            f"{what} works inside a tool of yours (see opencode_nb.tool) while the agent calls it, and in what that "
            "function calls on its own thread. Elsewhere, use Python's own input()."
        )
    return calling
