"""What an agent asks its user for, a form or a page to visit, as questions."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import opencode_nb as oc
from opencode_nb.acp import elicitation
from opencode_nb.session.permissions.questions import QuestionRequest
from tests.acp.conftest import MakeAgent

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your name", "description": "as on the door"},
        "age": {"type": "integer", "minimum": 0},
        "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]},
        "colours": {"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}},
        "sure": {"type": "boolean", "default": False},
        "share": {"type": "number"},
    },
    "required": ["name", "age"],
}

ELICITS = """
def prompt(params):
    for number, asked in enumerate(json.loads(params["prompt"][0]["text"])):
        send(id=70 + number, method="elicitation/create", params={"sessionId": "s1", **asked})
        if asked.get("elicitationId") == "done":
            send(method="elicitation/complete", params={"elicitationId": "done"})
        say(json.dumps(json.loads(sys.stdin.readline())["result"]) + "\\n")
    return {"stopReason": "end_turn"}
"""


def test_forms_and_pages_are_asked_as_questions(make_agent: MakeAgent, tmp_path: Path) -> None:
    given = iter(
        [
            [["Ada"], ["old"], ["Large"], ["red", "blue"], [], ["0.5"]],
            [["Ada"], ["36"], ["Large"], ["red", "blue"], [], ["0.5"]],
            False,
            "I have been there",
        ]
    )
    asked: list[QuestionRequest] = []

    async def answer(request: QuestionRequest) -> Any:
        asked.append(request)
        return next(given)

    form = {"mode": "form", "message": "Who are you?", "requestedSchema": FORM}
    page = {"mode": "url", "message": "Log in.", "url": "https://example.com/login", "elicitationId": "1"}
    elicited = [form, form, page, {**page, "url": "file:///etc/passwd"}, {"mode": "_other", "message": "?"}]
    with oc.AcpAgent(make_agent(ELICITS), cwd=tmp_path, on_question=answer) as agent:
        turn = agent.ask(json.dumps(elicited))
    answers = [json.loads(line) for line in turn.text.splitlines() if line]
    content = {"name": "Ada", "age": 36, "size": "l", "colours": ["red", "blue"], "sure": False, "share": 0.5}
    assert answers == [
        {"action": "accept", "content": content},
        {"action": "decline"},
        {"action": "accept"},
        {"action": "cancel"},
        {"action": "cancel"},
    ]
    first, again, _declined, visit = asked
    assert "Your name: as on the door" in first.questions[0].question
    assert [question.options for question in first.questions[2:5]] == [
        ("Small", "Large"),
        ("red", "blue"),
        ("Yes", "No"),
    ]
    assert again.questions[0].question.startswith("age: 'old' is no integer.")
    assert "https://example.com/login" in visit.questions[0].question


def test_a_page_that_was_visited_needs_no_answer(make_agent: MakeAgent, tmp_path: Path) -> None:
    page = {"mode": "url", "message": "Log in.", "url": "https://example.com", "elicitationId": "done"}

    class Nobody:
        async def permission(self, request: Any) -> None:
            raise AssertionError

        async def question(self, request: Any) -> Any:
            await asyncio.Event().wait()

    with oc.AcpAgent(make_agent(ELICITS), cwd=tmp_path) as agent:
        turn = agent.ask(json.dumps([page]), person=Nobody())
    assert json.loads(turn.text) == {"action": "accept"}


def test_answers_that_do_not_fit_a_form_are_told() -> None:
    def wrong(*answers: list[str]) -> str:
        try:
            elicitation.content({"requestedSchema": FORM}, answers)
        except elicitation.WrongAnswerError as error:
            return str(error)
        return ""

    assert wrong([]) == "Your name is needed."
    assert wrong(["Ada"], ["-1"]) == "age: -1 is out of its limits."
    assert "'huge' is none of the answers" in wrong(["Ada"], ["1"], ["huge"])
    assert "'x' is no number" in wrong(["Ada"], ["1"], [], [], [], ["x"])
    assert not wrong(["Ada"], ["1"])
