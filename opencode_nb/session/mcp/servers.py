"""The MCP servers of the agent's directory, and those among them that this process attached.

The opencode server keeps MCP servers by directory, for all its sessions there, and forgets those added at run time when
it restarts or reads its configuration again. Nothing tells when it did: attached ones are looked up before each prompt.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

from opencode_nb.api.client import AsyncClient
from opencode_nb.closest import did_you_mean
from opencode_nb.errors import OpencodeError
from opencode_nb.secret import mask
from opencode_nb.server import Server
from opencode_nb.session.mcp.config import Given, config_of, is_enabled
from opencode_nb.tools.names import is_own_server
from opencode_nb.transcript.state import Json

log = logging.getLogger("opencode_nb")

CONNECT_SECONDS = 60.0
"""Seconds for an MCP server to start and answer: `npx` and `uvx` may download it first."""

DISCONNECT_SECONDS = 5.0
"""Seconds for the server to disconnect."""


class McpStatus(NamedTuple):
    """The state of an MCP server: connected, disabled, failed, needs_auth or needs_client_registration; and why."""

    status: str
    error: str = ""

    @property
    def connected(self) -> bool:
        """Whether the agent has its tools."""
        return self.status == "connected"

    def login(self, name: str) -> str:
        """The command that logs in to a server of this name; "" if its state wants no login."""
        return f"%opencode mcp auth {name}" if self.status == "needs_auth" else ""

    def __str__(self) -> str:
        return f"{self.status.replace('_', ' ')}{': ' if self.error else ''}{self.error}"


class Connected(Protocol):
    """What this uses of the agent: its connection."""

    directory: Path
    managed: Server | None

    @property
    def client(self) -> AsyncClient:
        """Client for every operation of the server's API."""

    async def start(self) -> object:
        """Start or join the server, unless it is connected."""


class AsyncMcpServers:
    """The MCP servers of a directory. Those in `given` are attached when the server is connected, and again if lost.

    A server of the same name is replaced. They are disconnected when the agent is closed, unless another one attached
    them since; whoever still wants them gets them back with the next prompt.
    """

    def __init__(self, owner: Connected, given: Mapping[str, Given] | None) -> None:
        self._owner = owner
        self._configs = {name: config_of(name, server) for name, server in (given or {}).items()}
        self._wanted = {name for name, config in self._configs.items() if is_enabled(config)}
        self._added: set[str] = set()  # on this connection
        self._problems: dict[str, McpStatus] = {}  # of those that could not be added
        self._attaching = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<MCP servers of {self._owner.directory}>"

    async def status(self) -> dict[str, McpStatus]:
        """Return the state of each MCP server, from the configuration and attached, by name."""
        await self._owner.start()
        listed = await self._listed()
        return dict.fromkeys(self._configs, McpStatus("disabled")) | self._problems | listed

    async def add(self, name: str, server: Given) -> McpStatus:
        """Attach an MCP server: a URL, ["command", "arg"], or a configuration as in OpenCode's `mcp` section.

        Raises ValueError for a wrong name or server, OpencodeError if the opencode server refuses the configuration.
        One that cannot be connected does not raise: the returned state says why.
        """
        config = config_of(name, server)
        await self._owner.start()
        async with self._attaching:
            status = await self._add(name, config)
            self._configs[name] = config
            self._wanted.add(name)
            return status

    async def connect(self, name: str) -> McpStatus:
        """Connect an MCP server again; return its state then. Raises OpencodeError if there is none of this name."""
        listed = await self._known(name)
        self._wanted |= {name} & self._configs.keys()
        if name in self._configs and name not in listed:
            async with self._attaching:
                return await self._add(name, {**self._configs[name], "enabled": True})
        await self._owner.client.mcp.connect(name, timeout=CONNECT_SECONDS)
        self._problems.pop(name, None)
        return (await self._listed())[name]

    async def disconnect(self, name: str) -> None:
        """Disconnect an MCP server: the agent loses its tools until it is connected again.

        Raises OpencodeError if there is none of this name.
        """
        listed = await self._known(name)
        self._wanted.discard(name)
        self._problems.pop(name, None)
        if name in listed:
            await self._owner.client.mcp.disconnect(name)
        self._note(name, registered=False)

    async def auth(self, name: str) -> str:
        """Begin the login to an MCP server; return the URL where the user allows it, in a browser.

        The page that it ends on may say that it failed: pass its address to `finish_auth`. Raises OpencodeError if
        there is no such server, or it has no OAuth.
        """
        await self._known(name)
        return str((await self._owner.client.mcp.auth.start(name)).authorizationUrl)

    async def finish_auth(self, name: str, code: str) -> McpStatus:
        """Finish the login with the code, or with the address that the browser ended on, which contains it."""
        await self._known(name)
        return McpStatus(**_told(await self._owner.client.mcp.auth.callback(name, code=_code(code))))

    # -- attaching -------------------------------------------------------------------------------------------------

    async def attach(self) -> None:
        """Add those wanted that the server does not have. Logs why one cannot be connected."""
        if not self._wanted:
            return
        async with self._attaching:
            lost = self._lost(await self._listed())
            await asyncio.gather(*(self._attach(name) for name in lost))
            for name in self._wanted - self._problems.keys():
                self._note(name, registered=True)

    def _lost(self, listed: Mapping[str, McpStatus]) -> list[str]:
        """Return those that were never added, or are gone since: another process may have disconnected them."""
        gone = {name for name in self._wanted if name not in listed or listed[name].status == "disabled"}
        return sorted((gone | self._wanted - self._added) - self._problems.keys())

    async def _attach(self, name: str) -> None:
        try:
            status = await self._add(name, self._configs[name])
        except OpencodeError as error:
            status = self._problems[name] = McpStatus("failed", mask(str(error)))
        if not status.connected:
            log.warning("MCP server %s: %s", name, status)

    async def _add(self, name: str, config: Json) -> McpStatus:
        checked_there: Any = config
        every = await self._owner.client.mcp.add(name=name, config=checked_there, timeout=CONNECT_SECONDS)
        self._added.add(name)
        self._problems.pop(name, None)
        self._note(name, registered=True)
        return McpStatus(**_told(every[name]))

    def _note(self, name: str, *, registered: bool) -> None:
        """Tell the server's keeper, which disconnects those of a process that left or was killed."""
        if self._owner.managed is not None:
            self._owner.managed.note_tools(name, str(self._owner.directory), registered=registered)

    async def detach(self) -> None:
        """Disconnect what was attached here, on a server without a keeper that would do it."""
        if self._owner.managed is None:
            await asyncio.gather(*(self._detach(name) for name in self._added & self._wanted))

    async def _detach(self, name: str) -> None:
        with contextlib.suppress(OpencodeError):  # the server is gone, or has lost it already
            await self._owner.client.mcp.disconnect(name, timeout=DISCONNECT_SECONDS)

    def forget(self) -> None:
        """Forget what was added: the next server has none of it."""
        self._added.clear()
        self._problems.clear()

    # -- names -----------------------------------------------------------------------------------------------------

    async def _listed(self) -> dict[str, McpStatus]:
        listed: Any = await self._owner.client.mcp.status()
        return {name: McpStatus(**_told(info)) for name, info in listed.items() if not is_own_server(name)}

    async def _known(self, name: str) -> Collection[str]:
        """Return the names that the opencode server has. Raises OpencodeError if this one is unknown."""
        await self._owner.start()
        listed = await self._listed()
        names = listed.keys() | self._configs.keys()
        if name not in names:
            there = f" Available: {', '.join(sorted(names))}." if names else " There is none here: add one first."
            raise OpencodeError(f"There is no MCP server {name}.{did_you_mean(name, names)}{there}")
        return listed.keys()


def _told(info: Mapping[str, Any]) -> dict[str, str]:
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in str(info.get("error") or "")).split())
    return {"status": str(info.get("status")), "error": mask(shown)}


def _code(given: str) -> str:
    """Return the code of an address that has one, else what was given."""
    return next(iter(parse_qs(urlsplit(given.strip()).query).get("code", [])), given.strip())
