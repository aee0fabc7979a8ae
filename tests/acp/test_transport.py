"""An agent that was started elsewhere, and is reached by a transport of the caller's own: here, over TCP."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from tests.acp.conftest import MakeAgent


class Tcp:
    """Messages as lines over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, message: dict[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")
        await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        line = await self._reader.readline()
        return json.loads(line) if line else None

    async def close(self) -> None:
        self._writer.close()


@pytest.fixture
def port(make_agent: MakeAgent) -> Iterator[int]:
    """Serve an agent, a process for each connection, which ends in the turn for "die"."""
    command = make_agent("""
def prompt(params):
    text = params["prompt"][0]["text"]
    if text == "die":
        os._exit(3)
    say(text.upper())
    return {"stopReason": "end_turn"}
""")

    def serve() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:  # closed
                return
            with connection:
                subprocess.run(command, stdin=connection, stdout=connection, check=False)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_an_agent_is_reached_over_tcp_and_again_after_it_was_lost(port: int, tmp_path: Path) -> None:
    async def connect() -> oc.Transport:
        return Tcp(*await asyncio.open_connection("127.0.0.1", port))

    with oc.AcpAgent(transport=connect, cwd=tmp_path) as agent:
        session = agent.session()
        assert session.prompt("hello").text == "HELLO"
        with pytest.raises(oc.ServerGoneError, match=r"closed its output.*Transport: Tcp\."):
            session.prompt("die")
        assert session.prompt("again").text == "AGAIN"


def test_an_agent_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    async def refused() -> oc.Transport:
        raise ConnectionRefusedError("nobody listens")

    async def hangs() -> oc.Transport:
        await asyncio.Event().wait()
        raise AssertionError

    for connect, why in ((refused, "nobody listens"), (hangs, "no answer within")):
        agent = oc.AcpAgent(transport=connect, cwd=tmp_path, start_timeout=0.2)
        with pytest.raises(oc.ServerStartError, match=f"cannot be reached: {why}"):
            agent.start()
    with pytest.raises(ValueError, match="command= or transport="):
        oc.AcpAgent(["qwen"], transport=refused)
