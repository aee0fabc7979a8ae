"""The MCP server of this process: on loopback, at a path and with a token for each session; started on first use.

It lives on the loop that first uses it: the package's own, but for those who run `AsyncOpencode` on theirs. A forked
child closes its copy of the socket, and starts a server of its own if it offers tools.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opencode_nb.secret import Secret
from opencode_nb.tools.offer import Offer

if TYPE_CHECKING:
    from opencode_nb.tools.http import Host

BACKLOG = 64


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an offer is served: its URL, and the bearer token that each request must have."""

    url: str
    token: str = field(repr=False)


def _host() -> type[Host]:
    from opencode_nb.tools.http import Host  # imported only when something is offered

    return Host


class ToolServer:
    """Serves offers by name, one at a time for each name, as long as somebody else keeps them. See `here`."""

    def __init__(self) -> None:
        self._offers: weakref.WeakValueDictionary[str, Offer] = weakref.WeakValueDictionary()
        self._tokens: dict[str, str] = {}
        self._starting = asyncio.Lock()
        self._listener: socket.socket | None = None
        self._host: Host | None = None
        self._task: asyncio.Task[None] | None = None

    async def serve(self, name: str, offer: Offer) -> Endpoint:
        """Serve an offer at the path of this name, in place of an earlier one. Raises OSError without a free port."""
        async with self._starting:
            if self._listener is None:
                await self._start()
        token = Secret(secrets.token_urlsafe(32))
        self._offers[f"/{name}"], self._tokens[f"/{name}"] = offer, token
        return Endpoint(f"http://{self.address}/{name}", token)

    def prepare(self) -> asyncio.Task[Any] | None:
        """Make ready for calls, soon and in the background, if anything is served; return the task.

        Call it once the agent is at work.
        """
        return self._host.prepare() if self._host is not None else None

    def withdraw(self, name: str, offer: Offer) -> None:
        """Refuse all further requests for an offer, unless another has taken its name."""
        if self._offers.get(f"/{name}") is offer:
            del self._offers[f"/{name}"]

    @property
    def address(self) -> str:
        """Where it listens, "127.0.0.1:PORT"."""
        assert self._listener is not None
        return "{}:{}".format(*self._listener.getsockname())

    def _find(self, path: str) -> tuple[str, Offer] | None:
        offer = self._offers.get(path)
        return None if offer is None else (self._tokens[path], offer)

    async def _start(self) -> None:
        host_type = await asyncio.to_thread(_host)
        listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        up = asyncio.Event()
        self._host = host_type(listener, self._find)
        self._task = asyncio.create_task(self._host.run(up), name="opencode_nb tools")
        waiting = asyncio.ensure_future(up.wait())
        await asyncio.wait((waiting, self._task), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            waiting.cancel()
            self._task.result()
        self._listener = listener

    def forget(self) -> None:
        """In a forked child, close its copy of the socket: the parent's loop, which answers there, is not here."""
        if self._listener is not None:
            os.close(self._listener.detach())


_servers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ToolServer] = weakref.WeakKeyDictionary()


def here() -> ToolServer:
    """Return the server of the running loop."""
    loop = asyncio.get_running_loop()
    server = _servers.get(loop)
    if server is None:
        server = _servers[loop] = ToolServer()
    return server


def _forget_all() -> None:
    for server in list(_servers.values()):
        server.forget()
    _servers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
