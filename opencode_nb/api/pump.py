"""Keep an event stream connected and drained, whatever its reader is doing. Knows nothing of what events mean.

The pump always drains the connection, because the server's queues grow without bound if nobody reads. Unread data waits
as undecoded bytes, at most MAX_BACKLOG of them. Beyond that, the backlog is dropped, and the reader gets
`client.disconnected` and `client.reconnected` instead, as after a lost connection: a reader that refetches then, as
every reader must, loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from opencode_nb.api.record import Record
from opencode_nb.api.sse import Decoder
from opencode_nb.errors import APIConnectionError, OpencodeError

__all__ = ["RECONNECTED", "Backlog", "Connect", "Pump"]

log = logging.getLogger("opencode_nb")

RECONNECTED = "client.reconnected"
DISCONNECTED = "client.disconnected"

GIVE_UP_AFTER = 60.0  # seconds without a connection after which the reader gets an error
OPEN_TIMEOUT = 15.0  # seconds for one attempt to open the stream
FIRST_EVENT_WAIT = 2.0  # seconds; the server sends `server.connected` at once and listens from then on
BACKOFF_FIRST = 0.25  # seconds before the first reconnection attempt; doubled each time
BACKOFF_MOST = 5.0  # seconds
STABLE_AFTER = 5.0  # seconds after which a connection counts as stable and resets the backoff
PLENTY = 32 * 1024  # bytes, half the maximum of one read: after so much, more is probably waiting
PROMPT_BATCHES = 6  # batches without a pause after a quiet time: what a turn begins with arrives at once
MAX_BACKLOG = 64 * 1024 * 1024  # bytes that the reader may lag behind
_JITTER = random.Random()  # noqa: S311  # of our own: the user's random state stays as it is

Connect = Callable[[float | None], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens the stream within so many seconds and yields its bytes as they arrive."""


class Signal(Protocol):
    """What a reader waits on: a threading.Event or an asyncio.Event."""

    def set(self) -> object:
        """Signal that there is something to take."""

    def clear(self) -> object:
        """Signal that everything has been taken."""


class Backlog:
    """Unread raw events and markers, handed over in batches. Thread-safe."""

    def __init__(self, ready: Signal) -> None:
        self._ready = ready
        self._lock = threading.Lock()
        self._items: list[bytes | Record] = []
        self._size = 0
        self._ended = False
        self._error: OpencodeError | None = None

    def put(self, items: list[Any], size: int = 0) -> bool:
        """Add items of `size` bytes; return whether they start a batch, as the reader has taken all earlier ones."""
        with self._lock:
            begins = not self._items
            self._size += size
            if self._size > MAX_BACKLOG:
                self._overflow()
            else:
                self._items += items
        self._ready.set()
        return begins

    def _overflow(self) -> None:
        log.warning(
            "the reader of an event stream is %d events behind: dropped them, so it must refetch", len(self._items)
        )
        self._items = [_marker(DISCONNECTED, error="the reader fell too far behind"), _marker(RECONNECTED)]
        self._size = 0

    def end(self, error: OpencodeError | None = None) -> None:
        """End the stream: the reader gets the remaining items, then the error if there is one."""
        with self._lock:
            if not self._ended:
                self._ended, self._error = True, error
        self._ready.set()

    def raise_error(self) -> None:
        """Raise the stream's final error, if there is one."""
        with self._lock:
            if self._error is not None:
                raise self._error

    def take(self) -> list[bytes | Record] | None:
        """Return all waiting items, or None at the end. Raises the stream's final error."""
        with self._lock:
            self._ready.clear()
            items, self._items, self._size = self._items, [], 0
            if not self._ended:
                return items
            self._ready.set()  # the next call must not wait
            if not items and self._error is not None:
                raise self._error
            return items or None


class Pump:
    """Keeps a stream connected and its backlog filled, as a task of the running asyncio loop.

    `settle`: seconds from the greeting until the server is sure to listen; `silent`: the server sends nothing, not even
    a response head, before the first event; `gather`: seconds in which nothing is read, see `_drain`.
    """

    def __init__(
        self,
        connect: Connect,
        ready: Signal,
        *,
        give_up_after: float | None = GIVE_UP_AFTER,
        settle: float = 0.0,
        silent: bool = False,
        gather: float = 0.0,
    ) -> None:
        self.backlog = Backlog(ready)
        self.refused_for: float | None = None
        """Like `give_up_after`, while connections to this machine are refused."""
        self._refused = False  # by the last attempt
        self._connect = connect
        self._give_up_after = give_up_after
        self._settle = settle
        self._silent = silent
        self._gather = gather
        self._task: asyncio.Task[None] | None = None
        self._opened = False  # the first connection was made: reconnect from now on
        self._listening = asyncio.Event()
        self._settling: asyncio.TimerHandle | None = None
        self._missed = False  # the reader knows of a loss, but not yet of the reconnection
        self._down_since: float | None = None
        self._up_since = 0.0
        self._delay = BACKOFF_FIRST

    async def open(self) -> None:
        """Connect for the first time. Raises the server's or the connection's error."""
        self._task = asyncio.create_task(self._run(), name="opencode_nb events")
        listening = asyncio.create_task(self._listening.wait())
        try:
            patience = FIRST_EVENT_WAIT if self._silent else OPEN_TIMEOUT + FIRST_EVENT_WAIT
            await asyncio.wait((self._task, listening), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            self.backlog.raise_error()
        except BaseException:
            await self.aclose()
            raise
        finally:
            listening.cancel()

    async def aclose(self) -> None:
        """Disconnect, and end reading."""
        self.backlog.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        try:
            while True:
                self._down(await self._connection())
                await self._wait()
        except OpencodeError as error:
            self.backlog.end(error)
        except Exception as error:  # a bug must reach the reader: in this task it would go unnoticed
            log.exception("the event stream failed")
            self.backlog.end(APIConnectionError(f"the event stream failed: {error!r}"))
        finally:
            self._stop_settling()
            self.backlog.end()

    async def _connection(self) -> str:
        """Run one connection to its end; return why it ended. Raises errors that make another attempt pointless."""
        self._refused = False
        try:
            async with self._connect(self._patience()) as chunks:
                self._opened, self._up_since, self._down_since = True, time.monotonic(), None
                self._listen_in(FIRST_EVENT_WAIT)
                await self._drain(chunks)
        except OpencodeError as error:
            if not error.retryable or not self._opened:
                raise
            self._refused = isinstance(error, APIConnectionError) and error.refused
            return str(error)
        return "the server closed the stream"

    async def _drain(self, chunks: AsyncIterator[bytes]) -> None:
        """Hand over events. Waiting for a small chunk costs more than processing it: with `gather`, pause after a batch
        that comes too early for the mean rate of one per pause, so that the next one has all events of the pause.
        Bursts get no pause, nor do the first `PROMPT_BATCHES` after a quiet time.
        """
        decoder = Decoder()
        greeted = False
        size = 0
        due = 0.0  # when the next batch is due at the mean rate
        async for chunk in chunks:
            events = decoder.feed(chunk)
            if not events:
                continue
            if not greeted:
                greeted = True
                self._greet()
            size += len(chunk)
            if not self.backlog.put(events, len(chunk)) or not self._gather:
                continue
            now = time.monotonic()
            due = max(due, now) + self._gather
            if due - now > PROMPT_BATCHES * self._gather and size < PLENTY:
                await asyncio.sleep(self._gather)
            size = 0

    def _greet(self) -> None:
        """Handle the first event: the server is listening now, or after `settle`."""
        if self._settle:
            self._listen_in(self._settle)
        else:
            self._stop_settling()
            self._listen()

    def _listen_in(self, seconds: float) -> None:
        self._stop_settling()
        self._settling = asyncio.get_running_loop().call_later(seconds, self._listen)

    def _listen(self) -> None:
        """Nothing is missed from now on: tell the opener, and the reader if it has to refetch."""
        self._listening.set()
        if self._missed:
            self._missed = False
            self.backlog.put([_marker(RECONNECTED)])

    def _down(self, reason: str) -> None:
        now = time.monotonic()
        self._stop_settling()
        if self._down_since is None:
            self._down_since = now
            if now - self._up_since > STABLE_AFTER:
                self._delay = BACKOFF_FIRST
        if not self._missed:
            self._missed = True
            log.info("an event stream was lost: %s", reason)
            self.backlog.put([_marker(DISCONNECTED, error=reason)])

    def _stop_settling(self) -> None:
        if self._settling is not None:
            self._settling.cancel()

    async def _wait(self) -> None:
        """Wait before the next attempt, doubling each time, with jitter, so as not to flood a restarting server."""
        if self._remaining() <= 0:
            raise APIConnectionError(
                f"the event stream has been down for {self._limit():g} s. Check whether the server is still running."
            )
        await asyncio.sleep(min(self._delay * _JITTER.uniform(0.75, 1.0), self._remaining()))
        self._delay = min(self._delay * 2, BACKOFF_MOST)

    def _patience(self) -> float | None:
        """Return the timeout of one connection attempt, in seconds."""
        return None if self._silent else max(0.1, min(OPEN_TIMEOUT, self._remaining()))

    def _remaining(self) -> float:
        """Return the seconds until the reader gets an error."""
        if self._down_since is None:
            return float("inf")
        return self._down_since + self._limit() - time.monotonic()

    def _limit(self) -> float:
        """Return the maximum seconds without a connection: fewer if connections are refused."""
        limits = (self._give_up_after, self.refused_for if self._refused else None)
        return min((limit for limit in limits if limit is not None), default=float("inf"))


def _marker(kind: str, **properties: Any) -> Record:
    return Record(type=kind, properties=properties)
