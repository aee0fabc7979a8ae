"""What can be done with a session, against the real server; only the model is scripted."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, reason, text, tool, usage
from opencode_nb.server import Server
from opencode_nb.session.prompt.parts import Attachment
from opencode_nb.session.turns.running import ABORT_TIMEOUT
from opencode_nb.transcript.transcript import Change
from tests.support.interrupts import interrupt_when_told

LIMIT = 60
"""Seconds for a command to begin on a busy machine; a moment on an idle one."""


@pytest.fixture
def ai(server: Server, project: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    (project / ".opencode/command").mkdir(parents=True)
    (project / ".opencode/command/greet.md").write_text(
        "---\ndescription: Greets\n---\nSay exactly: hello $ARGUMENTS\n"
    )
    (project / ".opencode/command/slow.md").write_text("Say exactly: !`sleep $ARGUMENTS`\n")
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        yield ai


def when(session: oc.Session, kind: str) -> threading.Event:
    """An event that is set by the next change of this kind."""
    seen = threading.Event()
    session.subscribe(lambda change: seen.set() if change.kind == kind else None)
    return seen


# -- commands, shell, compact ------------------------------------------------------------------------------------------


def test_a_slash_command_runs_as_a_turn(ai: oc.Opencode) -> None:
    assert "greet" in [command["name"] for command in ai.commands()]
    session = ai.session()
    turn = session.command("greet", "big world")
    assert turn.status == "completed"
    assert turn.text == "hello big world"
    assert turn.prompt == "Say exactly: hello big world"
    assert [kept.id for kept in session.turns()] == [turn.id]
    assert session.command("/greet", "you", wait=False).wait(60).text == "hello you"


def test_an_unknown_command_raises_and_lists_the_available_ones(ai: oc.Opencode, demo_model: DemoModel) -> None:
    with pytest.raises(
        oc.OpencodeError, match=r"no command /great\. Did you mean /greet\? Available commands: .*/init"
    ):
        ai.session().command("great")
    assert demo_model.requests == []


@pytest.mark.parametrize("seconds", [2, ABORT_TIMEOUT + 2])
def test_an_interrupt_before_a_command_begins_stops_it(ai: oc.Opencode, demo_model: DemoModel, seconds: float) -> None:
    """Its template runs shell commands first, and the server's abort passes by what has not begun."""
    demo_model.queue([[text("must not go on"), gate("slow")]])
    session = ai.session()
    interrupt_when_told(session, "turn")  # it is about to go
    with pytest.raises(KeyboardInterrupt):
        session.command("slow", f"{seconds:g}")
    turn = session.turns()[-1]
    assert turn.status == "aborted"
    limit = time.monotonic() + LIMIT
    while not turn.messages or session.id in ai.client.session.status():  # stopped before or after its first step
        assert time.monotonic() < limit, "it has not begun at all, or goes on"
    demo_model.reset()


def test_an_aborted_command_keeps_its_partial_text(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([[text("partial"), gate("command")]])
    session = ai.session()
    spoke = when(session, "delta")
    turn = session.command("greet", "x", wait=False)
    assert spoke.wait(60)
    session.abort()
    demo_model.release("command")
    with pytest.raises(oc.AbortedError):
        turn.wait(30)
    assert turn.text == "partial"


def test_a_shell_command_runs_without_the_model_and_enters_its_context(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    turn = session.shell("echo by hand")
    assert [(call.tool, call.status, call.output) for call in turn.tools] == [("bash", "completed", "by hand\n")]
    assert demo_model.requests == []
    session.prompt("Say exactly: read it")
    assert "by hand" in json.dumps(demo_model.requests[-1])
    assert len(session.turns()) == 2


def test_aborting_a_shell_command_keeps_its_output(ai: oc.Opencode, project: Path) -> None:
    session = ai.session()
    printed = threading.Event()

    def look(change: Change) -> None:
        if "begun" in json.dumps([call.metadata for turn in session._async.turns() for call in turn.tools]):
            printed.set()

    session.subscribe(look)
    turn = session.shell("echo begun; sleep 600", wait=False)
    assert printed.wait(60)
    with pytest.raises(oc.OpencodeError, match="A turn is running"):
        session.shell("echo no")
    session.abort()
    with pytest.raises(oc.AbortedError):
        turn.wait(30)
    assert "begun" in turn.tools[0].output


def test_compacting_adds_a_summary_turn_and_frees_context(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    with pytest.raises(oc.OpencodeError, match="nothing to compact"):
        session.compact()
    demo_model.queue([[text("much"), usage(50_000, 10)]])
    session.prompt("go")
    before = session.context
    assert (before.model, before.tokens, before.window) == ("demo/demo", 50_010, 200_000)
    assert before.share == pytest.approx(0.25, abs=0.01)
    turn = session.compact()
    assert turn.status == "completed"
    assert [kept.id for kept in session.turns()][-1] == turn.id
    assert 0 < session.context.tokens < 1000
    assert session.prompt("Say exactly: on we go").text == "on we go"


def test_an_aborted_compaction_raises_aborted_error(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    session.prompt("hello")
    demo_model.queue([[text("## Goal"), gate("compaction")]])
    spoke = when(session, "delta")

    def stop() -> None:
        spoke.wait(60)
        session.abort()

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(oc.AbortedError):
        session.compact()
    stopping.join()
    demo_model.release("compaction")
    assert session.prompt("hello").status == "completed"


def test_shell_compact_and_note_turns_survive_a_reload(ai: oc.Opencode, server: Server, project: Path) -> None:
    session = ai.session()
    session.prompt("hello")
    session.shell("echo by hand")
    session.compact()
    session.prompt("only a note", no_reply=True)
    live = [(turn.id, turn.status, turn.text) for turn in session.turns()]
    assert [status for _id, status, _text in live] == ["completed"] * 4
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as other:
        assert [(turn.id, turn.status, turn.text) for turn in other.session(id=session.id).turns()] == live


# -- steering ----------------------------------------------------------------------------------------------------------


def test_a_prompt_while_busy_steers_after_the_current_step(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Working."), gate("steer"), tool("glob", pattern="*")], [text("As you say.")]])
    session = ai.session()
    spoke = when(session, "delta")
    first = session.prompt("go", wait=False)
    assert spoke.wait(60)
    second = session.prompt("rather do this", wait=False)
    demo_model.release("steer")
    assert (first.wait(60).text, second.wait(60).text) == ("Working.", "As you say.")
    assert "rather do this" in json.dumps(demo_model.requests[-1])
    assert [turn.id for turn in session.turns()] == [first.id, second.id]


def test_abort_also_ends_the_steering_prompt(ai: oc.Opencode, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Working."), gate("steer-stop")]])
    session = ai.session()
    spoke = when(session, "delta")
    turns = [session.prompt("go", wait=False)]
    assert spoke.wait(60)
    turns.append(session.prompt("rather do this", wait=False))
    session.abort()
    demo_model.release("steer-stop")
    for turn in turns:
        with pytest.raises(oc.AbortedError):
            turn.wait(30)
    assert not session.busy
    assert session.prompt("hello").status == "completed"


# -- undo, redo, fork --------------------------------------------------------------------------------------------------


def edits(session: oc.Session, demo_model: DemoModel, file: Path, *versions: str) -> list[oc.Turn]:
    turns = []
    for old, new in pairwise(versions):
        demo_model.queue([[tool("edit", filePath=str(file), oldString=old, newString=new)], [text("Done.")]])
        turns.append(session.prompt(f"{old} to {new}", permission="allow"))
    return turns


def test_undo_reverts_one_turn_at_a_time_and_lists_the_files(
    ai: oc.Opencode, demo_model: DemoModel, project: Path
) -> None:
    file = project / "note.txt"
    file.write_text("one\n")
    session = ai.session()
    turns = edits(session, demo_model, file, "one", "two", "three")
    undone = session.revert()
    assert (undone.undone, undone.files, undone.differ, undone.warning) == (("two to three",), ("note.txt",), (), "")
    assert file.read_text() == "two\n"
    assert session.revert().undone == ("one to two", "two to three")
    assert file.read_text() == "one\n"
    with pytest.raises(oc.OpencodeError, match="nothing to undo"):
        session.revert()
    assert session.revert(turns[1]).undone == ("two to three",)  # a part of it redone
    assert file.read_text() == "two\n"
    redone = session.unrevert()
    assert (redone.undone, redone.files, redone.warning) == ((), ("note.txt",), "")
    assert file.read_text() == "three\n"
    with pytest.raises(oc.OpencodeError, match="There is nothing to redo"):
        session.unrevert()
    answer = turns[1].messages[-1].id
    assert session.revert(answer).undone == ("two to three",)  # any message of a turn names it
    session.unrevert()


def test_a_turn_before_a_shell_command_is_undone_with_it(ai: oc.Opencode, demo_model: DemoModel, project: Path) -> None:
    file = project / "note.txt"
    file.write_text("one\n")
    session = ai.session()
    (turn,) = edits(session, demo_model, file, "one", "two")
    session.shell("true")
    assert len(session.revert(turn).undone) == 2
    assert file.read_text() == "one\n"
    session.unrevert()
    assert file.read_text() == "two\n"


def test_undo_while_busy_is_refused(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    session.prompt("hello")
    demo_model.queue([[text("Working."), gate("undo-busy")]])
    spoke = when(session, "delta")
    turn = session.prompt("go", wait=False)
    assert spoke.wait(60)
    with pytest.raises(oc.OpencodeError, match="A turn is running"):
        session.revert()
    with pytest.raises(oc.ConflictError, match="busy"):
        ai.client.session.revert(session.id, messageID=turn.id)
    demo_model.release("undo-busy")
    turn.wait(60)
    ai.client.session.revert(session.id, messageID=turn.id)


def test_a_fork_holds_the_turns_before_its_point_and_rejects_unknown_ids(ai: oc.Opencode) -> None:
    session = ai.session()
    turns = [session.prompt(f"Say exactly: {n}") for n in range(3)]
    assert [turn.text for turn in session.fork(at=turns[2]).turns()] == ["0", "1"]
    with pytest.raises(oc.OpencodeError, match="no such turn"):
        session.fork(at="msg_000000000000AAAAAAAAAAAAAA")


# -- the session as a whole --------------------------------------------------------------------------------------------


def test_a_session_reports_cost_tokens_messages_todos_and_children(ai: oc.Opencode, demo_model: DemoModel) -> None:
    session = ai.session()
    demo_model.queue([[reason("Hm."), text("Yes.")]])
    turns = [session.prompt("go"), session.prompt("hello")]
    assert session.cost == pytest.approx(sum(turn.cost for turn in turns))
    assert session.tokens == {key: sum(turn.tokens[key] for turn in turns) for key in turns[0].tokens}
    assert [message["info"]["role"] for message in session.messages()] == ["user", "assistant"] * 2
    session.prompt("Use several tools with a todo list", permission="allow")
    assert {todo["status"] for todo in session.todos()} <= {"pending", "in_progress", "completed"}
    assert session.todos()
    session.prompt("Delegate this to a subagent", permission="allow")
    assert [child["parentID"] for child in session.children()] == [session.id]


def test_share_raises_when_sharing_is_disabled(ai: oc.Opencode) -> None:
    session = ai.session()
    with pytest.raises(oc.OpencodeError, match="Sharing is disabled"):
        session.share()
    session.unshare()
    assert session.shared_url == ""


def test_models_and_agents_report_their_details(ai: oc.Opencode) -> None:
    (model,) = [model for model in ai.models_detail() if model["id"] == "demo/demo"]
    assert (model["context"], model["output"], model["reasoning"], model["tools"]) == (200_000, 32_000, True, True)
    assert {"low", "high"} <= set(model["variants"])
    assert {"text", "image"} <= set(model["input"])
    assert [agent["name"] for agent in ai.agents()] == ["build", "plan"]
    assert all(agent["description"] for agent in ai.agents())


def test_sessions_filters_by_title_and_limits_the_count(ai: oc.Opencode) -> None:
    for n in range(4):
        ai.session(f"Title {n}")
    assert [info["title"] for info in ai.sessions(search="TITLE 2")] == ["Title 2"]
    assert [info["title"] for info in ai.sessions(limit=2)] == ["Title 3", "Title 2"]


def test_an_attachment_made_of_bytes_reaches_the_model(ai: oc.Opencode, demo_model: DemoModel) -> None:
    csv = Attachment("days.csv", "text/csv", b"day,mean\n1,12.5\n")
    ai.session().prompt("What did I send you?", files=[csv])
    assert "day,mean" in json.dumps(demo_model.requests[-1])


# -- export ------------------------------------------------------------------------------------------------------------


def test_exports_contain_the_turns_and_escape_markup(ai: oc.Opencode, server: Server, project: Path) -> None:
    session = ai.session("A <b>title</b>")
    session.prompt("Edit src/temperatures.py", permission="allow")
    session.prompt("<script>alert(1)</script> Say exactly: <img src=x onerror=alert(1)>")
    markdown, html = session.export(), session.export("html")
    assert markdown.startswith("# A ")
    assert "> Edit src/temperatures.py" in markdown
    assert "<script>" not in markdown
    assert html.startswith("<!doctype html>")
    assert "A &lt;b&gt;title&lt;/b&gt;" in html
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "src/temperatures.py" in html
    notebook = nbformat.reads(session.export("ipynb"), as_version=4)
    nbformat.validate(notebook)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code"]
    assert notebook.cells[1].source == "%%prompt\nEdit src/temperatures.py"
    assert {"text/html", "text/markdown", "text/plain"} <= set(notebook.cells[1].outputs[0].data)
    stored = json.loads(session.export("json"))
    assert stored["info"]["id"] == session.id
    assert stored["messages"] == session.messages()
    with pytest.raises(ValueError, match="use one of md, json, html, ipynb"):
        session.export("docx")


# -- requests of turns begun elsewhere ---------------------------------------------------------------------------------


def test_another_client_can_answer_the_requests_of_a_turn(
    ai: oc.Opencode, server: Server, project: Path, demo_model: DemoModel
) -> None:
    session = ai.session()
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as other:
        watcher = other.session(id=session.id)
        asked = when(watcher, "request")

        class Silent:
            async def permission(self, request: dict[str, Any]) -> None:
                await _forever()

            async def question(self, request: dict[str, Any]) -> None:
                await _forever()

        turn = session.prompt("Edit src/temperatures.py", person=Silent(), wait=False)
        assert asked.wait(60)
        (request,) = watcher.requests
        assert request["permission"] == "edit"
        with pytest.raises(ValueError, match="once"):
            watcher.reply(request["id"], "maybe")  # type: ignore[arg-type]  # as a person may type it
        assert watcher.reply(request["id"], "once")
        assert not watcher.reply(request["id"], "once")
        assert turn.wait(60).diffs
        assert watcher.requests == []
        asked.clear()
        turn = session.prompt("ask a question", person=Silent(), wait=False)
        assert asked.wait(60)
        (request,) = watcher.requests
        assert watcher.answer(request["id"], [[q["options"][0]["label"]] for q in request["questions"]])
        assert turn.wait(60).state.decisions[0].reply == "answered"


async def _forever() -> None:
    await asyncio.Event().wait()
