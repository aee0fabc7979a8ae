"""Many prompts at once on the real server: order, failures, limits, stopping."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, gate, kernel_tool, text, tool, usage


def said(*words: str) -> list[str]:
    return [f"Say exactly: {word}" for word in words]


def texts(results: list[Any]) -> list[str]:
    return [str(result) if isinstance(result, Exception) else result.text for result in results]


def test_results_are_in_order_with_failures_in_their_places(ai: oc.Opencode, demo_model: DemoModel) -> None:
    seen: dict[int, Any] = {}
    threads = set()

    def tell(index: int, result: Any) -> None:
        seen[index] = result
        threads.add(threading.current_thread())

    prompts = [*said("one", "two"), "Fail with a provider error 400", ("Say exactly: four", {"system": "Be brief."})]
    results = oc.map(pd.Series(prompts, index=list("dcba")), ai=ai, on_result=tell)
    assert [result.text for result in results if isinstance(result, oc.Turn)] == ["one", "two", "four"]
    assert isinstance(results[2], oc.TurnError)
    assert results[2].turn.prompt == prompts[2]
    assert seen == dict(enumerate(results))
    assert threads == {threading.current_thread()}
    assert sum("Be brief." in str(request["messages"]) for request in demo_model.requests) == 1
    assert demo_model.titles == []


def test_a_maps_sessions_are_let_go_and_opened_again_when_asked_for(ai: oc.Opencode, demo_model: DemoModel) -> None:
    before = {info["id"] for info in ai.sessions()}
    demo_model.queue([tool("write", filePath="made.txt", content="made\n"), text("Made.")])
    (turn,) = oc.map(["Make a file"], ai=ai)
    assert list(ai._async.feed.transcripts) == []
    assert [file.file for file in turn.diff()] == ["made.txt"]
    (listed,) = (info for info in ai.sessions() if info["id"] not in before)
    assert listed["title"] == "oc.map of 1 prompts"
    assert ai.client.session.get(turn.session.id).parentID == listed["id"]
    assert turn.session.prompt("Say exactly: again").text == "again"
    turn.session.diff().revert()
    ai.session(id=listed["id"]).delete()
    with pytest.raises(oc.NotFoundError):
        ai.client.session.get(turn.session.id)


def test_so_many_run_at_once_and_no_more(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue(*([gate(f"g{number}"), text("done")] for number in range(5)))
    with ThreadPoolExecutor(1) as pool:
        mapped = pool.submit(oc.map, list("abcde"), ai=ai, concurrency=2)
        for number in range(5):
            demo_model.wait_for_gate(f"g{number}", 30)
            assert len(demo_model.requests) <= number + 2
            demo_model.release(f"g{number}")
        assert texts(mapped.result()) == ["done"] * 5


def test_a_shared_budget_refuses_what_comes_after_it(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue(*([[text("ok"), usage(1000, 100)]] for _ in range(2)))
    budget = oc.Budget(max_tokens=2200)
    results = oc.map(list("abcd"), ai=ai, budget=budget, concurrency=1)
    assert [type(result).__name__ for result in results] == ["Turn", "Turn", *["BudgetExceededError"] * 2]
    assert (len(demo_model.requests), budget.tokens) == (2, 2200)


def test_a_failed_prompt_is_sent_again_as_retry_says(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue(error(418, "I'm a teapot"), [text("at last")])
    results = oc.map(["a"], ai=ai, retry=oc.Retry(1, base=0, on=oc.TurnError))
    assert texts(results) == ["at last"]


def test_forks_know_what_was_said_and_are_archived(ai: oc.Opencode, demo_model: DemoModel) -> None:
    base = ai.session("base")
    base.prompt("Say exactly: remember this")
    results = oc.map(said("one", "two"), ai=base, session="fork")
    assert texts(results) == ["one", "two"]
    assert all("remember this" in str(request["messages"]) for request in demo_model.requests[1:])
    listed = {info["id"] for info in ai.sessions()}
    assert not listed & {result.session.id for result in results}
    assert len(base.turns()) == 1
    with pytest.raises(ValueError, match="forks a session"):
        oc.map(["a"], ai=ai, session="fork")


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_an_interrupt_stops_all_turns_and_keeps_what_is_done(
    ai: oc.Opencode, demo_model: DemoModel, tmp_path: Path
) -> None:
    path = tmp_path / "answers.jsonl"
    demo_model.queue([text("first")], [gate("never"), text("x")], [gate("never"), text("x")])

    def interrupt_when_two_run() -> None:
        demo_model.wait_for_request(3, 60)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt_when_two_run)
    with pytest.raises(KeyboardInterrupt):
        oc.map(list("abc"), ai=ai, concurrency=2, resume=path, on_result=lambda *_: interrupting.start())
    assert ai.client.session.status() == {}
    demo_model.reset()
    results = oc.map(list("abc"), ai=ai, resume=path)
    assert texts(results).count("first") == 1
    assert len(demo_model.requests) == 2


def test_a_callback_that_raises_stops_the_map(ai: oc.Opencode, demo_model: DemoModel) -> None:
    def enough(index: int, result: Any) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        oc.map(said("one", "two", "three"), ai=ai, concurrency=1, on_result=enough)
    asked = str([request["messages"] for request in demo_model.requests])
    assert [prompt in asked for prompt in said("one", "two", "three")] == [True, False, False]


# --- from async code --------------------------------------------------------------------------------------------------


def test_amap_awaits_on_a_loop_of_the_callers(options: dict[str, Any], ai: oc.Opencode, demo_model: DemoModel) -> None:
    seen: list[tuple[int, bool]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def tell(index: int, result: Any) -> None:
            seen.append((index, asyncio.get_running_loop() is loop))

        async with oc.AsyncOpencode(**options) as own:
            results = await oc.amap(said("one", "two"), ai=own, on_result=tell)
            assert texts(results) == ["one", "two"]
            assert results[0].session.id.startswith("ses_")  # awaited to be opened again
            assert list(own.feed.transcripts) == []
        assert texts(await oc.amap(said("three"), ai=ai, on_result=tell)) == ["three"]
        assert texts(oc.map(said("four"), ai=ai)) == ["four"]  # blocking, on a thread whose loop runs
        demo_model.queue([gate("never"), text("x")])
        mapped = asyncio.create_task(oc.amap(["stop me"], ai=ai))
        await asyncio.to_thread(demo_model.wait_for_gate, "never", 30)
        mapped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await mapped
        assert ai.client.session.status() == {}

    asyncio.run(main())
    assert sorted(seen) == [(0, True), (0, True), (1, True)]


# --- values -----------------------------------------------------------------------------------------------------------


def test_a_frame_gets_its_column_of_values(ai: oc.Opencode, demo_model: DemoModel, tmp_path: Path) -> None:
    answers = ({"value": "good"}, {"value": "bad"}, {"value": "unheard of"}, {"value": "still wrong"})
    demo_model.queue(*([kernel_tool("result", **answer)] for answer in answers))
    frame = pd.DataFrame({"text": ["fine", "broken", "odd"]}, index=[7, 8, 9])
    prompts = frame["text"].map("Label this: {}".format)
    label: Any = Literal["good", "bad"]
    options: dict[str, Any] = {"ai": ai, "schema": label, "concurrency": 1, "resume": tmp_path / "labels.jsonl"}
    frame["label"] = oc.map(prompts, **options)
    assert list(frame["label"][:2]) == ["good", "bad"]
    assert isinstance(frame["label"][9], oc.StructuredOutputError)
    assert "still wrong" in str(frame["label"][9].data)
    demo_model.queue([kernel_tool("result", value="good")])
    assert oc.map(prompts, **options) == ["good", "bad", "good"]
