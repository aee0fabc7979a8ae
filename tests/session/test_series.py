"""Prompts one after another in one session, on the real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, gate, text
from opencode_nb.server import Server
from opencode_nb.session.turns.series import SeriesItem
from tests.support.interrupts import interrupt_when_told

TEAPOT = error(418, "I'm a teapot")


@pytest.fixture
def options(server: Server, workplace: Path, demo_model: DemoModel) -> dict[str, Any]:
    return {"base_url": server.url, "password": server.password, "directory": workplace}


@pytest.fixture
def session(options: dict[str, Any]) -> Iterator[oc.Session]:
    with oc.Opencode(**options) as ai:
        yield ai.session("series")


def test_a_series_feeds_itself_from_its_results(session: oc.Session, demo_model: DemoModel) -> None:
    answers: list[str] = []

    def follow_up() -> Iterator[SeriesItem]:
        yield "Say exactly: one"
        yield "Say exactly: after " + answers[-1], {"system": "Be brief."}

    for turn in session.prompts(follow_up()):
        assert turn.done
        answers.append(turn.text)
    assert answers == ["one", "after one"]
    assert ["Be brief." in str(request["messages"]) for request in demo_model.requests] == [False, True]


def test_a_series_stops_at_the_first_failure_and_takes_no_more(session: oc.Session, demo_model: DemoModel) -> None:
    demo_model.queue([text("one")], TEAPOT)
    prompts = iter(["a", "b", "c"])
    series = session.prompts(prompts)
    assert next(series).text == "one"
    with pytest.raises(oc.TurnError, match="teapot") as raised:
        next(series)
    assert (raised.value.turn.prompt, list(prompts)) == ("b", ["c"])


def test_a_series_yields_failed_turns_and_goes_on(session: oc.Session, demo_model: DemoModel) -> None:
    demo_model.queue(TEAPOT, [text("two")], TEAPOT, [text("three")])
    retry = oc.Retry(1, base=0, on=oc.TurnError)
    turns = list(session.prompts(["a", "b", ("c", {"retry": retry})], on_error="yield"))
    assert [(turn.status, turn.text) for turn in turns] == [("error", ""), ("completed", "two"), ("completed", "three")]
    assert turns[0].session is session


def test_a_stopped_turn_ends_its_series(session: oc.Session, demo_model: DemoModel) -> None:
    demo_model.queue([[text("one"), gate("stop")]])
    interrupt_when_told(session, "delta")
    with pytest.raises(KeyboardInterrupt):
        list(session.prompts(["a", "b"], on_error="yield"))
    demo_model.release("stop")
    assert [turn.status for turn in session.turns()] == ["aborted"]
    assert not session.busy


@pytest.mark.parametrize(
    ("items", "more", "raised"),
    [
        (["a"], {"on_error": "ignore"}, ValueError),
        ([("a", {"wait": False})], {}, ValueError),
        ([("a", {"modle": "x"})], {}, TypeError),
        ([3], {}, TypeError),
    ],
)
def test_a_wrong_series_raises_before_anything_is_sent(
    session: oc.Session, items: list[Any], more: dict[str, Any], raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        next(session.prompts(items, **more))
    assert session.messages() == []


def test_an_async_series_takes_both_kinds_of_iterables(options: dict[str, Any], demo_model: DemoModel) -> None:
    async def fed() -> AsyncIterator[SeriesItem]:
        yield "Say exactly: one"
        yield "Say exactly: two"

    async def main() -> list[str]:
        async with oc.AsyncOpencode(**options) as ai:
            session = await ai.session("async")
            said = [turn.text async for turn in session.prompts(fed())]
            return said + [turn.text async for turn in session.prompts(["Say exactly: three"])]

    assert asyncio.run(main()) == ["one", "two", "three"]


def test_cancelling_an_async_series_aborts_the_running_turn(options: dict[str, Any], demo_model: DemoModel) -> None:
    async def main() -> tuple[list[str], bool]:
        async with oc.AsyncOpencode(**options) as ai:
            session = await ai.session("cancelled")
            series = session.prompts(["a", "b"])
            first = asyncio.ensure_future(anext(series))
            await asyncio.to_thread(demo_model.wait_for_gate, "never", 60)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            return [turn.status for turn in session.turns()], session.busy

    demo_model.queue([[text("one"), gate("never")]])
    assert asyncio.run(main()) == (["aborted"], False)
    demo_model.release("never")
