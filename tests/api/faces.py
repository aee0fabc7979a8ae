"""One interface to both clients, so that the tour of all operations works with either."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from opencode_nb.api.client import AsyncClient, Client


class Face(Protocol):
    """One of the clients."""

    client: Any

    def wait(self, value: Any) -> Any:
        """Return an operation's result, awaiting it if needed."""

    def entered(self, context: Any) -> Any:
        """Enter a stream or a terminal, as a `with` statement."""

    def next(self, stream: Any) -> Any:
        """Return the next event of a stream."""


class Sync:
    def __init__(self, client: Client) -> None:
        self.client = client

    def wait(self, value: Any) -> Any:
        return value

    @contextmanager
    def entered(self, context: Any) -> Iterator[Any]:
        with context as entered:
            yield entered

    def next(self, stream: Any) -> Any:
        return next(stream)


class Async:
    """Runs each coroutine to completion on its own loop."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    def wait(self, value: Any) -> Any:
        async def awaited() -> Any:
            return await value

        return self._runner.run(awaited())

    @contextmanager
    def entered(self, context: Any) -> Iterator[Any]:
        entered = self.wait(context.__aenter__())
        try:
            yield entered
        finally:
            self.wait(context.__aexit__(None, None, None))

    def next(self, stream: Any) -> Any:
        return self.wait(stream.__anext__())


@contextmanager
def face(kind: str, url: str, **settings: Any) -> Iterator[Face]:
    """Yield the sync or the async client."""
    if kind == "sync":
        with Client(url, **settings) as client:
            yield Sync(client)
        return
    with asyncio.Runner() as runner:
        client = AsyncClient(url, **settings)
        yield Async(client, runner)
        runner.run(client.aclose())
