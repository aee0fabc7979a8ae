"""Two small MCP servers: a program on stdin and stdout, and one over HTTP that requires a login.

`python tests/api/mcp_parts.py` runs the program, without access to the tests' modules. Both speak JSON-RPC 2.0, as in
the protocol of 2025-06-18.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

TOKEN = "a-token-of-the-loopback"


def answer(request: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer to a message; None for a notification."""
    results: dict[str, Callable[[], Any]] = {
        "initialize": lambda: {
            "protocolVersion": request["params"]["protocolVersion"],
            "capabilities": {"tools": {}, "resources": {}},
            "serverInfo": {"name": "small", "version": "1"},
        },
        "ping": dict,
        "tools/list": lambda: {"tools": [{"name": "add", "description": "Adds", "inputSchema": {"type": "object"}}]},
        "tools/call": lambda: {"content": [{"type": "text", "text": "added"}]},
        "resources/list": lambda: {"resources": [{"uri": "note://one", "name": "one", "mimeType": "text/plain"}]},
    }
    if "id" not in request:
        return None
    made = results.get(request["method"])
    outcome = {"result": made()} if made else {"error": {"code": -32601, "message": "Method not found"}}
    return {"jsonrpc": "2.0", "id": request["id"], **outcome}


async def guarded(request: Any, writer: asyncio.StreamWriter) -> None:
    """The HTTP server at /mcp, with all of OAuth: register, authorize (never visited), token."""
    from tests.api.loopback import response

    origin = f"http://{request.headers['host']}"
    pages = {
        "/.well-known/oauth-protected-resource": {"resource": f"{origin}/mcp", "authorization_servers": [origin]},
        "/.well-known/oauth-authorization-server": {
            "issuer": origin,
            "authorization_endpoint": f"{origin}/authorize",
            "token_endpoint": f"{origin}/token",
            "registration_endpoint": f"{origin}/register",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        },
        "/token": {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600},
    }
    path = urlsplit(request.target).path.removesuffix("/mcp")
    if request.target == "/mcp":
        writer.write(_mcp(request, origin))
    elif path == "/register":
        client = {**json.loads(request.body), "client_id": "a-client"}
        writer.write(response(json.dumps(client).encode(), status="201 Created"))
    elif path in pages:
        writer.write(response(json.dumps(pages[path]).encode()))
    else:
        writer.write(response(status="404 Not Found"))


def _mcp(request: Any, origin: str) -> bytes:
    from tests.api.loopback import response

    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        where = f'Bearer resource_metadata="{origin}/.well-known/oauth-protected-resource/mcp"'
        return response(status="401 Unauthorized", www_authenticate=where)
    if request.method != "POST":
        return response(status="405 Method Not Allowed")
    answered = answer(json.loads(request.body))
    return response(json.dumps(answered).encode()) if answered else response(status="202 Accepted")


def main() -> None:
    for line in sys.stdin:
        answered = answer(json.loads(line))
        if answered:
            print(json.dumps(answered), flush=True)


if __name__ == "__main__":
    main()
