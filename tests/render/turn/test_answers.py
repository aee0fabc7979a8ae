"""Who allowed or denied a call, and what was answered, stands on its card, in every medium."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from opencode_nb.render.turn.page import LiveTurn, turn_html, turn_markdown, turn_text
from opencode_nb.render.turn.terminal import turn_terminal
from opencode_nb.transcript.state import Decision, TurnState
from tests.render.page_model import Page, parse
from tests.render.turns import tool, turn

LS = {"permission": "bash", "patterns": ["ls"], "always": ["ls *"], "metadata": {"command": "ls -l"}}
QUESTIONS = [{"question": "Which format?"}, {"question": "Which columns?"}]


def request(call: str = "c", request_id: str = "per_1", **more: Any) -> dict[str, Any]:
    return {**LS, "id": request_id, "tool": {"callID": call}, **more}


def shell(call: str = "c", status: str = "completed", **state: Any) -> dict[str, Any]:
    return {**tool("bash", status, input={"command": "ls -l"}, **state), "callID": call}


def in_a_terminal(state: TurnState) -> str:
    out = io.StringIO()
    Console(file=out, width=200, color_system=None).print(turn_terminal(state))
    return out.getvalue()


MEDIA = pytest.mark.parametrize(
    "show",
    [
        lambda state: parse(turn_html(state)).text,
        lambda state: parse(LiveTurn(state).snapshot()).text,
        lambda state: turn_markdown(state).replace("\\", ""),
        turn_text,
        in_a_terminal,
    ],
    ids=["static", "live", "markdown", "text", "terminal"],
)


@MEDIA
@pytest.mark.parametrize(
    ("made", "said"),
    [
        (("once", "you"), "You allowed once"),
        (("always", "you"), "You allowed always: ls * in this project, until OpenCode stops"),
        (("reject", "you"), "You denied"),
        (("reject", "you", "use\nuv"), "You denied: use uv"),
        (("once", "policy"), "Allowed by policy"),
        (("reject", "policy", "Nobody is there."), "Denied by policy: Nobody is there."),
        (("once", "another client"), "Allowed once in another client"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_card_of_a_call_says_who_decided_what(show: Any, made: tuple[str, ...], said: str) -> None:
    status = "error" if made[0] == "reject" else "completed"
    state = turn(shell(status=status, error="The user rejected it."), decisions=[Decision(request(), *made)])
    shown = show(state)
    assert shown.count(said) == 1, "on the card, and not in a list as well"
    assert "The user rejected it." not in shown


@MEDIA
def test_an_answer_without_a_tool_call_is_listed_with_its_subject(show: Any) -> None:
    decisions = [
        Decision(request("gone"), "once", "you"),
        Decision(request("gone", "per_2"), "reject", "policy", "Nobody is there."),
        Decision({"id": "que_1", "questions": QUESTIONS}, "answered", "you", "CSV; time"),
        Decision({"id": "que_2", "questions": QUESTIONS}, "reject", "you"),
    ]
    shown = show(turn(decisions=decisions))
    for said in (
        "You allowed once: ls -l",
        "Denied by policy: ls -l (Nobody is there.)",
        "You answered: CSV; time",
        "You dismissed: Which format? Which columns?",
    ):
        assert said in shown


@MEDIA
def test_each_question_stands_with_its_answer(show: Any) -> None:
    answered = tool("question", input={"questions": QUESTIONS}, metadata={"answers": [["CSV"], ["time", "my own"]]})
    made = Decision({"id": "que_1", "questions": QUESTIONS, "tool": {"callID": "c"}}, "answered", "you", "CSV; time")
    for state in (turn(answered), turn(answered, decisions=[made])):  # answered now, or before the history was loaded
        shown = show(state)
        places = [shown.index(text) for text in ("Which format?", "You answered: CSV", "Which columns?")]
        assert places == sorted(places)
        assert "You answered: time, my own" in shown
        assert shown.count("You answered: CSV") == 1


def test_an_unanswered_question_says_so_only_once_it_has_ended() -> None:
    waiting = tool("question", "running", input={"questions": QUESTIONS})
    assert "answered" not in parse(LiveTurn(turn(waiting, status="running")).snapshot()).text
    left_open = tool("question", input={"questions": QUESTIONS}, metadata={"answers": [["CSV"], []]})
    assert "You answered: nothing" in turn_text(turn(left_open))


def test_a_call_that_an_earlier_always_covers_says_so() -> None:
    state = turn(shell(), approved=[request()])
    assert "Allowed by your earlier \u201cAllow always\u201d" in turn_text(state)


def test_an_undelivered_answer_is_not_shown() -> None:
    state = turn(shell(status="running"), status="running", decisions=[Decision(request(), "once", "you")])
    state.permissions["per_1"] = request()
    assert "allowed" not in parse(LiveTurn(state, actions=False).snapshot()).text


# --- time -------------------------------------------------------------------------------------------------------------

TOOK = {"start": 10_000, "end": 40_000}


@pytest.mark.parametrize(
    ("waits", "shown"),
    [
        ({}, "30 s"),
        ({"per_1": ("c", (11_000.0, 36_000.0))}, "5.0 s"),
        ({"per_1": ("c", (11_000.0, 21_000.0)), "per_2": ("c", (22_000.0, 37_000.0))}, "5.0 s"),
        ({"per_1": ("c", (11_000.0, 30_000.0)), "per_2": ("c", (20_000.0, 36_000.0))}, "5.0 s"),
        ({"per_1": ("other", (11_000.0, 36_000.0))}, "30 s"),
        ({"per_1": ("c", (0.0, 99_000.0))}, ""),
    ],
    ids=["asked nothing", "once", "twice", "at once", "another call", "a clock set back"],
)
def test_a_tools_time_excludes_the_users_answering_time(waits: dict[str, Any], shown: str) -> None:
    text = parse(turn_html(turn(shell(time=TOOK), waits=waits))).text.split("build")[0]
    assert (shown in text) if shown else " s" not in text.split("$")[0]


def test_a_calls_clock_restarts_after_the_answer() -> None:
    state = turn(shell(status="running", time={"start": 10_000}), status="running")
    state.permissions["per_1"] = request()
    live = LiveTurn(state)
    page = Page(live.snapshot())
    assert "waiting for you" in page.root.text
    del state.permissions["per_1"]
    state.decisions.append(Decision(request(), "once", "you"))
    state.waits["per_1"] = ("c", (11_000.0, 36_000.0))
    page.apply(live.update({"turn"}))
    (card,) = [node for node in page.root.walk() if node.attrs.get("data-part") == "tool"]
    assert [node.attrs["data-since"] for node in card.walk() if "data-since" in node.attrs] == ["35000"]
    assert "You allowed once" in card.text


def test_a_question_shows_no_time() -> None:
    answered = tool("question", input={"questions": QUESTIONS}, metadata={"answers": [["CSV"], []]}, time=TOOK)
    assert "30 s" not in parse(turn_html(turn(answered))).text.split("build")[0]


# --- subagents --------------------------------------------------------------------------------------------------------


def delegated(**of_child: Any) -> TurnState:
    task = tool("task", "running", input={"subagent_type": "general"}, metadata={"sessionId": "ses_2"}, time=TOOK)
    state = turn({**task, "callID": "task"}, status="running")
    child = turn(shell("inner", "running", time=TOOK), status="running", **of_child)
    child.id = "msg_child"
    state.children["ses_2"] = [child]
    return state


def test_a_subagents_task_waits_while_it_asks() -> None:
    asked = request("inner", sessionID="ses_2")
    state = delegated(permissions={"per_1": asked})
    state.permissions["per_1"] = asked
    live = LiveTurn(state)
    page = Page(live.snapshot())
    assert page.root.text.count("waiting for you") == 2
    child = state.children["ses_2"][0]
    for one in (state, child):
        del one.permissions["per_1"]
        one.decisions.append(Decision(asked, "once", "you"))
    page.apply(live.update({"turn"}))
    assert "waiting for you" not in page.root.text
    assert page.root.text.count("You allowed once") == 1
    assert page.html() == Page(live.snapshot()).html()


def test_a_task_excludes_its_subagents_waiting_time() -> None:
    state = delegated(waits={"per_1": ("inner", (11_000.0, 36_000.0))})
    state.status = state.children["ses_2"][0].status = "completed"
    for one in (state, state.children["ses_2"][0]):
        for part in one.parts:
            part["state"]["status"] = "completed"
    lines = [line for line in turn_text(state).split("\n") if " agent" in line or "Shell" in line]
    assert [line.rsplit(" \u00b7 ", 1)[-1] for line in lines] == ["5.0 s", "5.0 s"]
