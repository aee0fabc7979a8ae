"""Event streams for readers: iterators of Records, for async and for ordinary code."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from opencode_nb import portal
from opencode_nb.api.pump import RECONNECTED, Connect, Pump
from opencode_nb.api.record import Record
from opencode_nb.api.sse import decode_event

__all__ = ["AsyncEventStream", "EventStream"]

OnReconnect = Callable[[], object] | None


class _Reader:
    """Shared by both iterators: the current batch, decoded one event at a time."""

    def __init__(self, on_reconnect: OnReconnect) -> None:
        self._on_reconnect = on_reconnect
        self._batch: deque[bytes | Record] = deque()
        self._closed = False

    def _next(self) -> Record | None:
        """Return the next event of the current batch, or None at its end."""
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
    """Live events: `async with ... as events: async for event in events`. Reconnects automatically.

    Entering connects, and raises if that fails. Every event is a Record `{id, type, properties}`; unknown types are
    passed on unchanged. When the connection is lost, the stream yields one `{"type": "client.disconnected",
    "properties": {"error": ...}}`, and when it is back, one `{"type": "client.reconnected"}`: the server does not
    repeat missed events, so refetch what you show. After `give_up_after` seconds without a connection (default: 60;
    None for never) the iteration raises APIConnectionError. `on_reconnect()` is called before the reconnected marker.

    If you don't need each event at once, `gather` saves most of its cost: after a batch, nothing is read for so many
    seconds, so that many events of a fast stream are read together. No event waits longer than that.
    """

    def __init__(self, connect: Connect, *, on_reconnect: OnReconnect = None, **manner: Any) -> None:
        super().__init__(on_reconnect)
        self._ready = asyncio.Event()
        self._pump = Pump(connect, self._ready, **manner)

    def give_up_refused_after(self, seconds: float) -> None:
        """Give up sooner, after so many seconds, while connections to a server on this machine are refused."""
        self._pump.refused_for = seconds

    async def __aenter__(self) -> AsyncEventStream:
        await self._pump.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Disconnect and end the iteration."""
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
    """Live events: `with ... as events: for event in events`; see AsyncEventStream for details.

    The connection runs on the background loop; events are passed to the reading thread in batches and decoded there.
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
        """Disconnect and end the iteration."""
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
        while not self._ready.wait(portal.POLL):
            pass
        batch = self._pump.backlog.take()
        if batch is None:
            raise StopIteration
        self._batch.extend(batch)
