"""A prompt that failed is sent again by the class of its error, on the real server; how each turn ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, finish, gate, text, tool
from opencode_nb.server import Server

LONG = 60.0
"""Seconds that no test waits for: an abort or interrupt ends the wait."""
AT_ONCE = oc.Retry(attempts=2, base=0, on=oc.TurnError)
TEAPOT = error(418, "I'm a teapot")
"""An error that the server itself does not retry."""
SERVER_RETRIES = 5


@pytest.fixture
def ai(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    options: dict[str, Any] = {"base_url": server.url, "password": server.password, "directory": workplace}
    with oc.Opencode(**options, permission="allow") as ai:
        yield ai


def refused(status: int, message: str) -> list[Any]:
    """Refuse a prompt as often as the server asks."""
    retried = status in (408, 409, 429) or status >= 500
    return [error(status, message, retry_after_ms=1)] * (1 + SERVER_RETRIES * retried)


TOO_LONG = error(400, "This model's maximum context length is 8 tokens.")


@pytest.mark.parametrize(
    ("script", "kind", "status", "reason"),
    [
        pytest.param([text("Done.")], None, None, "end_turn", id="completed"),
        pytest.param([error(429, "Slow", retry_after_ms=1), text("Done.")], None, None, "end_turn", id="recovered"),
        pytest.param([text("Cut"), finish("length")], None, None, "max_tokens", id="length"),
        pytest.param([finish("length")], None, None, "max_tokens", id="length, nothing said"),
        pytest.param([finish("content_filter")], oc.ContentFilterError, None, "content_filter", id="filter"),
        pytest.param(refused(429, "tokens per min"), oc.TurnRateLimitError, 429, "error", id="rate limit"),
        pytest.param(refused(503, "Later"), oc.ProviderOverloadedError, 503, "error", id="overloaded"),
        pytest.param(refused(401, "No key"), oc.ProviderAuthError, 401, "error", id="credentials"),
        pytest.param(refused(404, "model_not_found"), oc.InvalidModelError, 404, "error", id="model"),
        pytest.param([TOO_LONG, TOO_LONG], oc.ContextOverflowError, None, "error", id="context"),
        pytest.param(refused(400, "Odd"), oc.TurnError, 400, "error", id="bad request"),
    ],
)
def test_each_end_of_a_turn_has_its_class_and_reason(
    ai: oc.Opencode, demo_model: DemoModel, script: list[Any], kind: Any, status: Any, reason: str
) -> None:
    demo_model.queue(script)
    turn = ai.session("ends").prompt("go", wait=False)
    assert turn.stop_reason is None
    with pytest.raises(kind) if kind else contextlib.nullcontext() as raised:
        turn.wait(60)
    failure = raised.value if raised else None
    assert (type(failure), getattr(failure, "status_code", None)) == (kind or type(None), status)
    assert turn.stop_reason == reason
    if isinstance(failure, oc.TurnRateLimitError):
        assert (failure.kind, failure.retry_after) == ("tokens", 0.001)


def test_a_failed_prompt_is_sent_again_and_each_retry_is_told(ai: oc.Opencode, demo_model: DemoModel) -> None:
    told: list[tuple[oc.RetryDecision, BaseException, threading.Thread]] = []
    note: Callable[..., None] = lambda *seen: told.append((*seen, threading.current_thread()))  # noqa: E731
    demo_model.queue(TEAPOT, TEAPOT, [text("Here.")])
    session = ai.session("again")
    turn = session.prompt("Brew", system="Be brief.", retry=oc.Retry(2, base=0, on=oc.TurnError, on_retry=note))
    assert (turn.text, turn.status) == ("Here.", "completed")
    assert [kept.status for kept in session.turns()] == ["error", "error", "completed"]
    assert [(decision.attempt, type(failure)) for decision, failure, _ in told] == [
        (1, oc.TurnError),
        (2, oc.TurnError),
    ]
    assert {thread for *_, thread in told} == {threading.current_thread()}
    assert json.dumps(demo_model.requests[-1]["messages"]).count("Be brief.") == 1


def test_the_last_error_is_raised_when_the_retries_are_used_up(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue(TEAPOT, TEAPOT, TEAPOT)
    session = ai.session("thrice")
    with pytest.raises(oc.TurnError, match="teapot") as raised:
        session.prompt("Brew", retry=AT_ONCE)
    assert raised.value.turn.id == session.turns()[2].id


def test_the_turns_own_error_is_raised_when_a_budget_refuses_the_next_try(
    ai: oc.Opencode, demo_model: DemoModel
) -> None:
    session = ai.session("budget")
    session.budget = budget = oc.Budget(max_steps=2)
    demo_model.queue([text("One step.")], TEAPOT)
    session.prompt("go")
    retry = oc.Retry(1, base=0, on=oc.TurnError, on_retry=lambda *_: budget.change(max_steps=1))
    with pytest.raises(oc.TurnError, match="teapot") as raised:
        session.prompt("Brew", retry=retry)
    assert type(raised.value) is oc.TurnError
    assert "The prompt was not sent again. Nothing was sent: max_steps is used up" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    ("script", "retry", "requests"),
    [
        pytest.param([tool("bash", command="echo hi"), TEAPOT], AT_ONCE, 2, id="a tool ran"),
        pytest.param([error(401, "No key")], AT_ONCE, 1, id="credentials"),
        pytest.param([TEAPOT], 3, 1, id="not retryable"),
        pytest.param([TEAPOT], 0, 1, id="zero"),
    ],
)
def test_a_prompt_is_not_sent_again(
    ai: oc.Opencode, demo_model: DemoModel, script: list[Any], retry: Any, requests: int
) -> None:
    demo_model.queue(script)
    with pytest.raises(oc.TurnError):
        ai.session("once").prompt("go", retry=retry)
    assert len(demo_model.requests) == requests


def test_the_default_of_the_client_retries_prompts_that_wait(
    server: Server, project: Path, demo_model: DemoModel
) -> None:
    options: dict[str, Any] = {"base_url": server.url, "password": server.password, "directory": project}

    async def main() -> tuple[oc.Turn, oc.Turn]:
        async with oc.AsyncOpencode(**options, retry=AT_ONCE) as ai:
            session = await ai.session("default")
            demo_model.queue(TEAPOT, [text("Here.")], TEAPOT)
            waited = await session.prompt("Brew")
            alone = await session.prompt("Brew", wait=False)
            with pytest.raises(oc.TurnError):
                await alone
            return waited, alone

    waited, alone = asyncio.run(main())
    assert (waited.text, alone.status) == ("Here.", "error")
    assert len(demo_model.requests) == 3


@pytest.mark.parametrize("ending", ["abort", "interrupt", "close"])
def test_an_abort_interrupt_or_close_ends_the_wait_for_a_retry(
    ai: oc.Opencode, demo_model: DemoModel, ending: str
) -> None:
    session = ai.session("waits")
    stop = {"abort": session.abort, "interrupt": lambda: os.kill(os.getpid(), signal.SIGINT), "close": ai.close}[ending]
    timer = threading.Timer(0.2, stop)
    retry = oc.Retry(base=LONG, cap=LONG, on=oc.TurnError, on_retry=lambda *_: timer.start())
    demo_model.queue(TEAPOT)
    with pytest.raises(KeyboardInterrupt if ending == "interrupt" else oc.TurnError):
        session.prompt("Brew", retry=retry)
    timer.join(1)
    assert len(session.turns()) == 1
    assert ai.started is (ending != "close")


def test_retry_without_waiting_raises_before_anything_is_sent(ai: oc.Opencode) -> None:
    session = ai.session("no")
    for send in (
        lambda: session.prompt("a", wait=False, retry=1),
        lambda: session.prompt("a", no_reply=True, retry=1),
        lambda: session.command("init", retry=1),
        lambda: next(iter(session.stream("a", retry=1))),
        lambda: session.queue.add("a", retry=1),
    ):
        with pytest.raises(ValueError, match="retry="):
            send()
    assert session.messages() == []


def test_abort_all_stops_the_turns_of_every_session(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([[text("one"), gate("all")]], [[text("two"), gate("all")]])
    sessions = [ai.session(name) for name in ("one", "two")]
    turns = [session.prompt("go", wait=False) for session in sessions]
    demo_model.wait_for_request(2)
    ai.abort_all()
    assert [turn.status for turn in turns] == ["aborted", "aborted"]
    assert not any(session.busy for session in sessions)
    demo_model.release("all")
