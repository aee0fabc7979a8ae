"""Terminals over their websocket on the real server, and faults of a server on a loopback socket."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from opencode_nb import errors
from opencode_nb.api.client import AsyncClient, Client
from opencode_nb.server import Server
from tests.api.loopback import Handler, Request, answering, response, serving

WAIT = 30.0  # seconds that the machine may take


def until(terminal: Any, ending: str) -> str:
    """Return the output up to its expected end."""
    output = ""
    while not output.endswith(ending):
        piece = terminal.receive(timeout=WAIT)
        assert piece is not None, f"the terminal ended after {output!r}"
        output += piece
    return output


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_terminal_sends_and_receives_until_its_program_ends(client: Client, version: str) -> None:
    pty = client.pty if version == "v1" else client.v2.pty
    made = pty.create(command="/bin/cat")
    terminal_id = made.get("data", made).id
    with pty.connect(terminal_id) as terminal:
        terminal.send("größe 🌡\n")
        assert until(terminal, "größe 🌡\r\ngröße 🌡\r\n")
        assert terminal.cursor == 20  # the bulb is two UTF-16 units
    with pty.connect(terminal_id, cursor=10) as terminal:
        assert until(terminal, "größe 🌡\r\n") == "größe 🌡\r\n"
        terminal.send("\x04")
        assert list(terminal) == []


def test_a_terminal_works_from_async_code(server: Server, project: Path) -> None:
    async def use() -> None:
        async with AsyncClient(server.url, password=server.password, directory=project) as client:
            made = await client.pty.create(command="/bin/sh", args=["-c", "read name; echo hello $name"])
            async with client.pty.connect(made.id) as terminal:
                await terminal.send("world\n")
                assert "".join([text async for text in terminal]).endswith("hello world\r\n")

    asyncio.run(use())


def test_a_ticket_replaces_the_password(server: Server, client: Client) -> None:
    made = client.pty.create(command="/bin/cat")
    ticket = client.pty.connect_token(made.id).ticket
    with Client(server.url, directory=client.directory) as stranger:
        with stranger.pty.connect(made.id, ticket=ticket) as terminal:
            terminal.send("x\n")
            until(terminal, "x\r\nx\r\n")
        with (
            pytest.raises(errors.PermissionDeniedError, match="403"),
            stranger.pty.connect(made.id, ticket=ticket),
        ):
            raise AssertionError("a ticket admits once")
        with pytest.raises(errors.AuthenticationError, match="password="), stranger.pty.connect(made.id):
            raise AssertionError("there is no way in without either")


def test_a_missing_terminal_is_an_error(client: Client) -> None:
    client.pty.list()  # the server never answers a websocket in a directory that it has not opened yet
    wanted = client.pty.connect("pty_missing")
    with pytest.raises(errors.NotFoundError, match="GET /pty/pty_missing/connect answered 404"), wanted:
        raise AssertionError("there is nothing to connect to")


def test_closing_from_another_thread_ends_the_reader(client: Client) -> None:
    made = client.pty.create(command="/bin/cat")
    seen: list[str] = []
    reading = threading.Event()

    def read(terminal: Any) -> None:
        for text in terminal:
            seen.append(text)
            reading.set()

    with client.pty.connect(made.id) as terminal:
        reader = threading.Thread(target=read, args=(terminal,))
        reader.start()
        terminal.send("x\n")
        assert reading.wait(WAIT)
        terminal.close()
        reader.join(WAIT)
        assert not reader.is_alive()
        assert list(terminal) == []
    assert client.pty.get(made.id).status == "running"


def test_receive_times_out(client: Client) -> None:
    made = client.pty.create(command="/bin/cat")
    with client.pty.connect(made.id) as terminal:
        with pytest.raises(errors.APITimeoutError):
            terminal.receive(timeout=0.01)
        terminal.send("still there\n")
        until(terminal, "still there\r\nstill there\r\n")


def test_a_terminal_outside_a_with_statement_is_an_error(client: Client) -> None:
    with pytest.raises(RuntimeError, match="`with`"):
        client.pty.connect("pty_1").send("x")


# --- what a server may do wrong ---------------------------------------------------------------------------------------


def connect(url: str, **options: Any) -> None:
    with Client(url) as client, client.pty.connect("pty_1", **options):
        raise AssertionError("the websocket must not open")


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (response(b"<html>", kind="text/html"), errors.NotSupportedError, "a page instead of a websocket"),
        (response(b'{"_tag":"X","message":"no"}', status="500 Oh"), errors.InternalServerError, "X: no"),
        (b"nonsense\r\n\r\n", errors.APIConnectionError, "the connection failed"),
    ],
)
def test_an_answer_that_opens_no_websocket_is_an_error(answer: bytes, error: type[Exception], message: str) -> None:
    with serving(answering(answer)) as server, pytest.raises(error, match=message):
        connect(server.url)


def test_a_server_that_does_not_answer_times_out() -> None:
    async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.get_running_loop().create_future()

    with serving(hang) as server, pytest.raises(errors.APITimeoutError):
        connect(server.url, timeout=0.2)


def test_an_unreachable_server_is_an_error() -> None:
    with serving(answering(b"")) as server:
        server.stop()
        with pytest.raises(errors.APIConnectionError, match="still running"):
            connect(server.url)


def _upgraded(frames: bytes) -> Handler:
    """Open the websocket, send the frames, and cut the connection."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
        accept = b64encode(sha1(key.encode()).digest()).decode()
        head = f"HTTP/1.1 101 Go\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
        writer.write(head.encode() + frames)

    return handle


def test_a_cut_connection_is_an_error_not_the_end() -> None:
    frames = b"\x81\x02hi" + b"\x82\x03\x00{]" + b"\x82\x04\x00[1]" + b"\x82\x02no"
    with serving(_upgraded(frames)) as server, Client(server.url) as client, client.pty.connect("pty_1") as terminal:
        assert terminal.receive(timeout=WAIT) == "hi"
        with pytest.raises(errors.APIConnectionError, match="reconnect"):
            terminal.receive(timeout=WAIT)
        with pytest.raises(errors.APIConnectionError, match="reconnect"):
            terminal.send("x")
    assert terminal.cursor is None
