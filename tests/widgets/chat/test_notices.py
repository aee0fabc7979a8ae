"""The chat panel's notices: where the focus goes when one goes, and what is told of a kernel that does not answer."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.widgets.chat.page import STATE, ChatPage


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


def told(panel: Locator, words: str) -> Locator:
    """The line that says so."""
    return panel.get_by_role("status").filter(has_text=words)


# --- the focus --------------------------------------------------------------------------------------------------------


def message(panel: Locator) -> Locator:
    return panel.get_by_role("textbox", name="Message")


def test_dismissing_a_notice_focuses_the_message_field(chat: ChatPage) -> None:
    panel = chat.scene("empty")
    chat.set_state(notice={"n": 1, "text": "The files stay as they are.", "level": "warning"})
    panel.get_by_role("button", name="Dismiss").press("Enter")
    expect(told(panel, "The files stay")).to_have_count(0)
    expect(message(panel)).to_be_focused()


def test_reconnecting_focuses_the_message_field(chat: ChatPage) -> None:
    panel = chat.scene("error")
    reconnect = panel.get_by_role("button", name="Reconnect")
    reconnect.press("Enter")
    chat.set_state(connection={"state": "reconnecting", "error": ""})
    expect(told(panel, "Reconnecting to OpenCode")).to_be_visible()
    expect(reconnect).to_be_focused()
    chat.set_state(connection={"state": "connected", "error": ""})
    expect(message(panel)).to_be_focused()


def test_a_notice_that_closes_by_itself_does_not_move_focus(chat: ChatPage) -> None:
    panel = chat.scene("error")
    session = panel.get_by_role("combobox", name="Session")
    session.focus()
    chat.set_state(connection={"state": "connected", "error": ""})
    expect(panel.get_by_role("button", name="Reconnect")).to_have_count(0)
    expect(session).to_be_focused()


def test_a_deleted_session_shows_an_alert_that_starts_a_new_one(chat: ChatPage) -> None:
    panel = chat.scene("empty")
    chat.set_state(deleted=True)
    alert = panel.get_by_role("alert").filter(has_text="This session was deleted.")
    alert.get_by_role("button", name="Start a new one").press("Enter")
    chat.done("new")
    chat.set_state(deleted=False, session={**STATE["session"], "id": "ses_2"})
    expect(alert).to_have_count(0)
    expect(message(panel)).to_be_focused()


# --- a kernel that does not answer ------------------------------------------------------------------------------------

SILENT = "The kernel has not answered yet"
LATER_MS = 5000
"""Past the time in which a kernel says that it has heard."""


def test_an_acknowledged_request_shows_no_slow_kernel_notice(chat: ChatPage) -> None:
    chat.stop_clock()
    panel = chat.scene("empty")
    panel.get_by_role("button", name="Fork", exact=True).click()
    wish = chat.wait_for_sent("fork")[0]
    chat.message({"kind": "received", "id": wish["id"]})
    chat.pass_time(LATER_MS)
    expect(told(panel, SILENT)).to_have_count(0)


def test_the_slow_kernel_notice_stays_until_every_request_is_acknowledged(chat: ChatPage) -> None:
    chat.stop_clock()
    panel = chat.scene("empty")
    panel.get_by_role("button", name="Fork", exact=True).click()
    panel.get_by_role("combobox", name="Session").click()
    fork, asked = chat.wait_for_sent("fork")[0], chat.wait_for_sent("ask")[0]
    chat.pass_time(LATER_MS)
    expect(told(panel, SILENT)).to_be_visible()
    chat.message({"kind": "received", "id": asked["n"]})
    chat.message({"kind": "answer", "n": asked["n"], "items": []})
    expect(told(panel, "No matching sessions")).to_be_visible()
    expect(told(panel, SILENT)).to_be_visible()
    chat.message({"kind": "received", "id": fork["id"]})
    expect(told(panel, SILENT)).to_have_count(0)


# --- what waits elsewhere ---------------------------------------------------------------------------------------------


def test_a_notice_links_to_another_session_waiting_for_an_answer(chat: ChatPage) -> None:
    panel = chat.scene("empty")
    waiting = [{"id": "ses_2", "title": "Plot the measurements"}, {"id": "ses_3", "title": ""}]
    chat.set_state(elsewhere=waiting)
    expect(told(panel, "Another session waits for your answer: Plot the measurements (and 1 more)")).to_be_visible()
    chat.set_state(elsewhere=waiting[:1])
    expect(told(panel, "Another session waits for your answer: Plot the measurements")).not_to_contain_text("more")
    panel.get_by_role("button", name="Open it").press("Enter")
    assert chat.wait_for_sent("open")[-1]["session"] == "ses_2"
    chat.set_state(elsewhere=[])
    expect(told(panel, "Another session")).to_have_count(0)
    expect(message(panel)).to_be_focused()
