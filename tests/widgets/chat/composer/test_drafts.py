"""What is written in the chat panel is never lost: not by a failure, by another session, or by a file that is read."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.widgets.chat.composer.test_composer import ORIGIN, PASTE, field_of
from tests.widgets.chat.page import ChatPage

SECOND = {"id": "ses_2", "title": "Another"}
FIRST = {"id": "ses_1", "title": "Load the measurements"}

HOLD_READING = """
() => {
  const original = FileReader.prototype.readAsDataURL;
  const held = [];
  FileReader.prototype.readAsDataURL = function (file) { held.push(() => original.call(this, file)); };
  window.releaseReading = () => { FileReader.prototype.readAsDataURL = original; held.forEach((read) => read()); };
  window.heldReadings = () => held.length;
}
"""
"""Files that are read come only when they are let: a disk that is slow."""


@pytest.fixture
def chat(page: Page) -> ChatPage:
    page.route(ORIGIN, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(ORIGIN)
    return ChatPage(page)


@pytest.fixture
def panel(chat: ChatPage) -> Locator:
    return chat.scene("empty")


def chips(panel: Locator) -> Locator:
    return panel.get_by_role("list", name="Attachments").get_by_role("listitem")


def paste(panel: Locator, name: str, body: str = "words") -> None:
    field_of(panel).evaluate(PASTE, [[[name, "text/plain", body]], ""])


# --- what failed ------------------------------------------------------------------------------------------------------


def test_a_failed_message_returns_above_newly_typed_text(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    paste(panel, "a.txt")
    expect(chips(panel)).to_have_count(1)
    field.fill("hello")
    field.press("Enter")
    chat.wait_for_sent("send")
    chat.page.keyboard.type("the next one")
    field.press("ArrowLeft")
    chat.failed("send", "The server has ended.")
    expect(field).to_have_value("hello\n\nthe next one")
    expect(chips(panel)).to_contain_text(["a.txt"])
    chat.page.keyboard.type("!")
    expect(field).to_have_value("hello\n\nthe next on!e")  # the cursor stayed where it was


def test_a_failed_shell_command_does_not_absorb_newly_typed_text(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    field.fill("!make")
    field.press("Enter")
    chat.wait_for_sent("send")
    chat.page.keyboard.type("rm is what I asked about")
    chat.failed("send", "A turn is running in this session.")
    expect(field).to_have_value("rm is what I asked about\n\n!make")


def test_a_failed_message_returns_to_its_own_session(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    paste(panel, "a.txt")
    expect(chips(panel)).to_have_count(1)
    field.fill("for the first")
    field.press("Enter")
    chat.wait_for_sent("send")
    chat.page.keyboard.type("typed meanwhile")
    chat.set_state(session=SECOND)
    chat.page.keyboard.type("for the second")
    chat.failed("send", "The server has ended.")
    expect(panel.get_by_role("alert")).to_be_visible()
    expect(field).to_have_value("for the second")
    expect(chips(panel)).to_have_count(0)
    chat.set_state(session=FIRST)
    expect(field).to_have_value("for the first\n\ntyped meanwhile")
    expect(chips(panel)).to_contain_text(["a.txt"])


def test_a_failed_message_ends_history_recall_and_restores_the_draft(chat: ChatPage) -> None:
    panel = chat.scene("error")
    field = field_of(panel)
    field.fill("hello")
    field.press("Enter")
    chat.wait_for_sent("send")
    chat.page.keyboard.type("half")
    field.press("Home")
    field.press("ArrowUp")
    expect(field).to_have_value("Parse the time column")
    chat.failed("send", "The server has ended.")
    expect(field).to_have_value("hello\n\nhalf")


def test_an_unconfirmed_message_survives_a_reload_with_the_draft(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    field.fill("under way")
    field.press("Enter")
    chat.wait_for_sent("send")
    chat.page.keyboard.type("typed meanwhile")
    chat.page.goto(ORIGIN)
    again = field_of(ChatPage(chat.page).scene("empty"))
    expect(again).to_have_value("under way\n\ntyped meanwhile")


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_message_waits_for_its_files_to_be_read(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    chat.page.evaluate(HOLD_READING)
    paste(panel, "slow.txt")
    field.fill("look at this")
    field.press("Enter")
    expect(field).to_have_value("")
    chat.page.wait_for_function("heldReadings() === 1")
    assert chat.sent("send") == []
    chat.page.evaluate("releaseReading()")
    (sent,) = chat.wait_for_sent("send")
    assert sent["text"] == "look at this"
    assert [base64.b64decode(file["data"]) for file in sent["attachments"]] == [b"words"]
    expect(chips(panel)).to_have_count(0)


def test_a_message_returns_to_the_field_when_a_file_is_rejected(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    chat.page.evaluate(HOLD_READING)
    paste(panel, "slow.txt")
    field.evaluate(PASTE, [[["program", "application/x-elf", "\ud800"]], ""])
    paste(panel, "huge.txt", "x" * 7_000_001)
    field.fill("look at these")
    field.press("Enter")
    chat.page.evaluate("releaseReading()")
    expect(panel.get_by_role("alert")).to_contain_text("huge.txt (7.0 MB) was not attached")
    expect(field).to_have_value("look at these")
    expect(chips(panel)).to_contain_text(["slow.txt"])
    assert chat.sent("send") == []


def test_files_added_together_share_the_size_limit(chat: ChatPage, panel: Locator) -> None:
    chat.page.evaluate(HOLD_READING)
    for name in ("one.txt", "two.txt"):
        paste(panel, name, "x" * 4_000_000)
    chat.page.wait_for_function("heldReadings() >= 1")
    chat.page.evaluate("releaseReading()")
    expect(panel.get_by_role("alert")).to_contain_text("two.txt (4.0 MB) was not attached")
    expect(chips(panel)).to_contain_text(["one.txt"])


def test_returned_and_newly_added_files_share_the_size_limit(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    paste(panel, "one.txt", "x" * 4_000_000)
    field.fill("first")
    field.press("Enter")
    chat.wait_for_sent("send")
    paste(panel, "two.txt", "x" * 4_000_000)
    expect(chips(panel)).to_contain_text(["two.txt"])
    chat.failed("send", "The server has ended.")
    expect(chips(panel)).to_contain_text(["one.txt", "two.txt"])
    field.press("Enter")
    expect(panel.get_by_role("alert").filter(has_text="The files are too large for one message")).to_be_visible()
    expect(field).to_have_value("first")
    assert len(chat.sent("send")) == 1
    panel.get_by_role("button", name="Remove one.txt").click()
    field.press("Enter")
    assert [file["name"] for file in chat.wait_for_sent("send", 2)[1]["attachments"]] == ["two.txt"]


def test_attached_files_belong_to_their_session(chat: ChatPage, panel: Locator) -> None:
    paste(panel, "first.txt")
    expect(chips(panel)).to_contain_text(["first.txt"])
    chat.page.evaluate(HOLD_READING)
    paste(panel, "slow.txt")
    chat.set_state(session=SECOND)
    expect(chips(panel)).to_have_count(0)
    expect(panel.get_by_role("button", name="Send")).to_be_disabled()
    chat.page.evaluate("releaseReading()")
    paste(panel, "second.txt")
    expect(chips(panel)).to_contain_text(["second.txt"])
    chat.set_state(session=FIRST)
    expect(chips(panel)).to_contain_text(["first.txt", "slow.txt"])


def test_a_message_waiting_for_files_is_not_sent_to_another_session(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    chat.page.evaluate(HOLD_READING)
    paste(panel, "slow.txt")
    field.fill("for the first")
    field.press("Enter")
    chat.set_state(session=SECOND)
    chat.page.evaluate("releaseReading()")
    expect(panel.get_by_role("alert")).to_contain_text("Not sent: another session was opened")
    expect(field).to_have_value("")
    chat.set_state(session=FIRST)
    expect(field).to_have_value("for the first")
    expect(chips(panel)).to_contain_text(["slow.txt"])
    assert chat.sent("send") == []


def test_a_shell_command_leaves_attached_files_for_the_next_message(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    paste(panel, "a.txt")
    expect(chips(panel)).to_have_count(1)
    field.fill("!ls")
    field.press("Enter")
    assert chat.done("send")["attachments"] == []
    expect(chips(panel)).to_contain_text(["a.txt"])
    field.fill("look")
    field.press("Enter")
    assert [file["name"] for file in chat.wait_for_sent("send", 2)[1]["attachments"]] == ["a.txt"]


def test_removing_a_file_moves_focus_to_its_neighbour(chat: ChatPage, panel: Locator) -> None:
    for count, name in enumerate(("one.txt", "two.txt", "three.txt"), 1):
        paste(panel, name)
        expect(chips(panel)).to_have_count(count)
    panel.get_by_role("button", name="Remove two.txt").focus()
    for name in ("three.txt", "one.txt"):
        chat.page.keyboard.press("Enter")
        expect(panel.get_by_role("button", name=f"Remove {name}")).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(chips(panel)).to_have_count(0)
    expect(field_of(panel)).to_be_focused()
