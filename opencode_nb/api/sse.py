"""Event streams: the parser (pure), the pump that keeps a stream connected, and the iterators that read from it.

Why not httpx-sse: it reads text lines, and httpx ends a line at U+2028 and U+0085 too, which the server leaves raw
inside its JSON. Here only the byte "\\n" ends a line.

The pump always drains the connection, because the server's queues grow without bound when nobody reads. What the
reader has not taken yet waits as undecoded bytes, at most MAX_BACKLOG of them. Beyond that the backlog is dropped and
the reader gets `client.disconnected` and `client.reconnected` in its place, the same signal as after a lost connection:
whoever refetches on it, as every reader must, has lost nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from opencode_nb import portal
from opencode_nb.api.record import Record
from opencode_nb.errors import APIConnectionError, OpencodeError

__all__ = ["AsyncEventStream", "Decoder", "EventStream", "Pump", "decode_event"]

log = logging.getLogger("opencode_nb")

RECONNECTED = "client.reconnected"
DISCONNECTED = "client.disconnected"

GIVE_UP_AFTER = 60.0  # seconds without a connection after which the reader gets an error
OPEN_TIMEOUT = 15.0  # seconds for one attempt to open the stream
FIRST_EVENT_WAIT = 2.0  # seconds; the server greets at once with `server.connected`, and listens from then on
BACKOFF_FIRST = 0.25  # seconds before the first attempt to reconnect; doubled each time
BACKOFF_MOST = 5.0  # seconds
STABLE_AFTER = 5.0  # seconds after which a connection counts as good, and the backoff begins anew
MAX_BACKLOG = 64 * 1024 * 1024  # bytes that the reader may lag behind
POLL = 0.1 if sys.platform == "win32" else None  # seconds; see portal.POLL

Connect = Callable[[float | None], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens the stream within so many seconds, and gives its bytes as they come."""

OnReconnect = Callable[[], object] | None


class Decoder:
    """Bytes in, the data of each complete event out. Does no I/O and never raises."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # pieces of the line that has not ended yet
        self._data: list[bytes] = []  # data lines of the event that has not ended yet

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that end in this chunk, in order; several data lines are joined by a newline."""
        if b"\n" not in chunk:
            self._rest.append(chunk)
            return []
        lines = b"".join((*self._rest, chunk)).split(b"\n")
        self._rest = [lines.pop()]
        return self._events(lines)

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:])
            elif line in (b"", b"\r") and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(map(_unindent, self._data)))
                self._data.clear()
        return events


def _unindent(line: bytes) -> bytes:
    """A data line without its one leading space and its \\r, which in a single line of JSON do no harm."""
    return line.removeprefix(b" ").removesuffix(b"\r")


def decode_event(data: bytes) -> Record | None:
    """The event, or None, logged, where it is malformed: one bad event must not end the stream."""
    try:
        event = json.loads(data.decode())  # from bytes, json would guess the encoding first
    except (ValueError, RecursionError) as error:
        log.warning("skipped a malformed event of %d bytes: %s", len(data), error)
        return None
    if type(event) is dict:
        return Record(event)
    log.warning("skipped an event that is not an object (%d bytes)", len(data))
    return None


class Signal(Protocol):
    """What a reader waits on: a threading.Event or an asyncio.Event."""

    def set(self) -> object:
        """There is something to take."""

    def clear(self) -> object:
        """Everything has been taken."""


class Backlog:
    """What has come and has not been read: raw events and markers, handed over in batches. Safe between threads."""

    def __init__(self, ready: Signal) -> None:
        self._ready = ready
        self._lock = threading.Lock()
        self._items: list[bytes | Record] = []
        self._size = 0
        self._ended = False
        self._error: OpencodeError | None = None

    def put(self, items: list[Any], size: int = 0) -> None:
        """Add items that take `size` bytes."""
        with self._lock:
            self._size += size
            if self._size > MAX_BACKLOG:
                self._overflow()
            else:
                self._items += items
        self._ready.set()

    def _overflow(self) -> None:
        log.warning("the reader of an event stream lags %d events behind: it is told to refetch", len(self._items))
        self._items = [_marker(DISCONNECTED, error="the reader fell too far behind"), _marker(RECONNECTED)]
        self._size = 0

    def end(self, error: OpencodeError | None = None) -> None:
        """Nothing more comes; the reader gets what is there, and then the error if there is one."""
        with self._lock:
            if not self._ended:
                self._ended, self._error = True, error
        self._ready.set()

    def raise_error(self) -> None:
        """Raise the error that the stream ended with, if it did."""
        with self._lock:
            if self._error is not None:
                raise self._error

    def take(self) -> list[bytes | Record] | None:
        """Everything there is; None at the end. Raises the error that the stream ended with."""
        with self._lock:
            self._ready.clear()
            items, self._items, self._size = self._items, [], 0
            if not self._ended:
                return items
            self._ready.set()  # whoever asks again must not wait
            if not items and self._error is not None:
                raise self._error
            return items or None


class Pump:
    """Keeps a stream connected and its backlog filled, as a task of the running asyncio loop.

    `settle`: seconds after the greeting until the server can be relied on to listen; `silent`: the server says nothing,
    not even that the stream is open, before the first event.
    """

    def __init__(
        self,
        connect: Connect,
        ready: Signal,
        *,
        give_up_after: float | None = GIVE_UP_AFTER,
        settle: float = 0.0,
        silent: bool = False,
    ) -> None:
        self.backlog = Backlog(ready)
        self._connect = connect
        self._give_up_after = give_up_after
        self._settle = settle
        self._silent = silent
        self._task: asyncio.Task[None] | None = None
        self._opened = False  # the first connection was made: from now on a loss is made good
        self._listening = asyncio.Event()
        self._settling: asyncio.TimerHandle | None = None
        self._missed = False  # the reader has been told of a loss, and not yet of its end
        self._down_since: float | None = None
        self._up_since = 0.0
        self._delay = BACKOFF_FIRST

    async def open(self) -> None:
        """Connect for the first time. Raises what the server or the connection says against it."""
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
        """Disconnect, and end whoever reads."""
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
        except Exception as error:  # a defect must reach the reader: in a task of its own nobody would see it
            log.exception("the event stream failed")
            self.backlog.end(APIConnectionError(f"the event stream failed: {error!r}"))
        finally:
            self._stop_settling()
            self.backlog.end()

    async def _connection(self) -> str:
        """One connection from beginning to end; says why it ended. Raises what makes another attempt pointless."""
        try:
            async with self._connect(self._patience()) as chunks:
                self._opened, self._up_since, self._down_since = True, time.monotonic(), None
                self._listen_in(FIRST_EVENT_WAIT)
                await self._drain(chunks)
        except OpencodeError as error:
            if not error.retryable or not self._opened:
                raise
            return str(error)
        return "the server closed the stream"

    async def _drain(self, chunks: AsyncIterator[bytes]) -> None:
        decoder = Decoder()
        greeted = False
        async for chunk in chunks:
            events = decoder.feed(chunk)
            if not events:
                continue
            if not greeted:
                greeted = True
                self._greet()
            self.backlog.put(events, len(chunk))

    def _greet(self) -> None:
        """The server's first words: it listens now, or a little later."""
        if self._settle:
            self._listen_in(self._settle)
        else:
            self._stop_settling()
            self._listen()

    def _listen_in(self, seconds: float) -> None:
        self._stop_settling()
        self._settling = asyncio.get_running_loop().call_later(seconds, self._listen)

    def _listen(self) -> None:
        """From now on nothing is missed: tell the opener, and the reader if it has to fetch what it missed."""
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
        """Before the next attempt; doubled each time, with jitter, so that a server that restarts is not stormed."""
        if self._remaining() <= 0:
            raise APIConnectionError(
                f"the event stream has been down for {self._give_up_after:g} s. Look whether the server still runs."
            )
        await asyncio.sleep(min(self._delay * random.uniform(0.75, 1.0), self._remaining()))  # noqa: S311
        self._delay = min(self._delay * 2, BACKOFF_MOST)

    def _patience(self) -> float | None:
        """Seconds for one attempt to connect."""
        return None if self._silent else max(0.1, min(OPEN_TIMEOUT, self._remaining()))

    def _remaining(self) -> float:
        """Seconds until the reader gets an error."""
        if self._give_up_after is None or self._down_since is None:
            return float("inf")
        return self._down_since + self._give_up_after - time.monotonic()


def _marker(kind: str, **properties: Any) -> Record:
    return Record(type=kind, properties=properties)


class _Reader:
    """What both iterators share: the batch at hand, decoded one event at a time."""

    def __init__(self, on_reconnect: OnReconnect) -> None:
        self._on_reconnect = on_reconnect
        self._batch: deque[bytes | Record] = deque()
        self._closed = False

    def _next(self) -> Record | None:
        """The next event of the batch at hand, or None when it is used up."""
        while self._batch:
            item = self._batch.popleft()
            if type(item) is not bytes:
                return self._told(item)  # type: ignore[arg-type]  # a marker: bytes are not subclassed here
            event = decode_event(item)
            if event is not None:
                return event
        return None

    def _told(self, marker: Record) -> Record:
        if self._on_reconnect is not None and marker["type"] == RECONNECTED:
            self._on_reconnect()
        return marker


class AsyncEventStream(_Reader):
    """Events as they come: `async with ... as events: async for event in events`. Reconnects by itself.

    Entering connects, and raises if that fails. Every event is a Record `{id, type, properties}`; unknown types come
    as they are. While the connection is lost the stream gives one `{"type": "client.disconnected", "properties":
    {"error": ...}}`, and after it came back one `{"type": "client.reconnected"}`: the server repeats nothing, so
    refetch what you show. After `give_up_after` seconds without a connection (60 unless given, None for never) the
    iteration raises APIConnectionError. `on_reconnect` is called, without arguments, before that marker is given out.
    """

    def __init__(self, connect: Connect, *, on_reconnect: OnReconnect = None, **manner: Any) -> None:
        super().__init__(on_reconnect)
        self._ready = asyncio.Event()
        self._pump = Pump(connect, self._ready, **manner)

    async def __aenter__(self) -> AsyncEventStream:
        await self._pump.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Disconnect; whoever iterates ends."""
        self._closed = True
        await self._pump.aclose()

    def __aiter__(self) -> AsyncEventStream:
        return self

    async def __anext__(self) -> Record:
        while not self._closed:
            event = self._next()
            if event is not None:
                return event
            await self._refill()
        raise StopAsyncIteration

    async def _refill(self) -> None:
        await self._ready.wait()
        batch = self._pump.backlog.take()
        if batch is None:
            raise StopAsyncIteration
        self._batch.extend(batch)


class EventStream(_Reader):
    """Events as they come: `with ... as events: for event in events`; see AsyncEventStream for what comes.

    The connection lives on the background loop; events cross to the reading thread in batches and are decoded there.
    `close()` may be called from any thread and ends the iteration at once.
    """

    def __init__(self, connect: Connect, *, on_reconnect: OnReconnect = None, **manner: Any) -> None:
        super().__init__(on_reconnect)
        self._ready = threading.Event()
        self._pump = Pump(connect, self._ready, **manner)

    def __enter__(self) -> EventStream:
        portal.run(self._pump.open)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; whoever iterates ends."""
        self._closed = True
        portal.run(self._pump.aclose)

    def __iter__(self) -> EventStream:
        return self

    def __next__(self) -> Record:
        while not self._closed:
            event = self._next()
            if event is not None:
                return event
            self._refill()
        raise StopIteration

    def _refill(self) -> None:
        while not self._ready.wait(POLL):
            pass
        batch = self._pump.backlog.take()
        if batch is None:
            raise StopIteration
        self._batch.extend(batch)
