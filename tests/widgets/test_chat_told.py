"""What the chat panel says of itself: to a screen reader, and by its buttons."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.chat_page import ChatPage

CLIPBOARD = (
    "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => { window.copied = text }}})"
)


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("completed", "The agent is done."),
        ("aborted", "The turn was stopped."),
        ("error", "The turn failed."),
    ],
)
def test_the_stream_is_silent_and_the_end_of_a_turn_is_told_once(chat: ChatPage, outcome: str, words: str) -> None:
    panel = chat.scene("streaming")
    told = panel.locator("[aria-live=polite]")
    expect(panel.get_by_role("log")).to_have_attribute("aria-live", "off")
    expect(told).to_have_text("")
    chat.set_state(busy=False, status="idle", queue=[], outcome=outcome)
    expect(told).to_have_text(words)
    chat.set_state(busy=True)
    expect(told).to_have_text("")


def test_a_button_has_its_own_picture_again_however_often_it_is_pressed(chat: ChatPage) -> None:
    chat.page.evaluate(CLIPBOARD)
    chat.page.clock.install()
    panel = chat.scene("diff")
    chat.page.clock.run_for(1000)  # code gets its buttons
    button, told = panel.get_by_role("button", name="Copy code"), panel.locator("[aria-live=polite]")
    before = button.inner_html()
    for _ in range(2):
        told.evaluate("node => { node.textContent = '' }")
        button.click()
        expect(told).to_have_text("Copied")
        assert button.inner_html() != before
    chat.page.clock.run_for(5000)
    assert button.inner_html() == before
