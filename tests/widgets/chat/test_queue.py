"""Waiting messages in the chat panel: held while they are edited, and the focus is never lost."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.widgets.chat.composer.test_composer import field_of
from tests.widgets.chat.page import ChatPage

FIRST, SECOND, THIRD = ({"id": f"q{n}", "text": text} for n, text in enumerate(("first", "second", "third"), 1))


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.fixture
def panel(chat: ChatPage) -> Locator:
    panel = chat.scene("streaming")
    chat.set_state(queue=[FIRST, SECOND, THIRD])
    return panel


def rows(panel: Locator) -> Locator:
    return panel.get_by_role("list", name="Queued messages").get_by_role("listitem")


def editor_of(panel: Locator) -> Locator:
    return panel.get_by_role("textbox", name="Queued message")


def button(panel: Locator, row: int, name: str) -> Locator:
    return rows(panel).nth(row).get_by_role("button", name=name)


def edit(panel: Locator, row: int = 0) -> Locator:
    button(panel, row, "Edit").click()
    return editor_of(panel)


def about(chat: ChatPage, *kinds: str) -> list[tuple[Any, ...]]:
    return [(one["kind"], one["item"]) for one in chat.sent(*kinds)]


# --- editing ----------------------------------------------------------------------------------------------------------


def test_a_queued_message_is_held_while_it_is_edited(chat: ChatPage) -> None:
    chat.stop_clock()
    panel = chat.scene("streaming")
    chat.set_state(queue=[FIRST, SECOND])
    editor = edit(panel)
    assert about(chat, "queue_hold") == [("queue_hold", "q1")]
    chat.pass_time(30_000)
    assert len(chat.wait_for_sent("queue_hold", 2)) == 2
    editor.fill("first, and better")
    editor.press("Escape")
    (released,) = chat.wait_for_sent("queue_release")
    assert (released["item"], released["session"]) == ("q1", "ses_1")
    expect(rows(panel)).to_have_text(["first", "second"])
    expect(button(panel, 0, "Edit")).to_be_focused()
    chat.pass_time(90_000)
    assert len(chat.sent("queue_hold")) == 2


def test_the_editor_stays_open_until_the_edit_is_saved(chat: ChatPage, panel: Locator) -> None:
    editor = edit(panel)
    editor.fill("")
    editor.press("Enter")
    chat.failed("queue_edit", "The message is empty. Add text or remove it.")
    expect(panel.get_by_role("alert")).to_contain_text("The message is empty")
    expect(editor).to_be_focused()
    editor.fill("better")
    editor.press("Enter")
    assert chat.done("queue_edit", 2)["text"] == "better"
    expect(editor).to_have_count(0)
    expect(button(panel, 0, "Edit")).to_be_focused()
    chat.set_state(queue=[{**FIRST, "text": "better"}, SECOND, THIRD])
    expect(rows(panel)).to_have_text(["better", "second", "third"])
    expect(button(panel, 0, "Edit")).to_be_focused()
    assert chat.sent("queue_release") == []


@pytest.mark.parametrize("how", ["its page is closed", "its view is gone"])
def test_closing_the_page_or_view_during_an_edit_releases_the_message(chat: ChatPage, panel: Locator, how: str) -> None:
    edit(panel)
    gone = "dispatchEvent(new Event('pagehide'))" if "page" in how else "views.view.controller.abort()"
    chat.page.evaluate(gone)
    assert about(chat, "queue_release") == [("queue_release", "q1")]


def test_an_edit_moves_to_the_field_when_its_message_leaves_the_queue(chat: ChatPage, panel: Locator) -> None:
    field_of(panel).fill("the next one")
    editor = edit(panel)
    editor.fill("first, and better")
    chat.set_state(queue=[SECOND, THIRD])
    expect(panel.get_by_role("alert")).to_contain_text("no longer queued")
    expect(field_of(panel)).to_have_value("first, and better\n\nthe next one")
    expect(field_of(panel)).to_be_focused()
    edit(panel)  # and where nothing was changed, nothing comes back
    chat.set_state(queue=[THIRD])
    expect(field_of(panel)).to_have_value("first, and better\n\nthe next one")
    expect(field_of(panel)).to_be_focused()


def test_an_edit_that_failed_to_save_moves_to_the_field(chat: ChatPage, panel: Locator) -> None:
    editor = edit(panel)
    editor.fill("too late")
    editor.press("Enter")
    chat.set_state(queue=[SECOND, THIRD])
    expect(field_of(panel)).to_have_value("")  # what is saved is not given back before its fate is known
    chat.failed("queue_edit", "This message no longer waits.")
    expect(field_of(panel)).to_have_value("too late")


def test_an_unsaved_edit_stays_in_its_own_session(chat: ChatPage, panel: Locator) -> None:
    editor = edit(panel)
    editor.fill("of the first session")
    first = chat.state["session"]
    chat.set_state(session={"id": "ses_2", "title": "Another"}, queue=[])
    assert [one["session"] for one in chat.wait_for_sent("queue_release")] == ["ses_1"]
    expect(field_of(panel)).to_have_value("")
    chat.set_state(session=first, queue=[FIRST])
    expect(field_of(panel)).to_have_value("of the first session")
    expect(rows(panel)).to_have_text(["first"])


# --- the focus --------------------------------------------------------------------------------------------------------


def test_removing_a_queued_message_moves_focus_to_its_neighbour(chat: ChatPage, panel: Locator) -> None:
    name = "Remove from queue"
    button(panel, 1, name).focus()
    chat.page.keyboard.press("Enter")
    assert about(chat, "queue_drop") == [("queue_drop", "q2")]
    chat.set_state(queue=[FIRST, THIRD])
    expect(button(panel, 1, name)).to_be_focused()
    chat.set_state(queue=[FIRST])
    expect(button(panel, 0, name)).to_be_focused()
    chat.set_state(queue=[])
    expect(field_of(panel)).to_be_focused()


def test_steering_a_queued_message_focuses_the_message_field(chat: ChatPage, panel: Locator) -> None:
    button(panel, 0, "Send now").focus()
    chat.page.keyboard.press("Enter")
    chat.set_state(queue=[SECOND, THIRD])
    expect(field_of(panel)).to_be_focused()
