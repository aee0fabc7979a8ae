"""The MCP server of the process: who gets in, what it advertises, and what becomes of a call."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import pytest

from opencode_nb import portal
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.offer import MOST_CHARACTERS, MOST_IMAGE_BYTES, MOST_IMAGES, Admitted, Offer, RefusedError
from opencode_nb.tools.privacy import Gate, Level, Outgoing, Piece
from opencode_nb.tools.server import Endpoint, here
from opencode_nb.tools.tool import Call, Json, Result, Tool

NAME = "nb00000000"
SECONDS = 30.0


def says(*texts: str, images: tuple[bytes, ...] = ()) -> Result:
    return Result(Outgoing("it", tuple(map(Piece, texts)), images))


class Desk:
    """An offer with tools that behave and misbehave; `ended` is set when nobody waits for a call any more."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.ended, self.hung, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.refuse = ""
        self.offer = Offer(self._admit, lambda: Gate(Level.FULL, Ledger()))
        self.give(Level.FULL)

    def give(self, level: Level) -> None:
        tools = {"echo": self._echo, "fails": self._fails, "hangs": self._hangs, "much": self._much}
        self.offer.set([_tool(name, call) for name, call in tools.items()], Gate(level, Ledger()))

    async def _admit(self, tool: Tool, arguments: Json) -> Admitted:
        if self.refuse:
            raise RefusedError(self.refuse)
        return Admitted(Call("ses_1", arguments), lambda blocks: None, self._over, lambda: None)

    async def _over(self) -> None:
        await self.ended.wait()

    async def _echo(self, call: Call) -> Result:
        self.order.append(f"{call.arguments['text']} begins")
        await asyncio.sleep(0)
        self.order.append(f"{call.arguments['text']} ends")
        return says(call.arguments["text"])

    async def _fails(self, call: Call) -> Result:
        raise LookupError("row 7 of the patients")

    async def _hangs(self, call: Call) -> Result:
        self.hung.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        raise AssertionError

    async def _much(self, call: Call) -> Result:
        return says("first", "x" * 5_000_000, "last", images=(b"small",) * 20 + (b"x" * (MOST_IMAGE_BYTES + 1),))


def _tool(name: str, call: Callable[[Call], Awaitable[Result]]) -> Tool:
    return Tool(name, f"{name} it", {"type": "object", "properties": {}}, call)


class Caller:
    """Speaks MCP to an endpoint, from a thread other than the server's."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def post(self, method: str, params: Json, **headers: str) -> httpx.Response:
        own = {"authorization": f"Bearer {self.endpoint.token}", "accept": "application/json, text/event-stream"}
        kept = {name: value for name, value in (own | headers).items() if value}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return httpx.post(self.endpoint.url, json=body, headers=kept, timeout=SECONDS, trust_env=False)

    def result(self, method: str, **params: Any) -> Json:
        lines = self.post(method, params).text.splitlines()
        answer: Json = httpx.Response(200, text=next(line[6:] for line in lines if line.startswith("data: "))).json()
        return dict(answer.get("result") or answer)

    def call(self, name: str, **arguments: Any) -> tuple[str, bool]:
        result = self.result("tools/call", name=name, arguments=arguments)
        return result["content"][0]["text"], result["isError"]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def caller(desk: Desk) -> Caller:
    return Caller(portal.run(_serve, desk.offer))


async def _serve(offer: Offer) -> Endpoint:
    return await here().serve(NAME, offer)


async def _withdraw(offer: Offer) -> None:
    here().withdraw(NAME, offer)


def test_only_tools_are_advertised(caller: Caller) -> None:
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    assert list(caller.result("initialize", **client)["capabilities"]) == ["tools"]
    assert [tool["name"] for tool in caller.result("tools/list")["tools"]] == ["echo", "fails", "hangs", "much"]
    for method in ("resources/list", "resources/templates/list", "prompts/list"):
        assert caller.result(method)["error"]["code"] == -32601


def test_whoever_lacks_the_token_or_comes_from_elsewhere_is_refused(caller: Caller) -> None:
    def status(**headers: str) -> int:
        return caller.post("tools/list", {}, **headers).status_code

    port = caller.endpoint.url.split("/")[2].split(":")[1]
    assert status() == 200
    assert status(origin=f"http://127.0.0.1:{port}") == 200
    assert {status(authorization=given) for given in ("", "Bearer", "Bearer wrong", caller.endpoint.token)} == {401}
    assert {status(origin=given) for given in ("null", "http://127.0.0.1:1", f"http://localhost:{port}")} == {403}
    assert {status(host=given) for given in ("evil.example", f"localhost:{port}", "127.0.0.1", "127.0.0.1:1")} == {421}


def test_a_token_opens_its_own_session_only(caller: Caller) -> None:
    other = Desk()
    theirs = portal.run(lambda: here().serve("nb11111111", other.offer))
    assert Caller(Endpoint(theirs.url, caller.endpoint.token)).post("tools/list", {}).status_code == 401
    assert Caller(theirs).post("tools/list", {}).status_code == 200


def test_the_tools_of_an_ended_session_are_refused(desk: Desk, caller: Caller) -> None:
    portal.run(_withdraw, desk.offer)
    assert caller.post("tools/list", {}).status_code == 404


def test_another_offer_takes_the_name_and_cannot_be_withdrawn_by_the_first(desk: Desk, caller: Caller) -> None:
    new = Desk()
    replaced = Caller(portal.run(_serve, new.offer))
    portal.run(_withdraw, desk.offer)
    assert caller.post("tools/list", {}).status_code == 401
    assert replaced.post("tools/list", {}).status_code == 200


def test_calls_run_one_at_a_time_in_order(desk: Desk) -> None:
    async def both() -> None:
        await asyncio.gather(*(desk.offer.answer("echo", {"text": text}) for text in "abc"))

    portal.run(both)
    assert desk.order == [f"{text} {what}" for text in "abc" for what in ("begins", "ends")]


def test_tools_given_by_several_pass_the_gate_of_who_gave_them(desk: Desk, caller: Caller) -> None:
    async def secret(_call: Call) -> Result:
        return says("rows")

    desk.give(Level.NAMES)
    desk.offer.set([_tool("other", secret)], Gate(Level.FULL, Ledger()), by="another")
    assert caller.call("other") == ("rows", False)
    assert "rows" not in caller.call("echo", text="rows")[0]
    desk.offer.set((), Gate(Level.FULL, Ledger()))
    assert [tool.name for tool in desk.offer.tools] == ["other"]


def test_two_tools_of_one_name_are_refused(desk: Desk) -> None:
    before = desk.offer.tools
    with pytest.raises(ValueError, match="'echo' already"):
        desk.offer.set([_tool("echo", desk._hangs)], Gate(Level.FULL, Ledger()), by="another")
    assert desk.offer.tools == before


def test_a_failing_tool_is_an_answer_that_keeps_the_privacy_level(desk: Desk, caller: Caller) -> None:
    text, failed = caller.call("fails")
    assert failed
    assert "LookupError" in text
    assert "row 7 of the patients" in text
    desk.give(Level.SUMMARY)
    text, failed = caller.call("fails")
    assert failed
    assert "LookupError" in text
    assert "patients" not in text
    assert caller.call("echo", text="still there")[1] is False


def test_a_refused_or_unknown_call_is_an_answer(desk: Desk, caller: Caller) -> None:
    assert caller.call("nothing") == ("There is no tool 'nothing' here. There are: echo, fails, hangs, much.", True)
    desk.refuse = "Not allowed."
    assert caller.call("echo", text="a") == ("Not allowed.", True)
    assert desk.order == []


def test_answers_have_limits(caller: Caller) -> None:
    result = caller.result("tools/call", name="much", arguments={})
    text, images = result["content"][0]["text"], result["content"][1:]
    assert len(text) < MOST_CHARACTERS + 200
    assert text.startswith("first")
    assert "characters left out" in text
    assert text.endswith("last\n[13 of 21 images left out: too many, or too large.]")
    assert len(images) == MOST_IMAGES


def test_a_call_that_nobody_waits_for_is_cancelled(desk: Desk) -> None:
    async def stop() -> tuple[str, bool]:
        call = asyncio.create_task(desk.offer.answer("hangs", {}))
        await desk.hung.wait()
        desk.ended.set()
        answer = await call
        return answer.text, desk.cancelled.is_set()

    text, cancelled = portal.run(stop)
    assert text.startswith("Stopped")
    assert cancelled


def test_the_socket_is_closed_in_a_forked_child(caller: Caller) -> None:
    """Else a child that outlives the kernel would keep the port, and requests to it would hang."""
    port = int(caller.endpoint.url.split("/")[2].split(":")[1])
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_tell_listeners, args=(theirs,))
    process.start()
    listening: list[int] = ours.recv()
    process.join(SECONDS)
    assert port not in listening
    assert port in _listening()
    assert caller.post("tools/list", {}).status_code == 200


def _tell_listeners(connection: Connection) -> None:
    connection.send(_listening())


def _listening() -> list[int]:
    """Return the ports on which this process listens."""
    found = []
    for number in (int(entry.name) for entry in list(Path("/proc/self/fd").iterdir())):
        try:
            copy = socket.socket(fileno=os.dup(number))
        except OSError:  # not a socket, or closed meanwhile
            continue
        with copy:
            if copy.family == socket.AF_INET and copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.append(copy.getsockname()[1])
    return found
