"""The blocking face of the MCP servers."""

from __future__ import annotations

from opencode_nb.session.derived import Derived, blocking
from opencode_nb.session.mcp.servers import AsyncMcpServers


class McpServers(Derived):
    """The MCP servers of a directory: those of OpenCode's configuration, and those attached with `mcp=` or `add`."""

    def __init__(self, servers: AsyncMcpServers) -> None:
        self._async = servers

    status = blocking(AsyncMcpServers.status)
    add = blocking(AsyncMcpServers.add)
    connect = blocking(AsyncMcpServers.connect)
    disconnect = blocking(AsyncMcpServers.disconnect)
    auth = blocking(AsyncMcpServers.auth)
    finish_auth = blocking(AsyncMcpServers.finish_auth)

    def __repr__(self) -> str:
        return repr(self._async)
