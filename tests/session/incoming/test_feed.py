"""Recorded event logs, streamed to a feed from a loopback socket: what it folds together comes to the same."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from opencode_nb.api.client import AsyncClient
from opencode_nb.session.incoming.feed import Feed
from opencode_nb.transcript.transcript import Change, Transcript
from tests.api.loopback import STREAM_HEAD, Handler, Request, serving
from tests.transcript.test_transcript import NAMES, events_of, messages_of, replay, root_of

WAIT = 20.0
CONNECTED = {"id": "evt_0", "type": "server.connected", "properties": {}}
LAST = {"type": "session.error", "properties": {"sessionID": "last", "error": {"name": "UnknownError", "data": {}}}}


def telling(events: list[dict[str, Any]], go_on: threading.Event) -> Handler:
    """Greet, and tell all of it at once when a test is ready."""

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + line(CONNECTED))
        await asyncio.to_thread(go_on.wait, WAIT)
        writer.write(b"".join(map(line, events)))
        await asyncio.get_running_loop().create_future()

    return handle


def line(event: Any) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


async def followed(url: str, session: str, go_on: threading.Event) -> tuple[Transcript, list[Change]]:
    """The session's transcript when all has been told, and every change of it."""
    changes: list[Change] = []
    ended = asyncio.Event()
    async with AsyncClient(url) as client:
        feed = Feed(client)
        await feed.start()
        transcript = await feed.follow(session, fresh=True)
        await feed.follow("last", fresh=True)
        feed.tell("last", "prompted", messageID="msg_last")
        feed.listen(lambda told, new: changes.extend(new) if told is transcript else None)
        feed.listen(lambda told, new: ended.set() if told.id == "last" and new[0].kind == "turn" else None)
        go_on.set()
        async with asyncio.timeout(WAIT):
            await ended.wait()
        await feed.aclose()
    return transcript, changes


@pytest.mark.parametrize("name", NAMES)
def test_batched_events_fold_to_the_same_messages_as_single_events(name: str) -> None:
    events, go_on = events_of(name), threading.Event()
    with serving(telling([*events, LAST], go_on)) as server:
        transcript, changes = asyncio.run(followed(server.url, root_of(events), go_on))
    assert messages_of(transcript) == messages_of(replay(events))
    spoken = [event["properties"] for event in events if event["type"] == "message.part.delta"]
    mine = [delta for delta in spoken if delta["sessionID"] == transcript.id]
    told = [change for change in changes if change.kind == "delta"]
    assert "".join(change.delta for change in told) == "".join(delta["delta"] for delta in mine)
    assert len(told) <= len(mine)


def test_deltas_of_two_parts_keep_their_order() -> None:
    ids = {"sessionID": "ses_1", "messageID": "msg_1"}
    parts = [{"id": part, "type": "text", "text": "", **ids} for part in ("prt_1", "prt_2")]
    said = [("prt_1", "a"), ("prt_1", "b"), ("prt_2", "c"), ("prt_1", "d"), ("prt_1", "e")]
    events = [
        {"type": "message.updated", "properties": {"info": {"id": "msg_1", "role": "assistant", **ids}}},
        *({"type": "message.part.updated", "properties": {"part": part}} for part in parts),
        *(
            {"type": "message.part.delta", "properties": {**ids, "partID": part, "field": "text", "delta": text}}
            for part, text in said
        ),
        {"type": "message.part.delta", "properties": {"delta": "of no part"}},
        {"type": "message.part.delta"},
        LAST,
    ]
    go_on = threading.Event()
    with serving(telling(events, go_on)) as server:
        transcript, changes = asyncio.run(followed(server.url, "ses_1", go_on))
    told = [(change.key, change.delta) for change in changes if change.kind == "delta"]
    assert told == [("prt_1", "ab"), ("prt_2", "c"), ("prt_1", "de")]
    (message,) = messages_of(transcript)
    assert [part["text"] for part in message["parts"]] == ["abde", "c"]
