"""Reading streams of a server on this machine: however it frames them, and whatever breaks."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from opencode_nb import errors
from opencode_nb.api.client import Client
from opencode_nb.portal import run
from tests.api.loopback import STREAM_HEAD, Handler, Request, serving

HEAD = STREAM_HEAD.removesuffix(b"\r\n")
EVENTS = [b'data: {"type":"server.connected"}\n\n', b'data: {"type":"one"}\n\n', b'data: {"type":"\xc3\xa9"}\n\n']
WHOLE = b"".join(EVENTS)
KINDS = ["server.connected", "one", "é"]


def chunked(*pieces: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"transfer-encoding: chunked\r\n\r\n" + body


def writing(answer: bytes, size: int = 1 << 16) -> Handler:
    """Write the response in pieces, and keep the connection open."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(answer), size):
            writer.write(answer[start : start + size])
            await writer.drain()
            await asyncio.sleep(0)
        await asyncio.get_running_loop().create_future()

    return handle


def closing(*answers: bytes) -> Handler:
    """Write these, each after the previous one was read, and close the connection."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            writer.write(answer)
            await asyncio.sleep(0.1)

    return handle


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    "answer",
    [
        chunked(*EVENTS),
        chunked(*(WHOLE[start : start + 5] for start in range(0, len(WHOLE), 5))),
        HEAD + b"\r\n" + WHOLE,
        HEAD + b"content-length: 1000\r\n\r\n" + WHOLE,
        b"HTTP/1.1 102 Processing\r\nx: y\r\n\r\n" + chunked(*EVENTS),
    ],
    ids=["a chunk each", "events in pieces", "until the end", "a length", "after an interim answer"],
)
def test_events_arrive_however_they_are_framed(answer: bytes, size: int) -> None:
    with serving(writing(answer, size)) as server, Client(server.url) as client, client.event.subscribe() as events:
        assert [next(events).type for _ in KINDS] == KINDS


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([chunked(*EVENTS)[:-1]], "in the middle of the answer"),
        ([HEAD + b"content-length: 1000\r\n\r\n" + WHOLE], "in the middle of the answer"),
        ([chunked(*EVENTS), b"no size\r\n"], "not HTTP"),
        ([chunked(*EVENTS), b"0\r\n\r\n"], "the server closed the stream"),
        ([HEAD + b"\r\n" + WHOLE], "the server closed the stream"),
    ],
    ids=["cut chunk", "cut length", "no chunk", "last chunk", "end"],
)
def test_the_reader_learns_how_a_stream_ended(answers: list[bytes], said: str) -> None:
    with serving(closing(*answers)) as server, Client(server.url) as client, client.event.subscribe() as events:
        kinds = [next(events).type for _ in KINDS]
        lost = next(events)
    assert kinds == KINDS
    assert lost.type == "client.disconnected"
    assert said in lost.properties.error


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n"])
def test_an_invalid_response_is_an_error(answer: bytes) -> None:
    with (
        serving(closing(answer)) as server,
        Client(server.url) as client,
        pytest.raises(errors.APIConnectionError, match="broke"),
        client.event.subscribe(),
    ):
        raise AssertionError("the stream must not open")


def test_every_address_of_a_name_is_tried() -> None:
    with serving(writing(chunked(*EVENTS)), "127.0.0.1") as server:
        url = server.url.replace("127.0.0.1", "localhost")  # which is ::1 first on many machines
        with Client(url) as client, client.event.subscribe() as events:
            assert next(events).type == "server.connected"


def test_an_error_is_raised_if_no_address_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        Client(f"http://localhost:{port}") as client,
        pytest.raises(errors.APIConnectionError, match="Cannot reach the OpenCode server"),
        client.event.subscribe(),
    ):
        raise AssertionError("the stream must not open")


def test_a_line_break_in_a_header_is_not_sent() -> None:
    with serving(writing(chunked(*EVENTS))) as server, Client(server.url) as client:
        with (
            pytest.raises(errors.APIConnectionError, match="line break"),
            client.event.subscribe(extra_headers={"x-note": "a\r\nx-opencode-directory: /"}),
        ):
            raise AssertionError("the stream must not open")
        assert server.requests == []


def test_a_custom_http_client_reads_streams_too() -> None:
    sent: list[str] = []

    async def note(request: httpx.Request) -> None:
        sent.append(request.url.path)

    own = httpx.AsyncClient(event_hooks={"request": [note]})
    with (
        serving(writing(chunked(*EVENTS))) as server,
        Client(server.url, http_client=own) as client,
        client.event.subscribe() as events,
    ):
        assert next(events).type == "server.connected"
    assert sent == ["/event"]
    run(own.aclose)  # whoever brings a client closes it
