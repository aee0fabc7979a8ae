"""Budgets on the real server: each limit stops the turn that passes it, and no other."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.api.client import Client
from opencode_nb.demo import DemoModel, text, tool, usage
from opencode_nb.portal import run
from opencode_nb.server import Server
from opencode_nb.spending.steps import Spent
from tests.conftest import make_project

LOOK = tool("glob", pattern="*.py")
STEP = usage(1000, 100)
"""What a scripted step uses: 1100 tokens, for $0.0014 at the demo's prices."""

STEP_TOKENS, STEP_COST = 1100, 0.0014


@pytest.fixture(scope="module")
def place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project for all tests of this file: the first prompt in a directory takes a second."""
    directory = make_project(tmp_path_factory.mktemp("spending") / "project", snapshots=False)
    yield directory
    with Client(server.url, password=server.password, directory=str(directory)) as client:
        client.instance.dispose()


@pytest.fixture
def ai(server: Server, place: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with opened(server, place) as ai:
        yield ai


def opened(server: Server, place: Path, **options: Any) -> oc.Opencode:
    return oc.Opencode(base_url=server.url, password=server.password, directory=place, permission="allow", **options)


def two_steps(demo_model: DemoModel) -> None:
    """Queue a turn of two steps, the first of which calls a tool."""
    demo_model.queue([[text("Looking."), STEP, LOOK]], [[text("Found."), STEP]])


def spent(cost: float = 0.0, tokens: int = 0, **also: Any) -> Spent:
    spent.count += 1  # type: ignore[attr-defined]
    return Spent(f"msg_{spent.count}", "ses_1", "demo/demo", cost=cost, tokens={"input": tokens}, **also)  # type: ignore[attr-defined]


spent.count = 0  # type: ignore[attr-defined]


# --- each limit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "stops", "allows", "says"),
    [
        ("max_cost", 0.001, 0.003, r"\$0\.0014 of \$0\.0010 USD used.*known only when the step has ended"),
        ("max_tokens", 1000, 2300, r"1,100 of 1,000 tokens used"),
        ("max_steps", 1, 2, r"1 of 1 model steps used"),
    ],
)
def test_a_limit_stops_the_turn_that_passes_it(
    ai: oc.Opencode, demo_model: DemoModel, limit: str, stops: float, allows: float, says: str
) -> None:
    session = ai.session()
    two_steps(demo_model)
    assert session.prompt("go", **{limit: allows}).text == "Looking.\n\nFound."
    demo_model.queue([[text("Looking."), STEP, LOOK]])
    with pytest.raises(oc.BudgetExceededError, match=rf"Stopped at {limit}: {says}.*partial answer is kept") as caught:
        session.prompt("go", **{limit: stops})
    turn = caught.value.turn
    assert (turn.status, turn.text.startswith("Looking.")) == ("aborted", True)
    assert (caught.value.limit, caught.value.maximum) == (limit, stops)
    assert caught.value.spent >= stops


def test_a_turn_is_stopped_as_it_calls_tools_once_more_than_allowed(ai: oc.Opencode, demo_model: DemoModel) -> None:
    two_steps(demo_model)
    assert ai.ask("go", max_tools=1).status == "completed"
    demo_model.queue([[text("One."), LOOK]], [[text("Two."), LOOK]])
    with pytest.raises(oc.BudgetExceededError, match="Stopped at max_tools: 2 of 1 tool rounds used") as caught:
        ai.ask("go", max_tools=1)
    assert caught.value.turn.text.startswith("One.\n\nTwo.")


def test_a_turn_whose_last_step_passes_the_limit_fails_with_the_whole_answer(
    ai: oc.Opencode, demo_model: DemoModel
) -> None:
    demo_model.queue([[text("All of it."), STEP]])
    with pytest.raises(oc.BudgetExceededError) as caught:
        ai.ask("go", max_tokens=1000)
    assert caught.value.turn.text == "All of it."


def test_limits_of_opencode_are_for_each_turn_and_a_prompt_may_change_them(
    server: Server, place: Path, demo_model: DemoModel
) -> None:
    with opened(server, place, max_steps=1) as ai:
        session = ai.session()
        for _ in range(2):
            demo_model.queue([[text("One step."), STEP]])
            assert session.prompt("go").text == "One step."
        two_steps(demo_model)
        assert session.prompt("go", max_steps=2).status == "completed"
        demo_model.queue([[STEP, LOOK]])
        with pytest.raises(oc.BudgetExceededError):
            session.prompt("go")


# --- who counts -------------------------------------------------------------------------------------------------------


def test_a_shared_budget_stops_any_session_and_then_refuses_prompts(
    server: Server, place: Path, demo_model: DemoModel
) -> None:
    budget = oc.Budget(max_steps=3)
    with opened(server, place, budget=budget) as ai, opened(server, place) as other:
        two_steps(demo_model)
        ai.ask("go")
        demo_model.queue([[text("Looking."), STEP, LOOK]])
        with pytest.raises(oc.BudgetExceededError, match="3 of 3 model steps"):
            other.ask("go", budget=budget)
        sent = len(demo_model.requests)
        session = other.session()
        session.budget = budget
        for prompt in (ai.ask, session.prompt):
            with pytest.raises(oc.BudgetExceededError, match=r"Nothing was sent: max_steps is used up.*Raise it"):
                prompt("go")
        assert (len(demo_model.requests), session.turns()) == (sent, [])
        budget.change(max_steps=100)
        assert session.prompt("Say exactly: on").text == "on"


def test_steps_of_subagents_count(ai: oc.Opencode, demo_model: DemoModel) -> None:
    task = tool("task", description="Look", prompt="Look.", subagent_type="general")
    seen = oc.Budget(max_tokens=2 * STEP_TOKENS, stop=False)
    demo_model.queue([[STEP, task]], [[STEP, LOOK]], [[STEP, text("Child.")]], [[STEP, text("Done.")]])
    assert ai.ask("go", budget=seen).text == "Done."
    assert (seen.steps, seen.tools, seen.tokens) == (4, 2, 4 * STEP_TOKENS)
    assert seen.cost == pytest.approx(4 * STEP_COST)
    assert seen.exceeded == "max_tokens"
    demo_model.queue([[STEP, task]], [[STEP, LOOK]])
    with pytest.raises(oc.BudgetExceededError, match="1 of 1 model steps"):
        ai.ask("go", max_steps=1)


def test_each_step_counts_once_and_earlier_turns_not_at_all(
    ai: oc.Opencode, server: Server, place: Path, demo_model: DemoModel
) -> None:
    session, budget, seen = ai.session(), oc.Budget(), oc.Budget()
    session.prompt("Say exactly: before")
    session.budget = budget
    two_steps(demo_model)
    session.prompt("go", budget=budget)
    run(ai._async.feed.resync)  # as after a reconnect: everything is fetched again
    assert (budget.steps, budget.tools, budget.tokens) == (2, 1, 2 * STEP_TOKENS)
    with opened(server, place, budget=seen) as other:
        same = other.session(id=session.id)
        run(other._async.feed.resync)
        same.shell("echo by hand")
    assert (seen.steps, seen.tools, seen.cost) == (0, 0, 0)
    assert budget.steps == 2


# --- the object -------------------------------------------------------------------------------------------------------


def test_a_budget_warns_once_near_its_tightest_limit_and_again_after_a_reset() -> None:
    told: list[str] = []
    budget = oc.Budget(max_cost=1.0, max_steps=100, on_warning=told.append)
    for cost in (0.85, 0.06, 0.01):
        budget.add(spent(cost, 10, steps=1))
    assert told == ["Near the budget: $0.9100 of $1.0000 USD used."]
    assert (budget.spent, budget.exceeded) == (pytest.approx(0.92), "")
    budget.reset()
    assert (budget.cost, budget.tokens, budget.steps, budget.spent) == (0, 0, 0, 0)
    budget.add(spent(0.95, 10))
    assert len(told) == 2


def test_a_warning_function_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(text: str) -> None:
        raise RuntimeError(text)

    budget = oc.Budget(max_tokens=10, on_warning=broken)
    assert budget.add(spent(0, 9)) == ["Near the budget: 9 of 10 tokens used."]
    assert "on_warning of a budget failed" in caplog.text


def test_a_budget_that_only_observes_refuses_nothing_and_says_when_it_is_over() -> None:
    told: list[str] = []
    budget = oc.Budget(max_tokens=10, stop=False, on_warning=told.append)
    budget.add(spent(0, 11))
    budget.check()
    assert budget.stopping(goes_on=True) is None
    assert told == ["Over the budget: 11 of 10 tokens used. It only observes, so nothing was stopped."]
    assert "exceeded: max_tokens; only observes" in repr(budget)


def test_a_model_without_a_price_is_named_where_a_cost_is_limited() -> None:
    assert oc.Budget(max_cost=1).add(spent(0, 10)) == [
        "demo/demo has no price: max_cost cannot limit it, only max_tokens can."
    ]
    assert oc.Budget(max_tokens=100).add(spent(0, 10)) == []
    assert oc.Budget(max_cost=1).add(spent(0.1, 10)) == []


def test_a_budget_is_saved_and_loaded_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "budget.json"
    budget = oc.Budget(max_cost=1.5, max_tools=3, stop=False, warn_at=0.5)
    budget.add(spent(0.25, 1234, steps=1))
    budget.add(spent(tools=1))
    file.write_text("an earlier one")
    budget.save(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [kept.name for kept in tmp_path.iterdir()] == ["budget.json"]
    loaded = oc.Budget.load(file)
    assert repr(loaded) == repr(budget)
    assert (loaded.cost, loaded.tokens, loaded.steps, loaded.tools, loaded.warn_at) == (0.25, 1234, 1, 1, 0.5)
    for content in ("{", "[]", '{"limits": {}}', '{"limits": {"max_cost": -1}, "stop": true, "warn_at": 0.9}'):
        file.write_text(content)
        with pytest.raises(ValueError, match="is not a saved budget"):
            oc.Budget.load(file)


def test_steps_added_by_several_threads_are_each_counted_once() -> None:
    budget, steps = oc.Budget(max_tokens=10**9), [spent(0.5, 1, steps=1) for _ in range(2000)]
    threads = [threading.Thread(target=lambda: [budget.add(step) for step in steps]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (budget.steps, budget.tokens, budget.cost) == (2000, 2000, 1000.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_cost": 0}, r"max_cost=0 is not an amount in USD above 0\."),
        ({"max_cost": float("inf")}, "max_cost=inf is not an amount"),
        ({"max_tokens": 1.5}, r"max_tokens=1\.5 is not a whole number of tokens above 0\."),
        ({"max_steps": -1}, "max_steps=-1 is not a whole number of model steps"),
        ({"max_tools": "3"}, "max_tools='3' is not a whole number of tool rounds"),
        ({"warn_at": 2}, "warn_at=2 is not a share"),
    ],
)
def test_a_wrong_limit_raises_value_error(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        oc.Budget(**options)
    if "warn_at" not in options:
        with pytest.raises(ValueError, match=says):
            oc.Opencode(**options)
