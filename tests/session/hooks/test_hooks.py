"""What hooks are called with, in which order, what they can stop, and that none of them disturbs a turn."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, text, tool
from opencode_nb.diffs.comment import Comment
from opencode_nb.server import Server
from opencode_nb.session.permissions.policy import Answer
from tests.conftest import make_project

NAMES = (
    *("prompt_submitted", "before_tool", "after_tool", "tool_failed", "permission_asked", "permission_answered"),
    *("question_asked", "file_changed", "turn_ended", "turn_failed", "session_started", "session_ended"),
)
QUESTION = {"question": "Which?", "header": "Which", "options": [{"label": "One", "description": "The first"}]}

Open = Callable[..., oc.Opencode]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all: the first prompt in a directory takes seconds."""
    return make_project(tmp_path_factory.mktemp("hooks") / "project")


@pytest.fixture
def opened(server: Server, place: Path, demo_model: DemoModel) -> Iterator[Open]:
    """Open an agent with these hooks; closed after the test."""
    agents: list[oc.Opencode] = []

    def open_(permission: Any = "allow", **hooks: Any) -> oc.Opencode:
        ai = oc.Opencode(
            base_url=server.url,
            password=server.password,
            directory=place,
            permission=permission,
            hooks=oc.Hooks(**hooks),
        )
        agents.append(ai)
        return ai

    yield open_
    for ai in agents:
        ai.close()


def recording(seen: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a hook of each name that notes its name and its event."""
    return {name: lambda event, name=name: seen.append((name, event)) for name in NAMES}


def names(seen: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _event in seen]


# --- observing --------------------------------------------------------------------------------------------------------


def test_a_turn_calls_its_hooks_in_order(opened: Open, demo_model: DemoModel, place: Path) -> None:
    seen: list[tuple[str, Any]] = []
    demo_model.queue(
        [
            tool("write", filePath="by-write.txt", content="x\n"),
            tool("bash", command="echo x > by-bash.txt", description="Write"),
            tool("read", filePath="no-such-file.txt"),
            text("Done."),
        ]
    )
    session = opened(**recording(seen)).session("Watched")
    turn = session.prompt("go")
    assert [name for name in names(seen) if not name.startswith("permission")] == [
        *("session_started", "prompt_submitted"),
        *("before_tool", "after_tool", "file_changed"),
        *("before_tool", "after_tool", "file_changed"),
        *("before_tool", "tool_failed", "turn_ended"),
    ]
    assert {event.session for _name, event in seen} == {session.id}
    by_name = {name: event for name, event in seen if name not in ("file_changed", "before_tool", "after_tool")}
    assert by_name["prompt_submitted"].text == "go"
    assert by_name["session_started"].title == "Watched"
    assert by_name["turn_ended"].turn.text == "Done." == turn.text
    assert (by_name["tool_failed"].call.tool, by_name["tool_failed"].call.status) == ("read", "error")
    changed = [event for name, event in seen if name == "file_changed"]
    assert [(event.path, event.tool) for event in changed] == [
        (place / "by-write.txt", "write"),
        (place / "by-bash.txt", ""),
    ]
    assert [event.call.tool for name, event in seen if name == "before_tool"] == ["write", "bash", "read"]
    assert [(event.reply, event.by) for name, event in seen if name == "permission_answered"] == [
        ("once", "policy")
    ] * 2
    session.delete()
    assert names(seen)[-1] == "session_ended"


def test_a_turn_that_fails_calls_turn_failed_too(opened: Open, demo_model: DemoModel) -> None:
    seen: list[tuple[str, Any]] = []
    demo_model.queue([error(400, "No such thing")])
    with pytest.raises(oc.TurnError):
        opened(**recording(seen)).ask("go")
    assert names(seen) == ["session_started", "prompt_submitted", "turn_failed", "turn_ended"]
    assert "No such thing" in str(seen[-1][1].turn.error)


def test_questions_and_answers_are_seen(opened: Open, demo_model: DemoModel) -> None:
    seen: list[tuple[str, Any]] = []
    demo_model.queue(
        [tool("question", questions=[QUESTION]), tool("bash", command="true", description="x"), text("Done.")]
    )
    opened(permission="ask", **recording(seen)).ask("go", person=Someone())
    found = dict(seen)
    assert found["question_asked"].questions[0]["question"] == "Which?"
    assert found["permission_asked"].request.permission == "bash"
    assert (found["permission_answered"].reply, found["permission_answered"].by) == ("once", "you")


def test_tools_of_subagents_are_seen(opened: Open, demo_model: DemoModel) -> None:
    seen: list[tuple[str, Any]] = []
    task = tool("task", description="Look", prompt="Look.", subagent_type="general")
    demo_model.queue([[task], [tool("glob", pattern="*.md")], [text("Found.")], [text("Done.")]])
    opened(**recording(seen)).ask("go")
    tools = [(name, event.call.tool) for name, event in seen if name.endswith("_tool")]
    assert tools == [("before_tool", "task"), ("before_tool", "glob"), ("after_tool", "glob"), ("after_tool", "task")]


def test_what_was_there_when_a_session_was_opened_calls_nothing(
    opened: Open, demo_model: DemoModel, server: Server, place: Path
) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=place, permission="allow") as before:
        demo_model.queue([tool("glob", pattern="*.md"), text("Done.")])
        session = before.session()
        session.prompt("go")
        seen: list[tuple[str, Any]] = []
        opened(**recording(seen)).session(id=session.id).turns()
        assert names(seen) == ["session_started"]


@pytest.mark.parametrize(
    ("match", "called"),
    [
        ("glob", ["glob"]),
        ("g*", ["glob", "grep"]),
        (("read", "glob"), ["glob", "read"]),
        (re.compile("^gr"), ["grep"]),
        (lambda event: event.call.input.get("pattern") == "mean", ["grep"]),
        ("write", []),
    ],
)
def test_match_limits_a_hook(opened: Open, demo_model: DemoModel, match: Any, called: list[str]) -> None:
    seen: list[str] = []
    demo_model.queue(
        [
            [tool("glob", pattern="*.md"), tool("grep", pattern="mean"), tool("read", filePath="README.md")],
            [text("Done.")],
        ]
    )
    opened(after_tool=oc.Hook(lambda event: seen.append(event.call.tool), match=match)).ask("go")
    assert sorted(seen) == called


def test_once_calls_a_hook_once_and_several_hooks_are_all_called(opened: Open, demo_model: DemoModel) -> None:
    seen: list[str] = []

    async def noted(_event: Any) -> None:
        await asyncio.sleep(0)
        seen.append("async")

    demo_model.queue([tool("glob", pattern="*.md"), tool("grep", pattern="mean"), text("Done.")])
    opened(after_tool=[oc.Hook(lambda _event: seen.append("once"), once=True), noted]).ask("go")
    assert seen == ["once", "async", "async"]


# --- a hook that fails ------------------------------------------------------------------------------------------------


def fails(_event: Any) -> None:
    raise RuntimeError("broken hook")


async def fails_later(_event: Any) -> None:
    raise TimeoutError("broken hook")


async def is_cancelled(_event: Any) -> None:
    raise asyncio.CancelledError("broken hook")


def exits(_event: Any) -> None:
    raise SystemExit("broken hook")


@pytest.mark.parametrize("broken", [fails, fails_later])
def test_a_hook_that_raises_is_logged_and_breaks_nothing(
    opened: Open, demo_model: DemoModel, caplog: pytest.LogCaptureFixture, broken: Any
) -> None:
    demo_model.queue([tool("glob", pattern="*.md"), text("Done.")])
    assert opened(**dict.fromkeys(NAMES, broken)).ask("go").text == "Done."
    assert "The hook after_tool" in caplog.text
    assert "broken hook" in caplog.text


@pytest.mark.parametrize("broken", [is_cancelled, exits])
def test_a_hook_that_ends_in_an_odd_way_breaks_nothing(opened: Open, demo_model: DemoModel, broken: Any) -> None:
    demo_model.queue([tool("glob", pattern="*.md"), text("Done.")])
    veto = oc.Hook(broken, match="glob", veto=True)
    turn = opened(**{**dict.fromkeys(NAMES, broken), "before_tool": [veto, broken]}).ask("go")
    assert (turn.tools[0].status, turn.text) == ("error", "Done.")


def test_a_match_that_raises_is_logged_and_the_next_hooks_are_called(
    opened: Open, demo_model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    demo_model.queue([tool("glob", pattern="*.md"), text("Done.")])
    broken = oc.Hook(lambda _event: None, match=fails)
    assert opened(after_tool=[broken, lambda event: seen.append(event.call.tool)]).ask("go").text == "Done."
    assert seen == ["glob"]
    assert "broken hook" in caplog.text


def test_a_hook_that_hangs_is_given_up(opened: Open, demo_model: DemoModel, caplog: pytest.LogCaptureFixture) -> None:
    forever = threading.Event()
    seen: list[str] = []
    hanging = oc.Hook(lambda _event: forever.wait(), timeout=0.05)
    demo_model.queue([tool("glob", pattern="*.md"), text("Done.")])
    try:
        opened(before_tool=hanging, after_tool=lambda event: seen.append(event.call.tool)).ask("go")
    finally:
        forever.set()
    assert seen == ["glob"]
    assert "it took longer than 0.05 s" in caplog.text


def test_a_hook_may_prompt_another_session(opened: Open, demo_model: DemoModel) -> None:
    said: list[str] = []
    demo_model.queue([text("Done.")])
    demo_model.queue([text("Noted.")])
    ai = opened(turn_ended=oc.Hook(lambda event: said.append(ai.ask("note it").text), once=True))
    assert ai.ask("go").text == "Done."
    assert said == ["Noted."]


@pytest.mark.parametrize("wrong", [3, "text", {"a": 1}])
def test_what_is_not_a_function_is_refused_at_once(wrong: Any) -> None:
    with pytest.raises(TypeError):
        oc.Hooks(after_tool=[wrong])


def test_only_before_tool_can_have_a_veto() -> None:
    with pytest.raises(ValueError, match="after_tool: only a before_tool hook"):
        oc.Hooks(after_tool=oc.Hook(print, veto=True))


# --- prompts ----------------------------------------------------------------------------------------------------------


def test_a_hook_changes_a_prompt(opened: Open, demo_model: DemoModel) -> None:
    demo_model.queue([text("Done.")])
    ai = opened(prompt_submitted=[lambda event: event.text + " please", lambda event: event.text.upper()])
    assert ai.ask("go").prompt == "GO PLEASE"


@pytest.mark.parametrize(("answer", "said"), [(False, "blocked this prompt."), (("block", "too long"), ": too long.")])
def test_a_hook_blocks_a_prompt_and_nothing_is_sent(
    opened: Open, demo_model: DemoModel, answer: Any, said: str
) -> None:
    ai = opened(prompt_submitted=oc.Hook(lambda _event: answer, match="*secret*"))
    session = ai.session()
    with pytest.raises(oc.PromptBlockedError, match=re.escape(said)):
        session.prompt("the secret plan")
    with pytest.raises(oc.PromptBlockedError):
        session.command("init", "secret")
    assert not session.turns()
    demo_model.queue([text("Done.")])
    assert session.prompt("the plan").text == "Done."


def test_a_prompt_is_submitted_once_with_all_that_is_sent(opened: Open, demo_model: DemoModel) -> None:
    seen: list[Any] = []

    def submitted(event: Any) -> Any:
        seen.append(event)
        return None if "secret" not in event.text else False

    session = opened(prompt_submitted=submitted).session()
    session.comments.append(Comment("src/temperatures.py", 1, "a secret"))
    with pytest.raises(oc.PromptBlockedError):
        session.prompt("go")
    assert [comment.text for comment in session.comments] == ["a secret"], "the next prompt sends it"
    session.comments[:] = [Comment("src/temperatures.py", 1, "why so?")]
    demo_model.queue(error(418, "I'm a teapot"), text("Done."))
    turn = session.prompt("go", files=["README.md"], retry=oc.Retry(1, base=0, on=oc.TurnError))
    assert (len(seen), seen[1].files) == (2, ("README.md",))
    assert seen[1].text.startswith("go\n\n")
    assert "why so?" in seen[1].text
    assert turn.prompt == seen[1].text
    assert session.comments == []


# --- vetoes -----------------------------------------------------------------------------------------------------------


class Someone:
    """A person who allows everything, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def permission(self, request: dict[str, Any]) -> Answer:
        self.asked.append(request["permission"])
        return Answer("once")

    async def question(self, request: dict[str, Any]) -> list[list[str]]:
        return [["One"]]


def no_readme(event: Any) -> Any:
    return "the readme is off limits" if "README" in str(event.call.input) else None


@pytest.mark.parametrize("permission", ["allow", "ask", {"bash": "allow"}, lambda _request: "once"])
def test_a_veto_refuses_what_the_server_would_not_even_ask(
    opened: Open, demo_model: DemoModel, permission: Any
) -> None:
    person = Someone()
    measured, found = tool("read", filePath="data/measured.csv"), tool("glob", pattern="*.md")
    demo_model.queue([tool("read", filePath="README.md"), measured, found, text("Done.")])
    ai = opened(permission=permission, before_tool=oc.Hook(no_readme, match="read", veto=True))
    turn = ai.ask("go", person=person)
    refused, read, globbed = turn.tools
    assert (refused.status, read.status, globbed.status) == ("error", "completed", "completed")
    assert "the readme is off limits" in refused.error
    assert person.asked == []  # what a hook lets through is asked as little as without it


@pytest.mark.parametrize("match", ["edit", "wr*", "write", ("bash", "edit"), (name for name in ("write",))])
def test_a_veto_holds_under_every_name_of_the_tool(
    opened: Open, demo_model: DemoModel, place: Path, match: Any
) -> None:
    demo_model.queue([tool("write", filePath="by-name.txt", content="x"), text("Done.")])
    ai = opened(before_tool=oc.Hook(lambda _event: False, match=match, veto=True))
    assert ai.ask("go").tools[0].status == "error"
    assert not (place / "by-name.txt").exists()


@pytest.mark.parametrize("answer", [False, "no", ("block", "no"), ("reject", "no"), {"decision": "deny"}, 0])
def test_whatever_a_veto_returns_but_none_and_true_refuses(
    opened: Open, demo_model: DemoModel, place: Path, answer: Any
) -> None:
    demo_model.queue([tool("write", filePath="by-answer.txt", content="x"), text("Done.")])
    opened(before_tool=oc.Hook(lambda _event: answer, match="write", veto=True)).ask("go")
    assert not (place / "by-answer.txt").exists()


@pytest.mark.parametrize("options", [{"once": True}, {"match": "question"}, {"match": [re.compile("x")]}])
def test_a_veto_that_could_not_hold_is_refused_at_once(options: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        oc.Hook(print, veto=True, **options)


def test_a_veto_that_fails_refuses_and_the_rest_still_asks(opened: Open, demo_model: DemoModel, place: Path) -> None:
    person = Someone()
    demo_model.queue(
        [tool("write", filePath="vetoed.txt", content="x"), tool("bash", command="true", description="x"), text("ok")]
    )
    ai = opened(permission="ask", before_tool=oc.Hook(fails, match="write", veto=True))
    turn = ai.ask("go", person=person)
    assert [call.status for call in turn.tools] == ["error", "completed"]
    assert "broken hook" in turn.tools[0].error
    assert not (place / "vetoed.txt").exists()
    assert person.asked == ["bash"]


def test_a_veto_denies_its_tools_in_subagents(opened: Open, demo_model: DemoModel) -> None:
    task = tool("task", description="Look", prompt="Look.", subagent_type="general")
    demo_model.queue([[task], [tool("read", filePath="README.md")], [text("Tried.")], [text("Done.")]])
    turn = opened(before_tool=oc.Hook(no_readme, match="read", veto=True)).ask("go")
    calls = [part for child in list(turn.state.family)[1:] for part in child.parts if part["type"] == "tool"]
    assert [call["tool"] for call in calls] == ["invalid"]  # the subagent has no such tool
    assert "# Temperatures" not in str(calls)
    assert turn.text == "Done."
