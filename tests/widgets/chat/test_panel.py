"""ChatPanel with a real session, over a real comm whose other end the test holds."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, gate, text, tool
from opencode_nb.kernel.context import session_context
from opencode_nb.server import Server
from opencode_nb.session.prompt.acts import NO_MCP
from tests.api import mcp_parts
from tests.widgets.panel import Panel
from tests.widgets.wire import Wire

PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # one pixel
)
QUESTION = {"question": "Which format?", "header": "Format", "options": [{"label": "CSV", "description": "plain"}]}


# --- talking ----------------------------------------------------------------------------------------------------------


def subscriptions(panel: oc.ChatPanel) -> int:
    """How often a panel follows its session; what notes what left the kernel follows it for good."""
    return sum(getattr(one, "__self__", None) is panel for one in panel.session._async._subscribers)


def test_a_message_sent_from_python_streams_into_the_panel(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("**First** words "), gate("chat-send"), text("and last.")])
    turn = shown.panel.send("Say something")
    shown.says("First words")
    shown.says("Say something")
    shown.wait(lambda state: state["busy"])
    demo_model.release("chat-send")
    assert turn.wait().text == "**First** words and last."
    shown.rests()
    assert shown.panel.value == [turn]
    assert shown.state["meter"]["tokens"] > 0
    assert shown.state["session"]["title"]


def test_a_message_is_sent_with_its_attachments_and_mentions(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("Seen.")])
    files = [
        {"name": "dot.png", "mime": "image/png", "data": PICTURE},
        {"name": "notes.txt", "mime": "text/plain", "data": base64.b64encode(b"remember this").decode()},
    ]
    shown.done("send", text="Look at @README.md", attachments=files, mode="auto")
    shown.rests()
    sent = json.dumps(demo_model.requests[-1])
    assert PICTURE in sent
    assert "remember this" in sent
    assert "Reads measurements" in sent
    assert "data:image/png;base64" in shown.wire.page.html()
    assert "notes.txt" in shown.wire.page.root.text
    mistyped = shown.do("send", text="Look at @src/temperature.py", mode="auto")
    assert mistyped["kind"] == "failed"
    assert "Did you mean @src/temperatures.py" in mistyped["message"]
    assert len(shown.panel.value) == 1


def test_slash_and_shell_commands_run_as_turns(shown: Panel, project: Path, demo_model: DemoModel) -> None:
    demo_model.queue([text("As you say.")])
    shown.done("send", text="/init be brief", mode="auto")
    shown.says("As you say.")
    shown.rests()
    shown.done("send", text="echo from the shell", mode="shell")
    shown.says("from the shell")
    shown.rests()
    card = next(node for node in shown.wire.page.root.walk() if node.attrs.get("data-tool") == "bash")
    assert "open" in card.attrs
    attached = [{"name": "a.txt", "mime": "text/plain", "data": ""}]
    assert "takes no files" in shown.do("send", text="ls", mode="shell", attachments=attached)["message"]
    demo_model.queue([text("A path.")])
    shown.done("send", text="/etc/hosts is a path", mode="auto")
    shown.says("A path.")
    shown.rests()
    demo_model.queue([text("As you say, too.")])
    shown.done("send", text="/init\nin two lines", mode="auto")
    shown.says("As you say, too.")
    shown.rests()
    assert "AGENTS.md" in shown.panel.value[-1].prompt


def test_messages_sent_during_a_turn_queue_and_can_be_edited(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("one"), gate("chat-queue")])
    shown.done("send", text="first", mode="auto")
    shown.says("one")
    for words in ("second", "third", "fourth"):
        shown.done("send", text=words, mode="queue")
    shown.wait(lambda state: [item["text"] for item in state["queue"]] == ["second", "third", "fourth"])
    second, third, _fourth = shown.state["queue"]
    shown.done("queue_edit", item=second["id"], text="another second")
    shown.done("queue_drop", item=third["id"])
    shown.wait(lambda state: [item["text"] for item in state["queue"]] == ["another second", "fourth"])
    assert "no longer queued" in shown.do("queue_drop", item=third["id"])["message"]
    demo_model.queue([text("two")])
    demo_model.queue([text("four")])
    demo_model.release("chat-queue")
    shown.says("four")
    shown.rests()
    assert [turn.prompt for turn in shown.panel.value] == ["first", "another second", "fourth"]


def test_queued_messages_resolve_mentions_when_they_are_sent(
    shown: Panel, demo_model: DemoModel, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mentions are looked up when it is sent, also those that came by editing it; attachments stay with it."""
    config = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell(user_ns={"rain": [763], "wind": [5]}, config=config)
    monkeypatch.setattr(session_context, "get_ipython", lambda: shell)
    demo_model.queue([text("one"), gate("chat-mentions")])
    shown.done("send", text="first", mode="auto")
    shown.says("one")
    notes = {"name": "notes.txt", "mime": "text/plain", "data": base64.b64encode(b"remember this").decode()}
    shown.done("send", text="look at @later.py and @rain", attachments=[notes], mode="queue")
    shown.done("send", text="nothing yet", attachments=[notes], mode="queue")
    shown.wait(lambda state: [item["files"] for item in state["queue"]] == ["notes.txt", "notes.txt"])
    edited = "@general, look at @later.py and @wind"
    shown.done("queue_edit", item=shown.state["queue"][1]["id"], text=edited)
    (project / "later.py").write_text("print('made meanwhile')")
    shell.user_ns["rain"] = [2495]
    demo_model.queue([text("two")])
    demo_model.queue([text("three")])
    demo_model.release("chat-mentions")
    shown.says("three")
    shown.rests()
    two, three = (json.dumps(sent["messages"][-1]) for sent in demo_model.requests[-2:])
    for sent in (two, three):
        assert "made meanwhile" in json.dumps(sent)
        assert "remember this" in json.dumps(sent)
    assert "[2495]" in two
    assert "[5]" in three
    assert "general" in three
    assert [turn.prompt for turn in shown.panel.value[1:]] == ["look at @later.py and @rain", edited]
    assert 'data-variable="wind"' in shown.wire.page.html()
    assert "notes.txt" in shown.wire.page.root.text


@pytest.mark.usefixtures("project")  # it changes a file
def test_the_column_choice_applies_to_requests_cards_and_later_sessions(shown: Panel, demo_model: DemoModel) -> None:
    """As a person chose it in this panel, in requests and cards, whatever session is open."""
    edit = tool("edit", filePath="README.md", oldString="Reads measurements", newString="Reads all measurements")
    demo_model.queue([[tool("read", filePath="README.md")], [edit], [text("Changed.")]])
    turn = shown.panel.send("edit it")
    shown.says("Permission needed")

    def columns(number: int) -> None:
        shown.wire.send({"kind": "columns", "id": str(number)})
        shown.wire.wait(lambda: ("oc-pair" in shown.wire.page.html()) == (number == 2))

    columns(2)
    columns(1)
    columns(2)
    shown.wire.send({"kind": "permission", "id": next(iter(turn.state.permissions)), "reply": "once"})
    shown.says("Changed.")
    shown.wait(lambda state: not state["busy"])
    shown.wire.wait(lambda: "oc-pair" in shown.wire.page.html())
    first = shown.panel.session.id
    shown.done("new")
    shown.done("open", session=first)
    shown.wire.wait(lambda: "oc-pair" in shown.wire.page.html())
    columns(1)
    shown.rests()


def test_a_stopped_turn_keeps_its_text_and_pauses_the_queue(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("partial"), gate("chat-stop")])
    shown.done("send", text="first", mode="auto")
    shown.says("partial")
    shown.done("send", text="second", mode="queue")
    shown.done("stop")
    shown.wait(lambda state: not state["busy"] and state["paused"])
    shown.says("Stopped.")
    demo_model.release("chat-stop")
    demo_model.queue([text("two")])
    shown.done("queue_resume")
    shown.says("two")
    shown.rests()


# --- being asked ------------------------------------------------------------------------------------------------------


def bash(model: DemoModel, command: str = "echo allowed") -> None:
    model.queue([[tool("bash", command=command, description="Say it")], [text("Done.")]])


def request(shown: Panel) -> str:
    return str(shown.panel.session._async.requests[0]["id"])


def test_a_second_click_on_a_permission_request_is_ignored(shown: Panel, demo_model: DemoModel) -> None:
    bash(demo_model)
    turn = shown.panel.send("go")
    shown.says("Permission needed")
    key = request(shown)
    for _ in range(2):
        shown.wire.send({"kind": "permission", "id": key, "reply": "once"})
    shown.says("Done.")
    shown.rests()
    assert turn.tools[0].output.strip() == "allowed"
    assert [(made.reply, made.by) for made in turn.state.decisions] == [("once", "you")]


def test_a_denial_reason_reaches_the_model(shown: Panel, demo_model: DemoModel) -> None:
    bash(demo_model)
    turn = shown.panel.send("go")
    shown.says("Permission needed")
    shown.wire.send({"kind": "permission", "id": request(shown), "answers": [["use make"]]})
    shown.says("Done.")
    shown.rests()
    assert turn.status == "completed"
    assert "use make" in json.dumps(demo_model.requests[-1])


def test_a_question_can_be_answered_or_dismissed(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([[tool("question", questions=[QUESTION])], [text("Thank you.")]])
    turn = shown.panel.send("go")
    shown.says("Which format?")
    shown.wire.send({"kind": "question", "id": request(shown), "answers": [["CSV"]]})
    shown.says("Thank you.")
    shown.rests()
    assert turn.tools[0].metadata["answers"] == [["CSV"]]
    demo_model.queue([[tool("question", questions=[QUESTION])]])
    shown.panel.send("go")
    shown.wait(lambda _state: shown.panel.session._async.requests)
    shown.wire.send({"kind": "question", "id": request(shown), "reply": "reject"})
    shown.rests()


def test_two_panels_show_the_same_after_one_of_them_answers(
    shown: Panel, ai: oc.Opencode, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_wire = Wire()
    monkeypatch.setattr("comm.create_comm", other_wire.make)
    other = Panel(oc.chat(shown.panel.session), other_wire)
    bash(demo_model)
    shown.panel.send("go")
    for one in (shown, other):
        one.says("Permission needed")
    other.wire.send({"kind": "permission", "id": request(other), "reply": "once"})
    for one in (shown, other):
        one.says("Done.")
        one.rests()
    assert shown.wire.page.html() == other.wire.page.html()
    shown.wait(lambda state: {**state, "n": 0} == {**other.state, "n": 0})
    other.panel.close()
    other_wire.unplug()
    assert subscriptions(other.panel) == 0
    assert subscriptions(shown.panel) == 1


def test_a_waiting_session_is_listed_and_can_be_opened(shown: Panel, ai: oc.Opencode, demo_model: DemoModel) -> None:
    other = ai.session(title="The other one")
    bash(demo_model)
    parts: Any = [{"type": "text", "text": "go"}]
    ai.client.session.prompt_async(other.id, parts=parts, model={"providerID": "demo", "modelID": "demo"})
    shown.wait(lambda state: state["elsewhere"] == [{"id": other.id, "title": "The other one"}])
    shown.done("open", session=other.id)
    shown.says("Permission needed")
    shown.wait(lambda state: state["elsewhere"] == [])
    shown.wire.send({"kind": "permission", "id": request(shown), "reply": "once"})
    shown.says("Done.")
    shown.rests()


def test_a_turn_from_another_client_can_be_answered_in_the_panel(
    shown: Panel, server: Server, project: Path, demo_model: DemoModel
) -> None:
    bash(demo_model)
    with oc.Client(server.url, password=server.password, directory=str(project)) as client:
        parts: Any = [{"type": "text", "text": "from elsewhere"}]
        client.session.prompt_async(
            shown.panel.session.id, parts=parts, model={"providerID": "demo", "modelID": "demo"}
        )
        shown.says("from elsewhere")
        shown.says("Permission needed")
        shown.wire.send({"kind": "permission", "id": request(shown), "reply": "once"})
        shown.says("Done.")
        shown.rests()
        bash(demo_model)
        shown.panel.send("again")
        shown.wait(lambda _state: shown.panel.session._async.requests)
        client.permission.reply(request(shown), reply="once")
        shown.rests()
    assert [made.by for turn in shown.panel.value for made in turn.state.decisions] == ["you", "another client"]


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_sessions_can_be_created_opened_renamed_forked_and_deleted(shown: Panel, demo_model: DemoModel) -> None:
    first = shown.panel.session
    demo_model.queue([text("one")])
    shown.panel.send("first").wait()
    shown.wait(lambda state: state["session"]["title"] == "First")  # the server's own, which could overwrite another
    shown.done("rename", session=first.id, title="The first")
    shown.done("new")
    second = shown.panel.session
    assert second.id != first.id
    assert shown.panel.value == []
    shown.rests()
    listed = {item["id"]: item["title"] for item in shown.ask("sessions", search="")}
    assert listed[first.id] == "The first"
    assert [item["id"] for item in shown.ask("sessions", search="The fir")] == [first.id]
    shown.done("open", session=first.id)
    shown.rests()
    assert "first" in shown.wire.page.root.text
    assert shown.state["session"]["title"] == "The first"
    shown.done("fork")
    assert shown.panel.session.id not in (first.id, second.id)
    shown.rests()
    assert "first" in shown.wire.page.root.text
    forked = shown.panel.session.id
    shown.done("delete", session=forked)
    assert forked not in [item["id"] for item in shown.ask("sessions", search="")]
    assert shown.panel.session.id != forked
    assert "first" not in shown.wire.page.root.text
    assert "not" in shown.do("open", session="ses_nothing")["message"]


def test_undo_reverts_files_and_redo_restores_them(shown: Panel, project: Path, demo_model: DemoModel) -> None:
    shown.panel.session.owner._async.policy = type(shown.panel.session.owner._async.policy)("allow")
    for number in (1, 2):
        demo_model.queue(
            [[tool("write", filePath=str(project / f"new{number}.txt"), content="x\n")], [text("Written.")]]
        )
        shown.panel.send(f"write {number}").wait()
    shown.rests()
    (project / "new2.txt").write_text("by hand\n")
    assert "Nothing was done: new2.txt: it was changed since" in shown.do("undo")["message"]
    assert (project / "new2.txt").read_text() == "by hand\n"
    (project / "new2.txt").write_text("x\n")
    shown.done("undo")
    shown.says("1 message undone")
    assert not (project / "new2.txt").exists()
    shown.wait(lambda state: state["undone"] == "write 2")
    shown.done("undo", message=shown.panel.value[0].id)
    shown.says("2 messages undone")
    assert not (project / "new1.txt").exists()
    shown.done("redo")
    shown.wait(lambda state: state["undone"] == "")
    assert (project / "new1.txt").exists()
    assert (project / "new2.txt").exists()
    assert shown.state["notice"] is None
    assert "There is nothing to redo" in shown.do("redo")["message"]


def test_undo_outside_git_warns_that_shell_changes_stay(
    server: Server, tmp_path: Path, wire: Wire, demo_model: DemoModel
) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=tmp_path, permission="allow") as ai:
        shown = Panel(oc.chat(ai.session()), wire)
        shown.wait(lambda state: not state["git"])
        file = tmp_path / "a.txt"
        file.write_text("one\n")
        edit = tool("edit", filePath=str(file), oldString="one", newString="two")
        demo_model.queue([[edit, tool("bash", command="touch made", description="Does it")], [text("Done.")]])
        shown.panel.send("edit").wait()
        shown.rests()
        shown.done("undo")
        shown.wait(lambda state: state["notice"] and "not a git repository" in state["notice"]["text"])
        assert (file.read_text(), (tmp_path / "made").exists()) == ("one\n", True)
        assert shown.state["notice"]["level"] == "warning"
        shown.done("dismiss")
        shown.wait(lambda state: state["notice"] is None)
        shown.panel.close()


def test_the_picked_agent_and_effort_apply_to_the_next_prompt(shown: Panel, demo_model: DemoModel) -> None:
    models = {item["id"]: item for item in shown.ask("models")}
    assert models["demo/demo"]["context"] == shown.state["meter"]["window"]
    shown.done("pick", agent="plan", variant="high")
    shown.wait(lambda state: (state["agent"], state["variant"]) == ("plan", "high"))
    demo_model.queue([text("Planned.")])
    shown.panel.send("go").wait()
    assert shown.panel.value[-1].agent == "plan"
    assert demo_model.requests[-1]["reasoning_effort"] == "high"


def test_commands_files_and_agents_are_completed(shown: Panel) -> None:
    assert "/init" in [item["text"] for item in shown.ask("complete", text="/in")]
    found = [item["text"] for item in shown.ask("complete", text="@temp")]
    assert "@src/temperatures.py" in found
    assert "@general" in [item["text"] for item in shown.ask("complete", text="@gen")]


@pytest.mark.parametrize("format", ["md", "html", "ipynb", "json"])
def test_a_session_exports_under_a_safe_file_name(shown: Panel, demo_model: DemoModel, format: str) -> None:
    demo_model.queue([text("An answer.")])
    shown.panel.send("A question").wait()
    shown.done("rename", title='A "title" /../ with <signs>')
    (file,) = shown.ask("export", format=format)
    assert file["name"] == f"A-title-with-signs.{format}"
    assert "An answer." in base64.b64decode(file["data"]).decode()


# --- what may go wrong ------------------------------------------------------------------------------------------------


def test_try_again_resends_the_message_with_its_attachments(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([error(401, "The key is not valid.")])
    files = [
        {"name": "dot.png", "mime": "image/png", "data": PICTURE},
        {"name": "notes.txt", "mime": "text/plain", "data": base64.b64encode(b"remember this").decode()},
    ]
    shown.done("send", text="Look at @README.md", attachments=files, mode="auto")
    shown.says("The key is not valid (HTTP 401).")
    shown.rests()
    (failed,) = shown.panel.value
    button = f'data-intent="again" data-message="{failed.id}"'
    assert button in shown.wire.page.html(keys=True)
    demo_model.queue([text("Seen.")])
    shown.wire.send({"kind": "again", "message": failed.id})
    shown.says("Seen.")
    shown.rests()
    again = shown.panel.value[-1]
    assert (again.prompt, again.status) == (failed.prompt, "completed")
    sent = json.dumps(demo_model.requests[-1]["messages"][-1])
    for piece in (PICTURE, "remember this", "Reads measurements", "Look at @README.md"):
        assert sent.count(piece) == 1


@pytest.mark.usefixtures("project")  # servers stay known to a directory
def test_mcp_servers_are_listed_connected_and_disconnected(shown: Panel, ai: oc.Opencode) -> None:
    assert shown.do("mcps")["result"] == {"text": NO_MCP, "opens": ""}
    ai.mcp.add("calc", [sys.executable, mcp_parts.__file__])
    ai.mcp.add("gone", ["/no/such/program"])
    assert shown.do("mcps")["result"]["opens"] == "mcps"
    calc, gone = shown.ask("mcp")
    assert calc == {"name": "calc", "state": "connected", "connected": True, "step": "", "command": ""}
    assert gone["state"].startswith("failed: ")
    assert gone["step"] == "Check its command or address, then connect it again."
    shown.done("mcp", server="calc", connect=False)
    assert next(one["state"] for one in shown.ask("mcp")) == "disabled"
    shown.done("mcp", server="calc", connect=True)
    assert [one["connected"] for one in shown.ask("mcp")] == [True, False]
    assert "no MCP server clac. Did you mean calc?" in shown.do("mcp", server="clac", connect=True)["message"]


def test_failures_go_to_the_page_that_asked_or_become_a_notice(shown: Panel) -> None:
    assert "sum up" in shown.do("compact")["message"] or "compact" in shown.do("compact")["message"]
    assert shown.do("send", text="x", attachments=[{"name": "x"}])["kind"] == "failed"
    shown.wire.send({"kind": "redo"})
    shown.wait(lambda state: state["notice"])
    assert shown.state["notice"]["level"] == "error"


def test_a_duplicate_send_is_handled_once(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("Once.")])
    for _ in range(2):
        shown.wire.send({"kind": "send", "id": "page-x", "text": "go", "mode": "auto"})
    shown.says("Once.")
    shown.rests()
    assert len(shown.panel.value) == 1


def test_malformed_page_messages_change_nothing(shown: Panel) -> None:
    before = {**shown.state, "n": 0}
    for content in (
        "hello",
        None,
        3,
        {},
        {"kind": "sing"},
        {"kind": ["send"]},
        {"kind": "permission"},
        {"kind": "question", "id": 3},
    ):
        shown.wire.send(content)
    shown.wire.send({"kind": "ask", "what": "secrets", "n": 1})
    shown.wire.wait(lambda: shown.wire.kinds("answer"))
    assert "error" in shown.wire.kinds("answer")[0]
    assert {**shown.state, "n": 0} == before


def test_the_password_is_never_sent_to_a_page(shown: Panel, server: Server, demo_model: DemoModel) -> None:
    bash(demo_model, "env | grep OPENCODE_SERVER_PASSWORD; true")
    shown.panel.send("show it")
    shown.says("Permission needed")
    shown.wire.send({"kind": "permission", "id": request(shown), "reply": "once"})
    shown.says("Done.")
    shown.rests()
    shown.ask("export", format="json")
    everything = json.dumps([shown.wire.messages, shown.wire.states, shown.state, repr(shown.panel)])
    assert server.password not in everything


def test_a_closed_panel_unsubscribes_and_sends_nothing(ai: oc.Opencode, wire: Wire, demo_model: DemoModel) -> None:
    session = ai.session()
    panel = oc.chat(session)
    panel.close()
    panel.close()
    assert subscriptions(panel) == 0
    assert panel.widget.comm is None
    count = len(wire.messages)
    demo_model.queue([text("unseen")])
    session.prompt("go")
    assert len(wire.messages) == count


def test_chat_with_both_a_session_and_options_raises_type_error(ai: oc.Opencode) -> None:
    with pytest.raises(TypeError, match="either a session or options"):
        oc.chat(ai.session(), model="demo/demo")


def test_a_model_without_its_provider_is_shown_with_it(
    server: Server, project: Path, wire: Wire, demo_model: DemoModel
) -> None:
    given = {"base_url": server.url, "password": server.password, "directory": project}
    panel = oc.chat(**given, model="demo-gpt-5")
    wire.wait(lambda: panel.widget.state.get("model"))
    assert panel.widget.state["model"] == "demo/demo-gpt-5"
    panel.close()


def test_a_page_that_missed_a_batch_gets_a_snapshot(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("one two "), gate("chat-lost"), text("three four")])
    shown.panel.send("go")
    shown.says("one two")
    shown.wire.lose = 1
    demo_model.release("chat-lost")
    shown.wait(lambda state: not state["busy"])
    shown.wire.send({"kind": "snapshot"})
    shown.rests()
