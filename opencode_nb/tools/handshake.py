"""Answers what an MCP client asks before its first call, as the `mcp` library does, but without importing it.

Why: the library takes a second of a processor to import (it builds a thousand pydantic models), and the opencode server
connects while the user's first prompt waits. Whatever is not exactly as expected is left to the library. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from opencode_nb._version import __version__
from opencode_nb.tools.tool import Json, Tool

NAME = "opencode_nb"

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The protocol versions that begin with this handshake, oldest first."""

LENGTH_DIGITS = 4
"""Digits of a message's length in bytes: a handshake's have hundreds, a call's can have millions."""

ACCEPTED = b""
"""The answer to a notification."""


def described(tool: Tool) -> Json:
    """Return a tool as MCP lists it."""
    annotations = {"readOnlyHint": not tool.asks, **{_in_json(name): hint for name, hint in tool.hints}}
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.schema,
        "annotations": annotations,
    }


def _in_json(name: str) -> str:
    """Return "readOnlyHint" for "read_only_hint"."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def may_answer(headers: Mapping[str, str]) -> bool:
    """Whether a POST with these headers (names in lower case) may be a message to answer here."""
    return (
        0 < len(headers.get("content-length", "")) <= LENGTH_DIGITS
        and headers.get("content-type") == "application/json"
        and headers.get("accept") == "application/json, text/event-stream"
        and headers.get("mcp-protocol-version", VERSIONS[-1]) in VERSIONS
    )


def answer(body: bytes, tools: Iterable[Tool]) -> bytes | None:
    """Return the event stream that answers a message, ACCEPTED, or None if the library is to answer."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match message:
        case {"jsonrpc": "2.0", "id": int() | str() as request, "method": str(method)}:
            result = _result(method, message.get("params"), tools)
            return None if result is None else _event({"jsonrpc": "2.0", "id": request, "result": result})
        case {"jsonrpc": "2.0", "method": "notifications/initialized"}:
            return ACCEPTED
    return None


def _result(method: str, params: object, tools: Iterable[Tool]) -> Json | None:
    match method, params:
        case (
            "initialize",
            {"protocolVersion": str(version), "capabilities": {}, "clientInfo": {"name": str(), "version": str()}},
        ):
            return {
                "protocolVersion": version if version in VERSIONS else VERSIONS[-1],
                "capabilities": {"tools": {"listChanged": False}},
                "serverInfo": {"name": NAME, "version": __version__},
            }
        case "ping", None:
            return {}
        case "tools/list", None:
            return {"tools": [described(tool) for tool in tools]}
    return None


def _event(message: Json) -> bytes:
    return f"event: message\r\ndata: {json.dumps(message)}\r\n\r\n".encode()
