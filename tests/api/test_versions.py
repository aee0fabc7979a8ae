"""Recorded answers of two servers (see record_answers.py) load unchanged, even if altered to violate the document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opencode_nb import errors
from opencode_nb.api.client import Client
from opencode_nb.api.record import Record, wrap
from tests.api.loopback import STREAM_HEAD, Request, answering, response, serving

RECORDED = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(Path(__file__).parent.glob("fixtures/*"))]
ANSWERS = [
    pytest.param(name, answer["status"], answer["body"], id=f"{recorded['version']}-{name}")
    for recorded in RECORDED
    for name, answer in recorded["answers"].items()
]
BODIES = [param for param in ANSWERS if param.values[1] == 200]
IDS = {"sessionID": "ses_1", "messageID": "msg_1"}


def test_two_versions_are_recorded() -> None:
    assert [recorded["version"] for recorded in RECORDED] == ["1.17.0", "1.18.33"]


@pytest.mark.parametrize(("name", "status", "body"), ANSWERS)
def test_answers_are_returned_unchanged(name: str, status: int, body: Any) -> None:
    content = json.dumps(body, ensure_ascii=False).encode()
    with serving(answering(response(content, status=f"{status} X"))) as server, Client(server.url) as client:
        if status == 200:
            result = call(client, name)
            assert visited(result) == result == body
        else:
            with pytest.raises(errors.NotFoundError) as caught:
                call(client, name)
            assert caught.value.body == body
            assert caught.value.name == body.get("name", body.get("_tag"))


@pytest.mark.parametrize(("name", "status", "body"), BODIES)
def test_answers_that_violate_the_document_are_returned_unchanged(name: str, status: int, body: Any) -> None:
    for wrong in deviations(body):
        result = wrap(json.loads(json.dumps(wrong)))
        assert visited(result) == result == wrong
        assert json.loads(json.dumps(result)) == wrong


@pytest.mark.parametrize("recorded", RECORDED, ids=[recorded["version"] for recorded in RECORDED])
def test_events_are_returned_unchanged(recorded: Any) -> None:
    events = [wrong for event in recorded["events"] for wrong in (event, *deviations(event)) if type(wrong) is dict]

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events))
        await writer.drain()
        await asyncio.get_running_loop().create_future()

    with serving(handle) as server, Client(server.url) as client, client.event.subscribe() as stream:
        for event in events:
            result = next(stream)
            assert visited(result) == result == event


def call(client: Client, name: str) -> Any:
    row = next(row for row in client.operations if row.name == name)
    operation: Any = client
    for part in name.split("."):
        operation = getattr(operation, part)
    return operation(*(IDS[param.name] for param in row.params if param.into == "path"))


def deviations(value: Any) -> Iterator[Any]:
    """Yield the value with, in each place in turn: a missing, null or unknown field, or an unknown variant."""
    if isinstance(value, list):
        for index, item in enumerate(value[:3]):  # the items are similar
            yield from ([*value[:index], wrong, *value[index + 1 :]] for wrong in deviations(item))
    if isinstance(value, dict):
        yield {**value, "fromTheFuture": {"deep": [1, {"er": None}]}}
        for name, item in value.items():
            yield {other: kept for other, kept in value.items() if other != name}
            yield {**value, name: None}
            if name in ("type", "role", "status", "name"):
                yield {**value, name: "from-the-future"}
            yield from ({**value, name: wrong} for wrong in deviations(item))


def visited(value: Any) -> Any:
    """Read every field as an attribute or a key, checking that all objects are Records; return the value."""
    if isinstance(value, dict):
        assert type(value) is Record
        return {name: visited(getattr(value, name) if plain(value, name) else value[name]) for name in value}
    return [visited(item) for item in value] if isinstance(value, list) else value


def plain(record: Record, name: str) -> bool:
    return not name.startswith("_") and not hasattr(dict, name)
