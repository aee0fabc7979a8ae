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


def test_one_goes_on_where_somebodys_changes_are_in_the_way(
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


def test_an_undo_names_the_copies_of_what_the_agent_may_not_have_changed_alone(
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


def test_a_failure_of_another_kind_offers_no_way_past(shown: Panel) -> None:
    assert shown.do("undo")["again"] is None


def test_messages_come_back_up_to_the_one_that_is_chosen(
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


def test_what_was_told_of_one_session_is_not_told_of_the_next(shown: Panel) -> None:
    shown.wire.send({"kind": "redo"})
    shown.wait(lambda state: state["notice"])
    shown.done("new")
    shown.wait(lambda state: state["notice"] is None)


def test_an_answer_is_given_in_the_models_own_markdown(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("**Bold** and `code`.")])
    sent = shown.panel.send("go").wait()
    assert shown.ask("answer", message=sent.id) == [{"text": "**Bold** and `code`."}]
    assert shown.ask("answer", message="msg_nothing") == []


# --- on the page ------------------------------------------------------------------------------------------------------


def test_outside_git_an_undo_says_beforehand_which_files_stay(chat: ChatPage) -> None:
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


def test_a_refused_undo_is_done_anyway_by_who_wants_it(chat: ChatPage) -> None:
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


def test_a_refused_redo_is_done_anyway_by_who_wants_it(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    again = {"kind": "redo", "session": "ses_1", "message": "msg_1", "force": True}
    chat.set_state(notice={"n": 1, "text": "Nothing was done.", "level": "error", "again": again})
    panel.get_by_role("button", name="Redo anyway").click()
    assert {**again, "id": ""} == {**chat.done("redo"), "id": ""}


def test_a_failure_goes_with_the_session_that_it_was_of(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    panel.get_by_role("button", name="Fork", exact=True).click()
    chat.failed("fork", "There is no such turn.")
    expect(panel.get_by_role("alert")).to_be_visible()
    chat.set_state(session={**STATE["session"], "id": "ses_2"})
    expect(panel.get_by_role("alert")).to_have_count(0)


def test_each_undone_message_has_one_way_back(chat: ChatPage) -> None:
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


def test_an_undone_message_comes_back_to_be_written_anew(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    for undone in ("second", "first", "second", ""):  # undone, one more, one of them and all redone
        chat.set_state(undone=undone)
        expect(message(panel)).to_have_value(undone)


def test_what_is_written_already_is_kept_when_a_message_is_undone(chat: ChatPage) -> None:
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


def test_what_was_undone_before_a_session_is_shown_is_not_offered(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    chat.set_state(session={**STATE["session"], "id": "ses_2"}, undone="long ago")
    expect(message(panel)).to_have_value("")
