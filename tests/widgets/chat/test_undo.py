"""What is taken back in a panel and brought again: with a real session, and on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

import opencode_nb as oc
from opencode_nb.demo import DemoModel, text, tool
from opencode_nb.render.chat.docks import undone_html
from tests.render.turns import turn
from tests.widgets.chat.page import STATE, ChatPage, docks, log
from tests.widgets.panel import Panel


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.fixture
def allowed(ai: oc.Opencode) -> oc.Opencode:
    """Nobody is asked."""
    ai._async.policy = type(ai._async.policy)("allow")
    return ai


def write(shown: Panel, model: DemoModel, file: Path, content: str) -> None:
    """A turn that writes a file."""
    model.queue([[tool("write", filePath=str(file), content=content)], [text("Written.")]])
    shown.panel.send(f"write {file.name}").wait()
    shown.rests()


# --- with a real session ----------------------------------------------------------------------------------------------


def test_undo_and_redo_blocked_by_manual_changes_can_be_forced(
    allowed: oc.Opencode, shown: Panel, project: Path, demo_model: DemoModel
) -> None:
    file = project / "new.txt"
    write(shown, demo_model, file, "x\n")
    file.write_text("by hand\n")
    session, message = shown.panel.session.id, shown.panel.value[-1].id
    refused = shown.do("undo", session=session)
    again: dict[str, Any] = refused["again"]
    assert "Nothing was done" in refused["message"]
    assert (again["kind"], again["session"], again["message"], again["force"]) == ("undo", session, message, True)
    shown.done("new")
    shown.done("open", session=session)
    shown.done(again["kind"], **{key: again[key] for key in ("session", "message", "force")})
    assert not file.exists()
    shown.wait(lambda state: state["notice"] and "Overwritten, with copies kept" in state["notice"]["text"])
    file.write_text("by hand again\n")
    shown.wire.send({"kind": "redo", "session": session})  # a button of the dock has no number
    shown.wait(lambda state: state["notice"] and state["notice"]["again"])
    again = shown.state["notice"]["again"]
    shown.done("redo", **{key: again[key] for key in ("session", "force")})
    assert file.read_text() == "by hand\n"  # as it was when it was undone


def test_undo_names_the_copies_of_files_a_shell_command_changed(
    allowed: oc.Opencode, shown: Panel, project: Path, demo_model: DemoModel
) -> None:
    file = project / "log.txt"
    file.write_text("one\n")
    demo_model.queue([[tool("bash", command="echo two >> log.txt", description="Append")], [text("Appended.")]])
    shown.panel.send("append").wait()
    shown.rests()
    shown.done("undo")
    assert file.read_text() == "one\n"
    shown.wait(lambda state: state["notice"])
    notice = shown.state["notice"]
    assert (notice["level"], "log.txt as " in notice["text"]) == ("info", True)
    copy = Path(notice["text"].rsplit("log.txt as ", 1)[1])
    assert copy.read_text() == "one\ntwo\n"


def test_undo_with_nothing_to_undo_does_not_offer_to_force_it(shown: Panel) -> None:
    assert shown.do("undo")["again"] is None


def test_redo_restores_messages_up_to_the_chosen_one(
    allowed: oc.Opencode, shown: Panel, project: Path, demo_model: DemoModel
) -> None:
    files = [project / f"new{number}.txt" for number in (1, 2, 3)]
    for file in files:
        write(shown, demo_model, file, "x\n")
    first, second, third = shown.panel.value
    shown.done("undo", message=first.id)
    shown.wait(lambda state: state["undone"] == "write new1.txt")
    assert [file.exists() for file in files] == [False] * 3
    shown.done("redo", message=second.id)
    shown.wait(lambda state: state["undone"] == "write new3.txt")
    assert [file.exists() for file in files] == [True, True, False]
    assert [one.id for one in shown.panel.value] == [first.id, second.id]
    assert "no longer undone" in shown.do("redo", message=first.id)["message"]
    shown.done("redo", message=third.id)
    shown.wait(lambda state: state["undone"] == "")
    assert files[2].exists()


def test_a_notice_does_not_carry_over_to_another_session(shown: Panel) -> None:
    shown.wire.send({"kind": "redo"})
    shown.wait(lambda state: state["notice"])
    shown.done("new")
    shown.wait(lambda state: state["notice"] is None)


def test_asking_for_an_answer_returns_the_models_markdown(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("**Bold** and `code`.")])
    sent = shown.panel.send("go").wait()
    assert shown.ask("answer", message=sent.id) == [{"text": "**Bold** and `code`."}]
    assert shown.ask("answer", message="msg_nothing") == []


# --- on the page ------------------------------------------------------------------------------------------------------


def test_undo_outside_git_asks_for_confirmation_first(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    chat.set_state(git=False, busy=False)
    asked = panel.get_by_role("alertdialog", name="files that its commands changed stay as they are")
    for button in ("Undo", "Undo from here"):
        panel.get_by_role("button", name=button, exact=True).click()
        expect(asked.get_by_role("button", name="Cancel")).to_be_focused()
        chat.page.keyboard.press("Escape")
        expect(panel.get_by_role("button", name=button, exact=True)).to_be_focused()
    assert chat.sent("undo") == []
    for count, button in enumerate(("Undo", "Undo from here"), 1):
        panel.get_by_role("button", name=button, exact=True).click()
        asked.get_by_role("button", name="Undo what can be undone").click()
        chat.done("undo", count)
    last, named = chat.sent("undo")
    assert last["session"] == named["session"] == "ses_1"
    assert (last.get("message"), named["message"]) == (None, "msg_user")


def test_undo_anyway_forces_a_refused_undo(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    chat.set_state(busy=False)
    panel.get_by_role("button", name="Undo", exact=True).press("Enter")
    wish = chat.wait_for_sent("undo")[0]
    again = {**wish, "message": "msg_user", "force": True}
    chat.message({"kind": "failed", "id": wish["id"], "message": "Nothing was done.", "again": again})
    anyway = panel.get_by_role("alert").get_by_role("button", name="Undo anyway")
    anyway.press("Enter")
    sent = chat.done("undo", 2)
    assert (sent["session"], sent["message"], sent["force"]) == ("ses_1", "msg_user", True)
    assert sent["id"] != wish["id"]
    expect(anyway).to_have_count(0)
    expect(panel.get_by_role("textbox", name="Message")).to_be_focused()


def test_redo_anyway_forces_a_refused_redo(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    again = {"kind": "redo", "session": "ses_1", "message": "msg_1", "force": True}
    chat.set_state(notice={"n": 1, "text": "Nothing was done.", "level": "error", "again": again})
    panel.get_by_role("button", name="Redo anyway").click()
    assert {**again, "id": ""} == {**chat.done("redo"), "id": ""}


def test_a_failure_alert_closes_when_the_session_changes(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    panel.get_by_role("button", name="Fork", exact=True).click()
    chat.failed("fork", "There is no such turn.")
    expect(panel.get_by_role("alert")).to_be_visible()
    chat.set_state(session={**STATE["session"], "id": "ses_2"})
    expect(panel.get_by_role("alert")).to_have_count(0)


def test_each_undone_message_has_exactly_one_redo_button(chat: ChatPage) -> None:
    """The last one comes back with all."""
    panel = chat.show()
    undone = [turn(prompt=words, status="completed") for words in ('Plot "the" <means>', "Parse the time")]
    for number, state in enumerate(undone):
        state.id = f"msg_{number}"
    chat.set_html(log() + docks(f'<div data-key="undone">{undone_html(undone)}</div>'))
    first = panel.get_by_role("button", name='Redo up to here: Plot "the" <means>')
    every = panel.get_by_role("button", name="Redo", exact=True)
    expect(panel.get_by_role("button", name="Redo")).to_have_count(2)
    first.click()
    every.click()
    assert [wish["message"] for wish in chat.sent("redo")] == ["msg_0", "msg_1"]


def message(panel: Locator) -> Locator:
    return panel.get_by_role("textbox", name="Message")


def test_an_undone_message_returns_to_the_field_for_editing(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    for undone in ("second", "first", "second", ""):  # undone, one more, one of them and all redone
        chat.set_state(undone=undone)
        expect(message(panel)).to_have_value(undone)


def test_undo_and_redo_do_not_overwrite_a_typed_draft(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    message(panel).fill("half wri")
    chat.set_state(undone="first")
    expect(message(panel)).to_have_value("half wri")
    chat.set_state(undone="")
    expect(message(panel)).to_have_value("half wri")
    message(panel).fill("")
    chat.set_state(undone="first")
    message(panel).fill("first, but better")
    chat.set_state(undone="")
    expect(message(panel)).to_have_value("first, but better")


def test_opening_a_session_does_not_fill_in_its_undone_message(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    chat.set_state(session={**STATE["session"], "id": "ses_2"}, undone="long ago")
    expect(message(panel)).to_have_value("")
