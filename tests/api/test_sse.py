from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from opencode_nb import errors
from opencode_nb.api import pump
from opencode_nb.api.client import AsyncClient, Client
from opencode_nb.api.pump import Backlog
from opencode_nb.api.sse import Decoder, decode_event
from tests.api.loopback import STREAM_HEAD, Handler, Request, response, serving

CONNECTED = {"id": "evt_0", "type": "server.connected", "properties": {}}
WAIT = 20.0  # seconds that a thread of a test may take


def line(event: Any) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def streaming(*events: Any, then: Callable[[], Any] | None = None) -> Handler:
    """Greet, send the events, then keep the stream open or do something else."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + line(CONNECTED) + b"".join(map(line, events)))
        await writer.drain()
        if then is None:
            await asyncio.get_running_loop().create_future()

    return handle


@pytest.fixture(autouse=True)
def _short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "BACKOFF_FIRST", 0.01)
    monkeypatch.setattr(pump, "BACKOFF_MOST", 0.05)


# --- parsing ----------------------------------------------------------------------------------------------------------

STREAM = (
    ": a comment\n"
    'data: {"a":"one\u2028two\u0085three\u000bfour é"}\n\n'
    "event: message\r\nid: 7\r\ndata: {\"b\":1}\r\n\r\n"
    'data: {"c":\ndata: 2}\n\n'
    'data:{"d":3}\n\n'
    "\n\n"
    "retry: 10\n\n"
    'data: {"cut off":'
).encode()  # fmt: skip
EVENTS = [{"a": "one\u2028two\u0085three\u000bfour é"}, {"b": 1}, {"c": 2}, {"d": 3}]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 10_000])
def test_events_are_decoded_however_the_bytes_are_split(size: int) -> None:
    decoder = Decoder()
    found = [
        json.loads(data.decode(), strict=False)
        for start in range(0, len(STREAM), size)
        for data in decoder.feed(STREAM[start : start + size])
    ]
    assert found == EVENTS


def test_a_large_event_in_small_pieces_is_decoded() -> None:
    text = "x" * 5_000_000
    whole = line({"text": text})
    decoder = Decoder()
    found = [data for start in range(0, len(whole), 4096) for data in decoder.feed(whole[start : start + 4096])]
    assert json.loads(found[0]) == {"text": text}


@pytest.mark.parametrize(
    "data", [b'{"cut', b"nonsense", b"\xff\xff", b"[1]", b"3", b"null", b"{} {}", b"{}x", b"", b"[" * 200_000]
)
def test_a_malformed_event_is_skipped_and_logged(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert decode_event(data) is None
    assert "skipped" in caplog.text
    assert len(caplog.text) < 1000


# --- what waits for the reader ----------------------------------------------------------------------------------------


def test_a_reader_that_falls_too_far_behind_is_told_to_refetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "MAX_BACKLOG", 100)
    backlog = Backlog(threading.Event())
    backlog.put([b"1"], 60)
    backlog.put([b"2"], 60)
    backlog.put([b"3"], 60)
    taken = backlog.take() or []
    assert [item if isinstance(item, bytes) else item["type"] for item in taken] == [
        "client.disconnected",
        "client.reconnected",
        b"3",
    ]


def test_remaining_events_are_read_before_the_error() -> None:
    ready = threading.Event()
    backlog = Backlog(ready)
    backlog.put([b"1"])
    backlog.end(errors.APIConnectionError("gone"))
    backlog.end()
    assert backlog.take() == [b"1"]
    for _ in range(2):
        assert ready.is_set()
        with pytest.raises(errors.APIConnectionError, match="gone"):
            backlog.take()


# --- streams ----------------------------------------------------------------------------------------------------------


def test_line_separators_in_json_and_unknown_kinds_are_kept() -> None:
    strange = {
        "id": "evt_1",
        "type": "from.the.future",
        "properties": {"text": "a\u2028b\u2029c\u0085d\x1ce"},
        "more": 1,
    }
    with serving(streaming(strange)) as server, Client(server.url) as client, client.event.subscribe() as events:
        assert next(events) == CONNECTED
        event = next(events)
    assert event == strange
    assert event.properties.text == "a\u2028b\u2029c\u0085d\x1ce"


def test_one_malformed_event_does_not_end_the_stream() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + line(CONNECTED) + b'data: {"cut\n\n' + line({"type": "after"}))
        await asyncio.get_running_loop().create_future()

    with serving(handle) as server, Client(server.url) as client, client.event.subscribe() as events:
        assert [next(events).type, next(events).type] == ["server.connected", "after"]


def test_a_lost_stream_reconnects_with_markers() -> None:
    told: list[str] = []
    with (
        serving(streaming({"type": "work"})) as server,
        Client(server.url) as client,
        client.event.subscribe(on_reconnect=lambda: told.append("again")) as events,
    ):
        assert [next(events).type for _ in range(2)] == ["server.connected", "work"]
        server.stop()
        lost = next(events)
        assert lost.type == "client.disconnected"
        assert lost.properties.error
        assert told == []
        server.restart()
        assert [next(events).type for _ in range(3)] == ["client.reconnected", "server.connected", "work"]
        assert told == ["again"]


def test_a_lost_stream_reconnects_for_an_async_reader() -> None:
    async def use(server: Any) -> list[str]:
        seen: list[str] = []
        async with AsyncClient(server.url) as client, client.event.subscribe() as events:
            async for event in events:
                seen.append(event.type)
                if event.type == "server.connected" and len(seen) == 1:
                    await asyncio.to_thread(server.stop)
                elif event.type == "client.disconnected":
                    await asyncio.to_thread(server.restart)
                elif event.type == "server.connected":
                    break
        return seen

    with serving(streaming()) as server:
        seen = asyncio.run(use(server))
    assert seen == ["server.connected", "client.disconnected", "client.reconnected", "server.connected"]


def test_a_stream_ended_by_the_server_is_reopened() -> None:
    with (
        serving(streaming({"type": "server.instance.disposed"}, then=lambda: None)) as server,
        Client(server.url) as client,
        client.event.subscribe() as events,
    ):
        kinds = [next(events).type for _ in range(6)]
    assert kinds[1:5] == ["server.instance.disposed", "client.disconnected", "client.reconnected", "server.connected"]


def test_the_reader_gets_an_error_when_the_server_stays_away() -> None:
    with (
        serving(streaming()) as server,
        Client(server.url) as client,
        client.event.subscribe(give_up_after=0.3) as events,
    ):
        assert next(events).type == "server.connected"
        server.stop()
        assert next(events).type == "client.disconnected"
        with pytest.raises(errors.APIConnectionError, match=r"down for 0\.3 s"):
            next(events)
        with pytest.raises(errors.APIConnectionError):
            next(events)


def test_a_refusal_on_reconnection_is_raised_at_once() -> None:
    answers = [STREAM_HEAD + line(CONNECTED), response(status="401 Unauthorized")]

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))

    with serving(handle) as server, Client(server.url) as client, client.event.subscribe() as events:
        assert [next(events).type for _ in range(2)] == ["server.connected", "client.disconnected"]
        with pytest.raises(errors.AuthenticationError):
            next(events)


def test_a_temporarily_failing_server_is_retried() -> None:
    answers = [STREAM_HEAD + line(CONNECTED), response(status="503 Busy"), response(status="503 Busy")]

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        if answers:
            writer.write(answers.pop(0))
        else:
            await streaming()(request, writer)

    with serving(handle) as server, Client(server.url) as client, client.event.subscribe() as events:
        kinds = [next(events).type for _ in range(4)]
    assert kinds == ["server.connected", "client.disconnected", "client.reconnected", "server.connected"]


def test_closing_from_another_thread_ends_the_iteration() -> None:
    with serving(streaming()) as server, Client(server.url) as client, client.event.subscribe() as events:
        seen: list[str] = []
        waiting = threading.Event()

        def read() -> None:
            for event in events:
                seen.append(event.type)
                waiting.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert waiting.wait(WAIT)
        events.close()
        reader.join(WAIT)
        assert not reader.is_alive()
        assert seen == ["server.connected"]
        assert list(events) == []


def test_an_async_reader_ends_when_the_stream_is_closed() -> None:
    async def use(url: str) -> list[str]:
        async with AsyncClient(url) as client, client.event.subscribe() as events:
            reader = asyncio.create_task(collect(events))
            await events.aclose()
            return await reader

    async def collect(events: Any) -> list[str]:
        return [event.type async for event in events]

    with serving(streaming()) as server:
        assert asyncio.run(use(server.url)) == []


def test_a_slow_reader_does_not_stall_the_server() -> None:
    """The server writes far more than socket buffers hold, and finishes before the reader reads anything."""
    count, text = 4000, "x" * 4096
    written = threading.Event()

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + line(CONNECTED))
        for number in range(count):
            writer.write(line({"type": "delta", "number": number, "text": text}))
            await writer.drain()
        written.set()
        await asyncio.get_running_loop().create_future()

    with serving(handle) as server, Client(server.url) as client, client.event.subscribe() as events:
        assert written.wait(WAIT)
        numbers = [next(events).get("number") for _ in range(count + 1)]
    assert numbers == [None, *range(count)]


def test_gather_pauses_after_the_first_batches_and_then_hands_over_what_came() -> None:
    count = 2 * pump.PROMPT_BATCHES

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for number in range(count):
            writer.write(line({"number": number}))
            await asyncio.sleep(0.2)

    with serving(handle) as server, Client(server.url) as client, client.event.subscribe(gather=1.0) as events:
        times = []
        for number in range(count):
            assert next(events).number == number
            times.append(time.monotonic())
    gaps = [after - before for before, after in pairwise(times)]
    pause = next(index for index, gap in enumerate(gaps) if gap > 0.9)
    assert pause >= pump.PROMPT_BATCHES - 1, "the first batches come at once"
    assert gaps[pause + 1] < gaps[pause] / 2, "in the pause the others came"


def test_a_burst_is_drained_without_a_pause() -> None:
    count = 20_000
    burst = [{"number": number, "text": "x" * 100} for number in range(count)]
    with (
        serving(streaming(*burst)) as server,
        Client(server.url) as client,
        client.event.subscribe(gather=WAIT) as events,
    ):
        begun = time.monotonic()
        assert [next(events).get("number") for _ in range(count + 1)] == [None, *range(count)]
        assert time.monotonic() - begun < WAIT


def test_every_stream_has_its_own_connection_and_does_not_block_requests() -> None:
    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.target.startswith("/global/health"):
            writer.write(response(b'{"healthy":true}'))
        else:
            await streaming()(request, writer)

    with serving(handle) as server, Client(server.url) as client:
        streams = [client.event.subscribe() for _ in range(30)]
        for stream in streams:
            stream.__enter__()
        assert client.global_.health().healthy
        for stream in streams:
            stream.close()


def test_a_stream_without_a_greeting_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "FIRST_EVENT_WAIT", 0.1)
    go_on = threading.Event()

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        await writer.drain()
        await asyncio.to_thread(go_on.wait, WAIT)
        writer.write(line({"type": "first"}))

    with serving(handle) as server, Client(server.url) as client, client.event.subscribe() as events:
        go_on.set()
        assert next(events).type == "first"


def test_streams_send_routing_and_authorization() -> None:
    with (
        serving(streaming()) as server,
        Client(server.url, password="p", directory="/größe") as client,
        client.event.subscribe(directory="/other dir", extra_query={"x": 1}) as events,
    ):
        next(events)
    (request,) = server.requests
    assert request.target == "/event?directory=%2Fother+dir&x=1"
    assert request.headers["x-opencode-directory"] == "%2Fother%20dir"
    assert request.headers["authorization"] == "Basic b3BlbmNvZGU6cA=="


def test_a_bug_in_the_pump_reaches_the_reader(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Decoder, chunk: bytes) -> list[bytes]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Decoder, "feed", broken)
    with (
        caplog.at_level(logging.CRITICAL),
        serving(streaming()) as server,
        Client(server.url) as client,
        pytest.raises(errors.APIConnectionError, match="a bug"),
        client.event.subscribe(),
    ):
        raise AssertionError("the stream must not open")
