"""Faults of servers and networks, on real loopback sockets, give a clear error within a time limit."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from opencode_nb import errors
from opencode_nb.api import pump, transport
from opencode_nb.api.client import Client
from tests.api.loopback import STREAM_HEAD, Request, answering, response, serving

OK = response(b'{"healthy":true}')


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "RETRY_FIRST", 0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.get_running_loop().create_future()


async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
    """A slow loris: sends a byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def truncate(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(response(b'{"healthy":true}')[:-5])


def test_a_refused_connection_is_an_error() -> None:
    with (
        Client(f"http://127.0.0.1:{free_port()}") as client,
        pytest.raises(errors.APIConnectionError, match=r"Cannot reach .* Is it running") as caught,
    ):
        client.session.create()
    assert caught.value.retryable
    assert not caught.value.sent


@pytest.mark.parametrize("handler", [reset, truncate])
def test_a_broken_connection_is_an_error(handler: Any) -> None:
    with serving(handler) as server, Client(server.url, max_retries=1) as client:
        with pytest.raises(errors.APIConnectionError, match="the connection broke"):
            client.global_.health()
        assert len(server.requests) == 2


def test_a_request_cut_off_by_closing_its_client_is_not_repeated() -> None:
    """The repetition would open a connection that nobody closes."""
    with serving(hang) as server, Client(server.url) as client, ThreadPoolExecutor() as pool:
        cut_off = pool.submit(client.global_.health)
        while not server.requests:
            time.sleep(0.01)  # the next look
        client.close()
        with pytest.raises(errors.APIConnectionError, match="the connection broke"):
            cut_off.result(30)
        assert len(server.requests) == 1


@pytest.mark.parametrize("handler", [hang, drip])
def test_an_incomplete_answer_times_out(handler: Any) -> None:
    with serving(handler) as server, Client(server.url, timeout=0.3, max_retries=1) as client:
        with pytest.raises(errors.APITimeoutError, match="timeout="):
            client.global_.health()
        assert len(server.requests) == 2
        with pytest.raises(errors.APITimeoutError):
            client.session.prompt("ses_1", parts=[], timeout=0.2)
        assert len(server.requests) == 3


def test_raw_retries_as_usual_and_returns_the_last_response() -> None:
    unavailable = response(b'{"name": "Busy"}', status="503 Service Unavailable")
    with serving(answering(unavailable)) as server, Client(server.url, max_retries=1) as client:
        assert client.global_.health(raw=True).json() == {"name": "Busy"}
        assert len(server.requests) == 2
        assert client.session.prompt("ses_1", parts=[], raw=True).status_code == 503
        assert len(server.requests) == 3
    with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(errors.APIConnectionError):
        client.global_.health(raw=True)


@pytest.mark.parametrize("body", [b'{"healthy":', b"not json at all", b"\xff\xfe{", b"[" * 100_000])
def test_malformed_json_is_an_error(body: bytes) -> None:
    with serving(answering(response(body))) as server, Client(server.url) as client:
        with pytest.raises(errors.InvalidResponseError, match="is not what the operation returns") as caught:
            client.global_.health()
        assert len(server.requests) == 1
    assert not caught.value.retryable
    assert len(str(caught.value)) < 2000


def test_a_web_page_instead_of_json_is_not_supported() -> None:
    page = response(b"<!doctype html><html></html>", kind="text/html")
    with serving(answering(page)) as server, Client(server.url) as client:
        with pytest.raises(errors.NotSupportedError):
            client.session.list()
        with pytest.raises(errors.NotSupportedError), client.event.subscribe():
            raise AssertionError("the stream must not open")


def test_an_error_page_is_reported() -> None:
    page = response(b"<html>Bad gateway</html>", status="502 Bad Gateway", kind="text/html")
    with (
        serving(answering(page)) as server,
        Client(server.url, max_retries=0) as client,
        pytest.raises(errors.InternalServerError, match="answered 502: an HTML page"),
    ):
        client.session.list()


def test_json_instead_of_events_is_an_error() -> None:
    with (
        serving(answering(OK)) as server,
        Client(server.url) as client,
        pytest.raises(errors.InvalidResponseError),
        client.event.subscribe(),
    ):
        raise AssertionError("the stream must not open")


def test_unexpected_redirects_are_errors() -> None:
    moved = response(b"", status="302 Found", location="http://127.0.0.1:1/")
    with (
        serving(answering(moved)) as server,
        Client(server.url) as client,
        pytest.raises(errors.APIStatusError, match="answered 302"),
    ):
        client.session.list()


@pytest.mark.parametrize("status", ["429 Too Many", "500 Oops", "503 Busy", "408 Late", "409 Conflict"])
def test_a_get_is_retried(status: str) -> None:
    with serving(answering(response(status=status), OK)) as server, Client(server.url) as client:
        assert client.global_.health().healthy
        assert len(server.requests) == 2


def test_retries_are_limited() -> None:
    with serving(answering(response(status="500 Oops"))) as server, Client(server.url, max_retries=3) as client:
        with pytest.raises(errors.InternalServerError):
            client.global_.health()
        assert len(server.requests) == 4


@pytest.mark.parametrize("status", ["400 Bad", "401 Who", "403 No", "404 None", "422 Odd", "501 Never"])
def test_requests_that_cannot_succeed_are_not_retried(status: str) -> None:
    with serving(answering(response(status=status), OK)) as server, Client(server.url) as client:
        with pytest.raises(errors.APIStatusError):
            client.global_.health()
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["prompt", "prompt_async"])
@pytest.mark.parametrize("status", ["429 Too Many", "500 Oops", "503 Busy", "408 Late", "409 Conflict"])
def test_a_prompt_is_sent_once(status: str, name: str) -> None:
    with serving(answering(response(status=status), OK)) as server, Client(server.url) as client:
        with pytest.raises(errors.APIStatusError):
            getattr(client.session, name)("ses_1", parts=[])
        assert len(server.requests) == 1


def test_a_post_is_retried_only_if_it_was_refused() -> None:
    with serving(answering(response(status="429 Too Many"), OK)) as server, Client(server.url) as client:
        client.session.create()
        assert len(server.requests) == 2
    with serving(answering(response(status="500 Oops"), OK)) as server, Client(server.url) as client:
        with pytest.raises(errors.InternalServerError):
            client.session.create()
        assert len(server.requests) == 1


def test_a_post_whose_connection_broke_is_not_retried() -> None:
    with serving(reset) as server, Client(server.url) as client:
        with pytest.raises(errors.APIConnectionError) as caught:
            client.session.create()
        assert len(server.requests) == 1
    assert caught.value.sent


def waits(monkeypatch: pytest.MonkeyPatch, **headers: str) -> list[float]:
    """Return the waits before retrying a 429 with these headers."""
    asked: list[float] = []
    delay = transport._delay

    def remember(error: errors.OpencodeError, attempt: int) -> float:
        asked.append(delay(error, attempt))
        return 0.0

    monkeypatch.setattr(transport, "_delay", remember)
    with serving(answering(response(b"", status="429 Wait", **headers), OK)) as server, Client(server.url) as client:
        client.global_.health()
    return asked


def test_retry_after_ms_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits(monkeypatch, retry_after_ms="100", retry_after="30") == [0.1]


def test_retry_after_in_seconds_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits(monkeypatch, retry_after="1.5") == [1.5]


def test_retry_after_as_a_date_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    (asked,) = waits(monkeypatch, retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True))
    assert 0 < asked <= 20


@pytest.mark.parametrize("value", ["soon", "-3", "nan", "inf", ""])
def test_an_invalid_retry_after_is_ignored(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (asked,) = waits(monkeypatch, retry_after=value)
    assert 0 < asked <= 0.01


def test_a_retry_after_of_an_hour_raises_at_once() -> None:
    busy = response(status="429 Wait", retry_after="3600")
    with serving(answering(busy)) as server, Client(server.url) as client:
        with pytest.raises(errors.RateLimitError) as caught:
            client.global_.health()
        assert len(server.requests) == 1
    assert caught.value.retry_after == 3600


def test_operations_that_wait_for_a_model_get_an_hour() -> None:
    async def late(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(response(json.dumps({"info": {}, "parts": []}).encode()))

    with serving(late) as server, Client(server.url, timeout=0.1, max_retries=0) as client:
        assert client.session.prompt("ses_1", parts=[]).parts == []
        with pytest.raises(errors.APITimeoutError):
            client.session.list()


def test_an_event_stream_that_does_not_answer_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "OPEN_TIMEOUT", 0.2)
    with (
        serving(hang) as server,
        Client(server.url) as client,
        pytest.raises(errors.APITimeoutError),
        client.event.subscribe(),
    ):
        raise AssertionError("the stream must not open")


def test_nothing_is_sent_to_a_server_that_is_not_ready() -> None:
    asked: list[str] = []

    async def ready() -> None:
        asked.append("ready?")
        if len(asked) in (1, 4):
            raise errors.ServerExitedError("away")

    with serving(answering(response(status="500 Oops"), OK)) as server, Client(server.url, ready=ready) as client:
        with pytest.raises(errors.ServerExitedError):
            client.global_.health()
        assert server.requests == []
        assert client.copy(timeout=5).global_.health().healthy
        with pytest.raises(errors.ServerExitedError), client.event.subscribe():
            raise AssertionError("the stream must not open")
        assert len(server.requests) == 2


def test_requests_to_this_machine_bypass_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with serving(answering(OK), "127.0.0.2") as server, Client(server.url, password="secret") as client:
        assert client.global_.health().healthy


def test_a_stream_that_falls_silent_counts_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "STALE_AFTER", 0.2)

    async def mute(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + b'data: {"type":"server.connected"}\n\n')
        await hang(request, writer)

    with serving(mute) as server, Client(server.url) as client, client.event.subscribe() as events:
        kinds = [next(events).type for _ in range(4)]
    assert kinds == ["server.connected", "client.disconnected", "client.reconnected", "server.connected"]
