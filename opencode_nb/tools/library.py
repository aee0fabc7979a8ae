"""The `mcp` library's side of the MCP server: it answers calls, and whatever the handshake does not.

Slow to import (see handshake.py): http.py does so, on a thread.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import ASGIApp, Receive, Scope, Send

from opencode_nb._version import __version__
from opencode_nb.tools.handshake import NAME, described
from opencode_nb.tools.offer import Answer, Offer

Find = Callable[[str], Offer | None]
"""Return the offer served at a path, or None."""


def application(find: Find) -> ASGIApp:
    """Return the ASGI application of all offers, for requests that were let in. Each is answered on its own."""
    server = _mcp_server(find)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        manager = StreamableHTTPSessionManager(server, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    return answer


def _mcp_server(find: Find) -> Server[Any]:
    """Return the MCP server of all offers. It has tools only: resources and prompts would show in every session."""

    def offer(context: ServerRequestContext[Any, Any]) -> Offer | None:
        return find(context.request.scope["path"]) if context.request is not None else None

    async def list_tools(context: ServerRequestContext[Any, Any], _params: object) -> types.ListToolsResult:
        offered = offer(context)
        return types.ListToolsResult.model_validate({"tools": list(map(described, offered.tools if offered else ()))})

    async def call_tool(
        context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        offered = offer(context)
        if offered is None:  # it ended after this request was let in
            return _result(Answer("The session of this tool has ended.", failed=True))
        return _result(await offered.answer(params.name, dict(params.arguments or {})))

    server: Server[Any] = Server(NAME, version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)
    server.middleware.clear()  # traces of each message, which nobody asked for
    return server


def _result(answer: Answer) -> types.CallToolResult:
    images = [
        types.ImageContent(type="image", data=base64.b64encode(image).decode(), mime_type="image/png")
        for image in answer.images
    ]
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=answer.text), *images], is_error=answer.failed
    )
