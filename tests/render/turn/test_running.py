"""A running turn's page: how long each call has been running, what it waits for, and a subagent's retry."""

from __future__ import annotations

from typing import Any

from opencode_nb.render.turn.page import LiveTurn, turn_html
from tests.render.page_model import Node, Page, parse
from tests.render.turns import tool, turn

ASKED = {"permission": "bash", "patterns": ["ls"], "metadata": {"command": "ls"}, "tool": {"callID": "c"}}


def bash(status: str = "running", **time: int) -> dict[str, Any]:
    return {**tool("bash", status, input={"command": "ls"}, time=time), "id": "prt_000"}


def clocks(html: str) -> list[str]:
    """Return when the clocks in a card's summary started."""
    (card,) = [node for node in parse(html).walk() if node.attrs.get("data-part") == "tool"]
    return [node.attrs["data-since"] or "" for node in card.walk() if "data-since" in node.attrs]


def card_of(page: Page) -> Node:
    return next(node for node in page.root.walk() if node.attrs.get("data-part") == "tool")


def test_a_running_call_shows_a_clock_and_then_its_duration() -> None:
    state = turn(bash(start=3000), status="running")
    live = LiveTurn(state)
    page = Page(live.snapshot())
    assert clocks(page.html()) == ["3000"]
    state.steps["msg_step"].parts["prt_000"] = bash("completed", start=3000, end=6500)
    page.apply(live.update({"prt_000"}))
    assert clocks(page.html()) == []
    assert "3.5 s" in card_of(page).text


def test_a_pending_or_interrupted_call_has_no_clock() -> None:
    assert clocks(LiveTurn(turn(bash("pending"), status="running")).snapshot()) == []
    assert clocks(turn_html(turn(bash(start=3000), status="aborted"))) == []


def test_a_call_that_waits_for_an_answer_is_not_running() -> None:
    """The request belongs to the turn, but changes the card of its call."""
    state = turn(bash(start=3000), status="running")
    live = LiveTurn(state)
    page = Page(live.snapshot())
    state.permissions["per_1"] = {**ASKED, "id": "per_1"}
    page.apply(live.update({"turn"}))
    assert clocks(page.html()) == []
    assert "waiting for you" in card_of(page).text
    del state.permissions["per_1"]
    page.apply(live.update({"turn"}))
    assert clocks(page.html()) == ["3000"]
    assert "waiting" not in card_of(page).text


def test_a_subagents_retry_counts_down_in_its_tasks_card() -> None:
    task = tool("task", "running", input={"subagent_type": "general"}, metadata={"sessionId": "ses_2"})
    state = turn(task, status="running")
    child = turn(status="running")
    child.id = "msg_child"
    state.children["ses_2"] = [child]
    live = LiveTurn(state)
    page = Page(live.snapshot())
    child.retry = {"attempt": 2, "message": "Rate <limit>", "next": 123_456}
    page.apply(live.update({"prt_000"}))
    card = card_of(page)
    assert "Rate <limit> (attempt 2), trying again in" in card.text
    assert [node.attrs["data-until"] for node in card.walk() if "data-until" in node.attrs] == ["123456"]
    child.retry = None
    page.apply(live.update({"prt_000"}))
    assert "trying again" not in card_of(page).text
    assert "Working" not in card_of(page).text


def test_a_cards_accessible_name_is_current() -> None:
    state = turn(bash(start=3000), status="running")
    live = LiveTurn(state)
    page = Page(live.snapshot())
    state.permissions["per_1"] = {**ASKED, "id": "per_1"}
    page.apply(live.update({"turn"}))
    assert card_of(page).attrs["aria-label"] == "Shell: ls, waiting for you"
    del state.permissions["per_1"]
    state.steps["msg_step"].parts["prt_000"] = bash("error", start=3000, end=6500)
    page.apply(live.update({"turn", "prt_000"}))
    assert card_of(page).attrs["aria-label"] == "Shell: ls, failed"
