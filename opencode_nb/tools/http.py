"""The MCP server's HTTP side: who may call, and what MCP asks of an `Offer`.

Slow to import (mcp builds a thousand pydantic models): server.py does so, on a thread.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import socket
from collections.abc import Callable
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from opencode_nb._version import __version__
from opencode_nb.tools.offer import Answer, Offer
from opencode_nb.tools.tool import Tool

QUIET = ("mcp", "uvicorn", "uvicorn.error", "uvicorn.access", "sse_starlette")
"""Loggers that would write into the user's notebook; what matters is in the answers."""

Find = Callable[[str], "tuple[str, Offer] | None"]
"""Return the token and the offer served at a path, or None."""


class Host:
    """Serves offers over HTTP on a listening socket, on the running loop. `find` is asked at each request."""

    def __init__(self, listener: socket.socket, find: Find) -> None:
        for name in QUIET:
            _quieten(logging.getLogger(name))
        self._listener = listener
        self._manager = StreamableHTTPSessionManager(_mcp_server(find), stateless=True)
        address = "{}:{}".format(*listener.getsockname()[:2])
        application = _Doorkeeper(self._manager, address, find)
        config = uvicorn.Config(application, lifespan="off", log_config=None, access_log=False, ws="none")
        self._http = uvicorn.Server(config)

    async def run(self, up: asyncio.Event) -> None:
        """Accept connections until cancelled; set `up` once it does.

        Not by `uvicorn.Server.serve`, which handles signals, and wakes ten times a second for as long as it runs.
        """
        self._http.config.load()
        self._http.lifespan = self._http.config.lifespan_class(self._http.config)
        async with self._manager.run():
            await self._http.startup(sockets=[self._listener])
            up.set()
            try:
                await asyncio.Event().wait()
            finally:
                for server in self._http.servers:
                    server.close()


class _Doorkeeper:
    """ASGI application that lets a request through only if it is a session's own, by its path and bearer token.

    A browser always names its page as Origin, and cannot choose the Host: so no page gets in, whatever it resolves.
    """

    def __init__(self, manager: StreamableHTTPSessionManager, address: str, find: Find) -> None:
        self._manager, self._address, self._find = manager, address, find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if refused := self._refused(scope, headers):
            status, why = refused
            await PlainTextResponse(why, status)(scope, receive, send)
        else:
            await self._manager.handle_request(scope, receive, send)

    def _refused(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        if headers.get("host") != self._address:
            return 421, "This is not the host that was asked for."
        if headers.get("origin", f"http://{self._address}") != f"http://{self._address}":
            return 403, "Pages may not call these tools."
        served = self._find(scope["path"])
        if served is None:
            return 404, "The session of these tools has ended, or its kernel has given them up."
        given = headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {served[0]}".encode()):
            return 401, "The token is missing or wrong."
        if scope["method"] != "POST":  # a stream for messages of ours would stay open, and be kept alive, for nothing
            return 405, "There are no messages from this side."
        return None


def _mcp_server(find: Find) -> Server[Any]:
    """Return the MCP server of all offers. It has tools only: resources and prompts would show in every session."""

    def offer(context: ServerRequestContext[Any, Any]) -> Offer | None:
        served = find(context.request.scope["path"]) if context.request is not None else None
        return served[1] if served else None

    async def list_tools(context: ServerRequestContext[Any, Any], _params: object) -> types.ListToolsResult:
        offered = offer(context)
        return types.ListToolsResult(tools=[_described(tool) for tool in offered.tools] if offered else [])

    async def call_tool(
        context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        offered = offer(context)
        if offered is None:  # it ended after this request was let in
            return _result(Answer("The session of this tool has ended.", failed=True))
        return _result(await offered.answer(params.name, dict(params.arguments or {})))

    server: Server[Any] = Server("opencode_nb", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)
    server.middleware.clear()  # traces of each message, which nobody asked for
    return server


def _described(tool: Tool) -> types.Tool:
    reads = types.ToolAnnotations(read_only_hint=not tool.asks)
    return types.Tool(name=tool.name, description=tool.description, input_schema=tool.schema, annotations=reads)


def _result(answer: Answer) -> types.CallToolResult:
    images = [
        types.ImageContent(type="image", data=base64.b64encode(image).decode(), mime_type="image/png")
        for image in answer.images
    ]
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=answer.text), *images], is_error=answer.failed
    )


def _quieten(logger: logging.Logger) -> None:
    """Silence a library's logger, unless somebody has set its level."""
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL + 1)
