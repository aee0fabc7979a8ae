"""Sessions and turns on the real `opencode acp`; only the model is scripted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.session.permissions.policy import PermissionRequest
from opencode_nb.tools.names import server_name
from tests.conftest import make_project


def environment(model: DemoModel, **config: object) -> dict[str, str]:
    return {"OPENCODE_CONFIG_CONTENT": json.dumps({**model.config(), **config})}


@pytest.fixture(scope="module")
def agent(
    opencode_program: Path, server_model: DemoModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[oc.AcpAgent]:
    """An agent for all tests of the module, in a project of its own: a start takes seconds of a core."""
    directory = make_project(tmp_path_factory.mktemp("acp") / "project")
    with oc.AcpAgent(env=environment(server_model), cwd=directory) as agent:
        yield agent


def test_an_edit_is_asked_about_shown_and_can_be_taken_back(agent: oc.AcpAgent, demo_model: DemoModel) -> None:
    asked: list[PermissionRequest] = []
    file = agent.directory / "src/temperatures.py"
    before = file.read_text()
    session = agent.session()
    turn = session.prompt("Edit src/temperatures.py", permission=lambda request: asked.append(request) or "once")
    [request] = asked
    assert request.permission == "edit"
    assert request.patterns == (str(file),)
    assert "+" in request.metadata["diff"]
    assert [(call.tool, call.status, call.kind) for call in turn.tools] == [
        ("read", "completed", "read"),
        ("edit", "completed", "edit"),
    ]
    assert (turn.status, turn.stop_reason, turn.model, turn.agent) == ("completed", "end_turn", "demo/demo", "build")
    assert turn.reasoning
    assert "The scripted demo edited" in turn._repr_mimebundle_()[0]["text/markdown"]
    assert turn.tokens["input"] > 0
    assert turn.cost > 0
    assert turn.cost == session.cost
    assert turn.state.decisions[0].by == "policy"
    assert file.read_text() != before
    [diff] = turn.diffs
    assert diff.file == "src/temperatures.py"
    turn.diff().revert()
    assert file.read_text() == before


def test_a_rule_about_a_command_finds_it_in_a_line_of_several(agent: oc.AcpAgent, demo_model: DemoModel) -> None:
    demo_model.queue([tool("bash", command="echo one > made.txt && rm made.txt")])  # a refusal ends the turn
    turn = agent.session().prompt("go", permission={"bash": {"*": "allow", "rm *": "deny"}})
    assert [(call.tool, call.status) for call in turn.tools] == [("bash", "error")]
    assert not (agent.directory / "made.txt").exists()
    with pytest.raises(oc.OpencodeError, match="started without asking about webfetch"):
        agent.session().prompt("go", permission={"webfetch": "deny"})


def test_a_stopped_turn_keeps_what_it_said_and_the_next_one_works(agent: oc.AcpAgent, demo_model: DemoModel) -> None:
    demo_model.queue([[text(["I begin"]), gate("held")]])
    session = agent.session()
    updates = session.stream("go")
    assert next(one for one in updates if one.kind == "text").text == "I begin"
    session.abort()
    with pytest.raises(oc.AbortedError):
        list(updates)
    demo_model.release("held")
    assert session.turns()[0].text == "I begin"
    assert session.prompt("Say exactly: well").text == "well"
    with pytest.raises(oc.TurnError):
        session.prompt("Fail with a provider error 400")
    assert session.turns()[-1].status == "error"


def test_models_and_modes_are_those_that_the_agent_offers(agent: oc.AcpAgent, demo_model: DemoModel) -> None:
    turn = agent.session().prompt("Say exactly: planned", model="demo/demo-gpt-5", agent="plan")
    assert (turn.model, turn.agent) == ("demo/demo-gpt-5", "plan")
    with pytest.raises(oc.OpencodeError, match="no model 'demo/other'"):
        agent.session().prompt("go", model="demo/other")


def test_a_session_is_opened_again_and_outlives_the_agent_s_process(
    agent: oc.AcpAgent, demo_model: DemoModel, opencode_program: Path
) -> None:
    first = agent.session()
    first.prompt("Say exactly: the first answer")
    rules = {"bash": {"rm *": "deny"}}
    before = {*psutil.Process().children()}
    with oc.AcpAgent(
        [str(opencode_program), "acp"],
        env=environment(demo_model, permission=rules),
        cwd=agent.directory,
        permission={"bash": "allow"},
    ) as other:
        assert first.id in [info["id"] for info in other.sessions()]
        session = other.session(id=first.id)
        [turn] = session.turns()
        assert (turn.prompt, turn.text, turn.status) == (
            "Say exactly: the first answer",
            "the first answer",
            "completed",
        )
        demo_model.queue([tool("bash", command="rm README.md")])
        assert session.prompt("go").tools[0].status == "error"  # the user's own rule still denies
        [keeper] = {*psutil.Process().children()} - before
        [program] = keeper.children()
        demo_model.queue([[text(["partial"]), gate("killed")]])
        updates = session.stream("go")
        assert next(one for one in updates if one.kind == "text").text == "partial"
        program.kill()
        with pytest.raises(oc.ServerGoneError):
            list(updates)
        demo_model.release("killed")
        assert session.prompt("Say exactly: still here").text == "still here"
        with pytest.raises(oc.NotFoundError):
            other.session(id="ses_none")
    assert (agent.directory / "README.md").exists()


def test_a_fork_has_the_history_and_goes_its_own_way(agent: oc.AcpAgent, demo_model: DemoModel) -> None:
    first = agent.session()
    first.prompt("Say exactly: shared")
    forked = first.fork()
    assert forked.id != first.id
    assert [turn.text for turn in forked.turns()] == ["shared"]
    assert forked.prompt("Say exactly: mine").text == "mine"
    assert [turn.text for turn in first.turns()] == ["shared"]
    with pytest.raises(oc.NotSupportedError, match="whole sessions only"):
        first.fork(first.turns()[0])
    with pytest.raises(oc.NotSupportedError, match="delete sessions"):
        forked.delete()
    [login] = agent.auth_methods
    assert login.command.endswith("opencode auth login")


def test_functions_of_this_process_are_tools_and_answer_with_a_schema(
    agent: oc.AcpAgent, demo_model: DemoModel
) -> None:
    def label(word: str) -> str:
        """Label a word."""
        return f"labelled {word}"

    def count() -> int:
        """Count."""
        return 7

    agent.tools.add(label)
    agent.tools.add(count, read_only=True)
    asked: list[PermissionRequest] = []
    try:
        session = agent.session()
        prefix = server_name(session.id)
        calls = [tool(f"{prefix}_label", word="a"), tool(f"{prefix}_count")]
        demo_model.queue(calls, [text(["done"])])
        turn = session.prompt("go", permission=lambda request: asked.append(request) or "once")
        assert [(call.status, call.output) for call in turn.tools] == [
            ("completed", "labelled a"),
            ("completed", "7"),
        ]
        assert [(request.permission, request.input) for request in asked] == [("label", {"word": "a"})]
        demo_model.queue([calls[0]])  # a refusal ends the turn
        assert [call.status for call in session.prompt("go", permission="deny").tools] == ["error"]
        demo_model.queue([tool(f"{prefix}_result", value="x")], [tool(f"{prefix}_result", value=7)])
        turn = session.prompt("go", schema=int)
        assert (turn.data, turn.status) == (7, "completed")
        assert [call.status for call in turn.tools] == ["error", "completed"]
        demo_model.queue([text(["no number"])], [text(["8"])])
        assert session.prompt("go", schema=int).data == 8  # corrected by another prompt
    finally:
        agent.tools.remove("label")
        agent.tools.remove("count")
