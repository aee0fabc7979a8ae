"""A server on a real loopback socket with scripted answers, for what the real one does not do on demand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

START_SECONDS = 10.0


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Loopback:
    """`requests` has the requests so far; `stop()` refuses further connections and cuts open ones."""

    url: str
    requests: list[Request] = field(default_factory=list)
    stop: Callable[[], None] = lambda: None
    restart: Callable[[], None] = lambda: None


def response(body: bytes = b"", *, status: str = "200 OK", kind: str = "application/json", **headers: str) -> bytes:
    """Return a whole response; keyword arguments become headers, with "-" for "_"."""
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


@contextmanager
def serving(handler: Handler, host: str = "127.0.0.1") -> Iterator[Loopback]:
    """Serve in a separate thread; every connection takes one request and is closed when the handler returns."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loopback")
    thread.start()
    tasks: set[asyncio.Task[None]] = set()
    state: dict[str, asyncio.Server] = {}
    served = Loopback("")

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            request = await read_request(reader)
            served.requests.append(request)
            await handler(request, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            tasks.discard(task)

    async def open_(port: int) -> None:
        state["server"] = await asyncio.start_server(connected, host, port)

    async def shut() -> None:
        state["server"].close()
        for _ in range(2):  # a connection that has just been accepted gets its task
            await asyncio.sleep(0)
        open_tasks = list(tasks)
        for task in open_tasks:
            task.cancel()
        await asyncio.gather(*open_tasks, return_exceptions=True)

    def run(coroutine: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(START_SECONDS)  # type: ignore[arg-type]

    run(open_(0))
    port = state["server"].sockets[0].getsockname()[1]
    served.url = f"http://{host}:{port}"
    served.stop = lambda: run(shut())
    served.restart = lambda: run(open_(port))
    try:
        yield served
    finally:
        run(shut())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


def answering(*answers: bytes) -> Handler:
    """Return the answers in turn, repeating the last one."""
    waiting = list(answers)

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    return handle
