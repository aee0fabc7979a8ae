"""Slash commands in a chat panel, at rest and while a turn runs, with a real session."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.server import Server
from tests.widgets.chat.test_panel import Panel
from tests.widgets.wire import Wire


@pytest.fixture
def shown(server: Server, workplace: Path, demo_model: DemoModel, wire: Wire) -> Iterator[Panel]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        panel = oc.chat(ai.session())
        yield Panel(panel, wire)
        panel.close()


def test_a_command_sent_during_a_turn_is_queued(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("one"), gate("chat-commands")])
    shown.done("send", text="first", mode="auto")
    shown.says("one")
    shown.done("send", text="/init\nbe brief", mode="queue")
    shown.done("send", text="to be edited", mode="queue")
    shown.wait(lambda state: [item["text"] for item in state["queue"]] == ["/init\nbe brief", "to be edited"])
    shown.done("queue_edit", item=shown.state["queue"][1]["id"], text="/init rather so")
    for words in ("two", "three"):
        demo_model.queue([text(words)])
    demo_model.release("chat-commands")
    shown.says("three")
    shown.rests()
    _first, second, third = (turn.prompt for turn in shown.panel.value)
    assert "AGENTS.md" in second
    assert "be brief" in second
    assert "AGENTS.md" in third
    assert "rather so" in third


def test_a_command_sent_in_steer_mode_steers_the_turn(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([[text("one"), gate("chat-steered"), tool("glob", pattern="*")], [text("As you say.")]])
    shown.done("send", text="first", mode="auto")
    shown.says("one")
    shown.done("send", text="/init be brief", mode="steer")
    assert shown.state["queue"] == []
    demo_model.release("chat-steered")
    shown.says("As you say.")
    shown.rests()
    assert "be brief" in shown.panel.value[1].prompt
    assert [turn.status for turn in shown.panel.value] == ["completed", "completed"]


def written(shown: Panel, text: str, mode: str = "auto") -> dict[str, Any]:
    """Send a text as the message field does; return the page's answer."""
    return shown.do("send", text=text, mode=mode)


def test_messages_are_undone_and_redone_one_by_one(shown: Panel, demo_model: DemoModel) -> None:
    for words in ("first", "second"):
        demo_model.queue([text(f"{words} answer")])
        shown.done("send", text=words, mode="auto")
        shown.says(f"{words} answer")
        shown.rests()
    assert written(shown, "/undo")["result"] == {"said": "Undone."}
    shown.wait(lambda state: state["undone"] == "second")
    assert written(shown, "/undo")["kind"] == "done"
    shown.wait(lambda state: state["undone"] == "first")
    assert "nothing to undo" in written(shown, "/undo")["message"]
    assert written(shown, "/redo")["result"] == {"said": "Restored."}
    shown.wait(lambda state: state["undone"] == "second")
    assert written(shown, "/redo")["kind"] == "done"
    shown.wait(lambda state: state["undone"] == "")
    assert "There is nothing to redo" in written(shown, "/redo")["message"]


def test_an_undo_stops_what_runs_and_the_queue_waits(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("half an answer"), gate("chat-undo")])
    shown.done("send", text="first", mode="auto")
    shown.says("half an answer")
    shown.done("send", text="waits", mode="queue")
    assert written(shown, "/undo", "queue")["kind"] == "done"
    shown.wait(lambda state: state["undone"] == "first" and not state["busy"])
    assert [item["text"] for item in shown.state["queue"]] == ["waits"]
    demo_model.release("chat-undo")


def test_commands_during_a_turn_act_at_once_or_say_why_not(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("one"), gate("chat-at-once")])
    shown.done("send", text="first", mode="auto")
    shown.says("one")
    before = shown.state["session"]["id"]
    assert "A turn is running" in written(shown, "/compact", "queue")["message"]
    assert "/status" not in str(shown.state["queue"])
    assert "Agent:" in written(shown, "/status", "queue")["result"]["text"]
    assert "goes on: /sessions" in written(shown, "/new", "steer")["result"]["said"]
    shown.wait(lambda state: state["session"]["id"] != before and not state["busy"])
    assert written(shown, f"/sessions {before}")["kind"] == "done"
    shown.wait(lambda state: state["session"]["id"] == before and state["busy"])
    demo_model.release("chat-at-once")
    shown.rests()


def test_a_new_session_has_the_model_and_agent_that_were_picked(shown: Panel) -> None:
    assert written(shown, "/models demo/demo")["result"]["text"] == "Model: demo/demo, from the next message on."
    assert written(shown, "/agents plan")["kind"] == "done"
    shown.wait(lambda state: (state["model"], state["agent"]) == ("demo/demo", "plan"))
    shown.done("new")
    shown.wait(lambda state: (state["model"], state["agent"]) == ("demo/demo", "plan"))
    assert written(shown, "/rename Rain")["kind"] == "done"
    shown.wait(lambda state: state["session"]["title"] == "Rain")


@pytest.mark.parametrize(
    ("command", "opens"),
    [
        ("/models", "models"),
        ("/agents", "agents"),
        ("/resume", "sessions"),
        ("/rename", "rename"),
        ("/help", "commands"),
        ("/thinking", "thinking"),
        ("/copy", "copy"),
    ],
)
def test_picker_commands_open_their_picker(shown: Panel, command: str, opens: str) -> None:
    result = written(shown, command)["result"]
    assert result["opens"] == opens
    assert result["text"]


def test_a_session_is_downloaded(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("An answer.")])
    shown.done("send", text="A question", mode="auto")
    shown.says("An answer.")
    shown.rests()
    file = written(shown, "/export html")["result"]["file"]
    assert (file["name"].rpartition(".")[2], file["mime"]) == ("html", "text/html")
    assert b"An answer." in base64.b64decode(file["data"])


def test_an_unknown_command_is_refused_before_sending(shown: Panel, demo_model: DemoModel) -> None:
    assert "Did you mean /undo?" in written(shown, "/udno")["message"]
    assert "Did you mean /undo?" in written(shown, "/udno", "queue")["message"]
    attached = [{"name": "a.txt", "mime": "text/plain", "data": ""}]
    assert "/undo takes no files" in shown.do("send", text="/undo", mode="auto", attachments=attached)["message"]
    assert shown.panel.value == []
    for prose in ("/tmp is full", " /undo is a command"):
        demo_model.queue([text("As you say.")])
        shown.done("send", text=prose, mode="auto")
        shown.rests()
        assert shown.panel.value[-1].prompt == prose


def test_a_queued_message_cannot_be_edited_into_a_command(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("one"), gate("chat-edited")])
    shown.done("send", text="first", mode="auto")
    shown.says("one")
    shown.done("send", text="waits", mode="queue")
    shown.wait(lambda state: state["queue"])
    item = shown.state["queue"][0]["id"]
    assert "acts at once" in shown.do("queue_edit", item=item, text="/undo")["message"]
    assert "Did you mean" in shown.do("queue_edit", item=item, text="/inti")["message"]
    shown.done("queue_drop", item=item)
    demo_model.release("chat-edited")
    shown.rests()


def test_a_refused_undo_can_be_forced(shown: Panel, project: Path, demo_model: DemoModel) -> None:
    demo_model.queue([[tool("write", filePath=str(project / "note.txt"), content="agent\n")], [text("Written.")]])
    shown.panel.session._async.owner.prefer(permission="allow")
    shown.done("send", text="write", mode="auto")
    shown.says("Written.")
    shown.rests()
    (project / "note.txt").write_text("mine\n")
    failed = written(shown, "/undo")
    assert failed["kind"] == "failed"
    again = failed["again"]
    assert (again["kind"], again["force"]) == ("undo", True)
    shown.done("undo", **{key: again[key] for key in ("session", "message", "force")})
    assert not (project / "note.txt").exists()
