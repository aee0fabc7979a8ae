"""The handshake: the same answers as the library's, without importing it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb import portal
from opencode_nb.tools import handshake
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.offer import Admitted, Offer
from opencode_nb.tools.privacy import Gate, Level
from opencode_nb.tools.server import here
from opencode_nb.tools.tool import Call, Json, Result, Tool

NAME = "nb00000001"
SECONDS = 30.0
EXACT = "application/json, text/event-stream"
"""The Accept header of the opencode server."""
LIBRARY = "text/event-stream, application/json"
"""One that means the same, but is left to the library."""

MODERN = "2026-07-28"
"""A protocol version without a handshake."""

Told = tuple[int, str, Any]


async def _none(_call: Call) -> Result:
    raise AssertionError


async def _admit(_tool: Tool, arguments: Json) -> Admitted:
    raise AssertionError


SCHEMA: Json = {
    "type": "object",
    "properties": {"code": {"type": "string", "description": "Python: é, ☃"}, "most": {"type": ["integer", "null"]}},
    "required": ["code"],
    "additionalProperties": False,
}
TOOLS = (Tool("python", "Runs code.\n\nAsks.", SCHEMA, _none, asks=True), Tool("list", "", {"type": "object"}, _none))


class Asker:
    """Sends messages to the tools of `offer`, answered by the handshake or by the library."""

    def __init__(self, http: httpx.Client) -> None:
        self.offer = Offer(_admit, lambda: Gate(Level.FULL, Ledger()))
        self.give(TOOLS)
        self._http = http
        self._endpoint = portal.run(lambda: here().serve(NAME, self.offer))

    def give(self, tools: Iterable[Tool]) -> None:
        self.offer.set(tools, Gate(Level.FULL, Ledger()))

    def ask(self, accept: str, message: object, version: str | None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._endpoint.token}", "accept": accept}
        named = {"mcp-protocol-version": version} if version else {}
        return self._http.post(self._endpoint.url, json=message, headers=headers | named)

    def both(self, message: object, version: str | None) -> tuple[Told, Told]:
        """Return what the handshake, or whoever it leaves it to, and the library tell."""
        ours, theirs = (told(self.ask(accept, message, version)) for accept in (EXACT, LIBRARY))
        return ours, theirs


@pytest.fixture(scope="module")
def asker() -> Iterator[Asker]:
    with httpx.Client(timeout=SECONDS, trust_env=False) as http:
        yield Asker(http)


def told(response: httpx.Response) -> Told:
    """Return a response's status and content type, and the message in its event stream."""
    text = response.text
    framed = text.startswith("event: message\r\ndata: ") and text.endswith("\r\n\r\n")
    return response.status_code, response.headers["content-type"], json.loads(text[22:]) if framed else text


def greeting(version: str) -> Json:
    """Return what opencode 1.18.33 begins with."""
    client = {"name": "opencode", "version": "1.18.33"}
    params = {"protocolVersion": version, "capabilities": {"roots": {}}, "clientInfo": client}
    return {"method": "initialize", "params": params, "jsonrpc": "2.0", "id": 0}


def messages(version: str) -> list[tuple[Json, str | None]]:
    """Return the messages of a handshake, each with the protocol version in its header."""
    return [
        (greeting(version), None),
        ({"method": "notifications/initialized", "jsonrpc": "2.0"}, version),
        ({"method": "ping", "jsonrpc": "2.0", "id": "a"}, version),
        ({"method": "tools/list", "jsonrpc": "2.0", "id": 1}, version),
    ]


@pytest.mark.parametrize("version", handshake.VERSIONS)
def test_the_answers_of_a_handshake_are_those_of_the_library(asker: Asker, version: str) -> None:
    for message, header in messages(version):
        body = json.dumps(message).encode()
        assert handshake.answer(body, TOOLS) is not None
        ours, theirs = asker.both(message, header)
        assert ours == theirs


def test_all_versions_with_a_handshake_are_known() -> None:
    from mcp_types import version  # heavy

    assert version.HANDSHAKE_PROTOCOL_VERSIONS == handshake.VERSIONS
    assert MODERN in version.MODERN_PROTOCOL_VERSIONS


@pytest.mark.parametrize("version", [MODERN, "2031-01-01"])
def test_a_newer_version_is_answered_with_the_newest_of_the_handshake(asker: Asker, version: str) -> None:
    ours, theirs = asker.both(greeting(version), None)
    assert ours == theirs
    assert ours[2]["result"]["protocolVersion"] == handshake.VERSIONS[-1]


values = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9)
properties = st.dictionaries(st.text(max_size=9), st.dictionaries(st.sampled_from(["default", "title"]), values))
schemas = st.builds(lambda known: {"type": "object", "properties": known, "x-own": [None]}, properties)
listed = st.lists(
    st.builds(Tool, st.text(min_size=1), st.text(), schemas, st.just(_none), asks=st.booleans()),
    unique_by=lambda tool: tool.name,
    max_size=2,
)


@settings(max_examples=10, deadline=None)
@given(listed)
def test_any_tools_are_listed_as_the_library_lists_them(asker: Asker, tools: list[Tool]) -> None:
    asker.give(tools)
    ours, theirs = asker.both(*messages(handshake.VERSIONS[-1])[-1])
    assert ours == theirs


def no_client() -> Json:
    message = greeting(handshake.VERSIONS[-1])
    del message["params"]["clientInfo"]
    return message


@pytest.mark.parametrize(
    "message",
    [
        no_client(),
        [greeting(handshake.VERSIONS[-1])],
        {"method": "tools/list", "jsonrpc": "2.0", "id": 1, "params": {"cursor": "x"}},
        {"method": "tools/list", "jsonrpc": "2.0", "id": None},
        {"method": "tools/list", "jsonrpc": "1.0", "id": 1},
        {"method": "tools/call", "jsonrpc": "2.0", "id": 1, "params": {"name": "nothing"}},
        {"method": "resources/list", "jsonrpc": "2.0", "id": 1},
        {"method": "notifications/cancelled", "jsonrpc": "2.0", "params": {"requestId": 1}},
        {"method": {}, "jsonrpc": "2.0", "id": 1},
        "tools/list",
    ],
)
def test_whatever_else_is_left_to_the_library(asker: Asker, message: object) -> None:
    assert handshake.answer(json.dumps(message).encode(), TOOLS) is None
    ours, theirs = asker.both(message, handshake.VERSIONS[-1])
    assert ours == theirs


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5000])
def test_what_is_not_json_is_left_to_the_library(body: bytes) -> None:
    assert handshake.answer(body, TOOLS) is None


@pytest.mark.parametrize(
    "headers",
    [{"content-length": "10000"}, {"content-length": ""}, {"accept": LIBRARY}, {"content-type": "text/plain"}]
    + [{"mcp-protocol-version": version} for version in ("", MODERN)],
)
def test_requests_of_another_form_are_left_to_the_library(headers: dict[str, str]) -> None:
    usual = {"content-length": "46", "accept": EXACT, "content-type": "application/json"}
    assert handshake.may_answer(usual)
    assert not handshake.may_answer(usual | headers)


CONNECTS = """
import asyncio, json, sys
import httpx
from opencode_nb import portal
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.offer import Offer
from opencode_nb.tools.privacy import Gate, Level
from opencode_nb.tools.server import here

offer = Offer(None, None)
endpoint = portal.run(lambda: here().serve("nb00000002", offer))
headers = {"authorization": f"Bearer {endpoint.token}", "accept": "application/json, text/event-stream"}

def post(message):
    return httpx.post(endpoint.url, json=message, headers=headers, timeout=30, trust_env=False).text

for message in json.loads(sys.argv[1]):
    post(message)
HEAVY = {"mcp", "mcp_types", "pydantic", "starlette"}
print(HEAVY & set(sys.modules))

async def prepared():
    task = here().prepare()
    assert task is not None
    await task

portal.run(prepared)
print(HEAVY <= set(sys.modules))
print("There is no tool 'x' here" in post({"method": "tools/call", "jsonrpc": "2.0", "id": 2, "params": {"name": "x"}}))
"""


def test_the_library_is_imported_for_calls_only() -> None:
    """Else the first prompt, in which the server connects, would wait for it."""
    given = json.dumps([message for message, _version in messages(handshake.VERSIONS[-1])])
    told = subprocess.run([sys.executable, "-c", CONNECTS, given], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:3] == ["set()", "True", "True"]
