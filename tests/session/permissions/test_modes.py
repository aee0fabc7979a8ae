"""Modes, the strict directory, questions answered by a function, and time limits, on the real server."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, text, tool
from opencode_nb.demo.endpoint import PATCH_MODEL
from opencode_nb.server import Server
from opencode_nb.session.permissions.policy import Answer, Policy
from opencode_nb.session.permissions.rules import MODES
from tests.conftest import make_project

ONE = {
    "question": "Which?",
    "header": "Which",
    "options": [{"label": "One", "description": ""}, {"label": "Two", "description": ""}],
}
MANY = {**ONE, "question": "Which ones?", "multiple": True}

Open = Callable[..., oc.Opencode]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a sub-folder, and a link in it that leads out of it."""
    directory = make_project(tmp_path_factory.mktemp("modes") / "project", snapshots=False)
    (directory / "lab").mkdir()
    (directory / "lab" / "out").symlink_to(directory / "src")
    return directory


@pytest.fixture
def opened(server: Server, place: Path, demo_model: DemoModel) -> Iterator[Open]:
    agents: list[oc.Opencode] = []

    def open_(directory: Path = place, **options: Any) -> oc.Opencode:
        ai = oc.Opencode(base_url=server.url, password=server.password, directory=directory, **options)
        agents.append(ai)
        return ai

    yield open_
    for ai in agents:
        ai.close()


class Someone:
    """A person who allows everything, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def permission(self, request: dict[str, Any]) -> Answer:
        self.asked.append(str(request["permission"]))
        return Answer("once")

    async def question(self, request: dict[str, Any]) -> list[list[str]]:
        self.asked.append("question")
        return [["Two"] for _question in request["questions"]]


class Nobody:
    """A person who never answers."""

    async def permission(self, _request: dict[str, Any]) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async def question(self, _request: dict[str, Any]) -> list[list[str]]:
        await asyncio.Event().wait()
        raise AssertionError


BASH = tool("bash", command="true", description="Nothing")


def writing(name: str) -> Any:
    return tool("write", filePath=name, content="x\n")


# --- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "asked", "statuses"),
    [
        ("ask", ["edit", "bash"], ["completed", "completed"]),
        ("edits", ["bash"], ["completed", "completed"]),
        ("allow", [], ["completed", "completed"]),
        ("deny", [], ["error"]),  # the shell is hidden from the model
    ],
)
def test_a_mode_decides_who_is_asked(
    opened: Open, demo_model: DemoModel, mode: str, asked: list[str], statuses: list[str]
) -> None:
    person = Someone()
    demo_model.queue([writing(f"by-{mode}.txt"), BASH, text("Done.")])
    turn = opened(permission=mode).ask("go", person=person)
    called = [call.status for call in turn.tools if call.tool in ("write", "bash")]
    assert (person.asked, called) == (asked, statuses)


def test_plan_has_the_agent_of_that_name_answer_and_changes_nothing(
    opened: Open, demo_model: DemoModel, place: Path
) -> None:
    demo_model.queue([writing("by-plan.txt"), text("Planned.")])
    session = opened().session(permission="plan")
    turn = session.prompt("go", person=Someone())
    assert (turn.agent, turn.text) == ("plan", "Planned.")
    assert turn.tools[0].status == "error"
    assert not (place / "by-plan.txt").exists()
    with pytest.raises(ValueError, match="leave agent= out"):
        session.prompt("go", agent="build")
    session.permission = None
    demo_model.queue([text("Built.")])
    assert session.prompt("go", agent="build").agent == "build"


def test_a_session_has_permissions_of_its_own(opened: Open, demo_model: DemoModel) -> None:
    ai, person = opened(permission="deny"), Someone()
    demo_model.queue([BASH, text("Done.")])
    assert ai.session(permission={"bash": "allow"}).prompt("go", person=person).tools[0].status == "completed"
    with pytest.raises(ValueError, match="use one of"):
        ai.session(permission="sometimes")


def test_unknown_modes_are_refused_with_all_that_there_are() -> None:
    with pytest.raises(ValueError, match=", ".join(MODES)):
        Policy("edit")


# --- what was allowed always ------------------------------------------------------------------------------------------


def test_what_was_allowed_always_is_listed_and_taken_back(opened: Open, demo_model: DemoModel) -> None:
    class Always(Someone):
        async def permission(self, request: dict[str, Any]) -> Answer:
            await super().permission(request)
            return Answer("always")

    ai, person = opened(), Always()
    session = ai.session()

    def prompt() -> None:
        demo_model.queue([BASH, text("Done.")])
        session.prompt("go", person=person)

    prompt()
    prompt()
    assert person.asked == ["bash"]
    assert ai.approvals.given == [("bash", "true *")]
    assert ai.approvals.take_back("bash") == 1
    assert ai.approvals.given == []
    prompt()
    assert person.asked == ["bash", "bash"]


# --- a strict directory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("inside.txt", "completed"),
        ("deeper/inside.txt", "completed"),
        ("../above.txt", "error"),
        ("out/by-link.txt", "error"),
        ("out/../above-the-link.txt", "error"),
        ("/{parent}/elsewhere.txt", "error"),
    ],
)
def test_edits_are_held_inside_a_strict_directory(
    opened: Open, demo_model: DemoModel, place: Path, name: str, status: str
) -> None:
    path = os.path.join(place / "lab", name.replace("/{parent}", str(place.parent)))  # noqa: PTH118  # keeps the ..
    demo_model.queue([writing(path), text("Done.")])
    turn = opened(place / "lab", permission="allow", strict_directory=True).ask("go", person=Someone())
    assert turn.tools[0].status == status
    assert Path(path).exists() is (status == "completed")
    if status == "error":
        assert "held inside" in turn.tools[0].error


@pytest.mark.parametrize("target", ["../moved.txt", "out/../moved.txt"])
def test_a_patch_that_moves_a_file_out_is_denied(opened: Open, demo_model: DemoModel, place: Path, target: str) -> None:
    (place / "lab" / "stays.txt").write_text("x\n")
    patch = f"*** Begin Patch\n*** Update File: stays.txt\n*** Move to: {target}\n@@\n-x\n+y\n*** End Patch"
    demo_model.queue([tool("apply_patch", patchText=patch), text("Done.")])
    ai = opened(place / "lab", permission="allow", strict_directory=True)
    assert ai.ask("go", model=PATCH_MODEL).tools[0].status == "error"
    assert not (place / "moved.txt").exists()


@pytest.mark.parametrize("permission", ["allow", {"bash": "allow"}])
def test_shells_ask_in_a_strict_directory(opened: Open, demo_model: DemoModel, permission: Any) -> None:
    person = Someone()
    demo_model.queue([BASH, text("Done.")])
    opened(permission=permission, strict_directory=True).ask("go", person=person)
    assert person.asked == ["bash"]


def test_subagents_edit_nothing_under_a_strict_directory(opened: Open, demo_model: DemoModel, place: Path) -> None:
    task = tool("task", description="Look", prompt="Look.", subagent_type="general")
    path = str(place.parent / "by-child.txt")
    demo_model.queue([[task], [writing(path)], [text("Tried.")], [text("Done.")]])
    opened(place / "lab", permission="allow", strict_directory=True).ask("go", person=Someone())
    assert not Path(path).exists()


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("questions", "answer", "told"),
    [
        ([ONE], "One", '"Which?"="One"'),
        ([ONE], ["Two"], '"Which?"="Two"'),
        ([ONE], "in my own words", '"Which?"="in my own words"'),
        ([MANY], ["One", "Two"], '"Which ones?"="One, Two"'),
        ([ONE, MANY], ["One", ["One", "Two"]], '"Which?"="One", "Which ones?"="One, Two"'),
        ([ONE], None, '"Which?"="Two"'),
        ([ONE], False, "dismissed"),
        ([ONE, MANY], ["One"], "dismissed"),
        ([ONE], 3, "dismissed"),
    ],
)
def test_a_function_answers_questions(
    opened: Open, demo_model: DemoModel, questions: list[Any], answer: Any, told: str
) -> None:
    seen: list[Any] = []

    async def answering(request: Any) -> Any:
        seen.append(request)
        return answer

    step = tool("question", questions=questions)
    demo_model.queue([step] if told == "dismissed" else [step, text("Done.")])  # a turn ends with a declined question
    turn = opened(on_question=answering).ask("go", person=Someone())
    call = turn.tools[0]
    assert told in call.output + call.error
    assert [one.question for one in seen[0].questions] == [one["question"] for one in questions]
    assert seen[0].questions[0].options == ("One", "Two")


def test_functions_that_are_not_async_may_block(opened: Open, demo_model: DemoModel) -> None:
    """Each prompts another session, whose answer needs the loop."""
    other, said = opened(), list[str]()

    def noting(answer: Any) -> Any:
        def function(_given: Any) -> Any:
            said.append(other.ask("note it").text)
            return answer

        return function

    question = tool("question", questions=[ONE])
    demo_model.queue(text("match"), BASH, text("permission"), question, text("question"), text("Done."))
    hooks = oc.Hooks(prompt_submitted=oc.Hook(lambda _event: None, match=noting(True)))
    turn = opened(hooks=hooks, permission=noting("once"), on_question=noting("Two")).ask("go")
    assert said == ["match", "permission", "question"]
    assert (turn.text, [call.status for call in turn.tools]) == ("Done.", ["completed", "completed"])


def test_a_function_that_may_block_is_called_for_one_request_after_another(opened: Open, demo_model: DemoModel) -> None:
    asked: list[str] = []

    def always(request: Any) -> str:
        asked.append(request.permission)
        return "always"

    demo_model.queue([[BASH, BASH], [text("Done.")]])
    turn = opened(permission=always).ask("go")
    assert [call.status for call in turn.tools] == ["completed", "completed"]
    assert asked == ["bash"], "the first answer covers both"


# --- a time limit for answers -----------------------------------------------------------------------------------------


def test_a_request_that_nobody_answers_in_time_is_denied(opened: Open, demo_model: DemoModel) -> None:
    demo_model.queue([BASH, tool("question", questions=[ONE])])
    turn = opened(answer_timeout=0.1).ask("go", person=Nobody())
    assert "Nobody answered within 0.1 s" in turn.tools[0].error
    assert turn.tools[1].status == "error"


def test_a_function_that_gives_no_answer_in_time_is_passed_over(opened: Open, demo_model: DemoModel) -> None:
    forever = threading.Event()
    demo_model.queue([BASH, tool("question", questions=[ONE])])
    hanging: Any = lambda _request: forever.wait()  # noqa: E731
    try:
        turn = opened(answer_timeout=0.1, permission=hanging, on_question=hanging).ask("go", person=Someone())
    finally:
        forever.set()
    assert "permission= gave no answer within 0.1 s." in turn.tools[0].error
    assert turn.tools[1].status == "error"


def test_an_answer_in_time_counts(opened: Open, demo_model: DemoModel) -> None:
    demo_model.queue([BASH, text("Done.")])
    assert opened(answer_timeout=60).ask("go", person=Someone()).tools[0].status == "completed"


# --- subagents and commands -------------------------------------------------------------------------------------------


def test_a_resumed_subagent_is_under_the_rules_of_the_turn_that_resumes_it(
    opened: Open, demo_model: DemoModel, place: Path
) -> None:
    session = opened().session()
    task = {"description": "Look", "prompt": "Look.", "subagent_type": "general"}
    demo_model.queue([[tool("task", **task)], [text("Looked.")], [text("Done.")]])
    session.prompt("go", permission="allow")
    child = session.children()[0]["id"]
    demo_model.queue(
        [[tool("task", **task, task_id=child)], [writing("by-resumed.txt")], [text("Tried.")], [text("Done.")]]
    )
    session.prompt("go", permission="deny")
    assert not (place / "by-resumed.txt").exists()


def test_a_command_with_an_agent_of_its_own_is_refused_in_plan_mode(opened: Open, place: Path) -> None:
    folder = place / ".opencode" / "command"
    folder.mkdir(parents=True)
    (folder / "build-it.md").write_text("---\ndescription: Builds\nagent: build\n---\nBuild it.\n")
    ai = opened(permission="plan")
    ai.start()
    ai.client.instance.dispose()
    with pytest.raises(oc.OpencodeError, match="has the agent 'build'"):
        ai.session().command("build-it")
