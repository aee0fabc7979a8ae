"""What the chat panel tells: to a screen reader, by its buttons, and into the clipboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.bridge import ADDRESS
from tests.widgets.chat.page import ANSWER, SCENES, ChatPage, docks, log

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
    ],
)
def test_only_the_end_of_a_turn_is_announced_to_screen_readers(chat: ChatPage, outcome: str, words: str) -> None:
    panel = chat.scene("streaming")
    told = panel.locator("[aria-live=polite]")
    expect(panel.get_by_role("log")).to_have_attribute("aria-live", "off")
    expect(told).to_have_text("")
    chat.set_state(busy=False, status="idle", queue=[], outcome=outcome)
    expect(told).to_have_text(words)
    chat.set_state(busy=True)
    expect(told).to_have_text("")


def test_a_failed_turn_shows_its_error_once(chat: ChatPage) -> None:
    """By the alert in the log: no other region repeats it, nor does a notice about the message that was sent."""
    panel = chat.scene("streaming")
    chat.set_html(SCENES["error"][0])
    chat.set_state(busy=False, status="idle", queue=[], outcome="error")
    field = panel.get_by_role("textbox", name="Message", exact=True)
    field.fill("again")
    field.press("Enter")
    wish = chat.wait_for_sent("send")[-1]
    chat.message({"kind": "failed", "id": wish["id"], "message": "The key is not valid.", "told": True})
    expect(field).to_have_value("again")
    expect(panel.get_by_role("alert")).to_have_count(1)
    expect(panel.get_by_role("alert")).to_contain_text("The key is not valid.")
    expect(panel.locator("[aria-live=polite]")).to_have_text("")


def test_a_copy_button_gets_its_icon_back_after_repeated_clicks(chat: ChatPage) -> None:
    chat.page.evaluate(CLIPBOARD)
    chat.stop_clock()
    panel = chat.scene("diff")
    chat.pass_time(1000)  # code gets its buttons
    button, told = panel.get_by_role("button", name="Copy code"), panel.locator("[aria-live=polite]")
    before = button.inner_html()
    for _ in range(2):
        told.evaluate("node => { node.textContent = '' }")
        button.click()
        expect(told).to_have_text("Copied")
        assert button.inner_html() != before
    chat.pass_time(5000)
    assert button.inner_html() == before


def test_copy_code_puts_the_code_in_the_clipboard(chat: ChatPage) -> None:
    chat.page.evaluate(CLIPBOARD)
    panel = chat.scene("diff")
    panel.get_by_role("button", name="Copy code").click()
    chat.page.wait_for_function("window.copied?.startsWith('frame = load')")
    assert chat.page.evaluate("copied") == ANSWER.split("```")[1].removeprefix("python\n")
    expect(panel.locator("[aria-live=polite]")).to_have_text("Copied")


PARTS = (
    '<article data-key="t" data-message="m"><div data-part="text" data-key="a">Bold words.</div>'
    '<div data-key="c" class="oc-child"><div data-part="text" data-key="b">Of a subagent.</div></div></article>'
)


def test_copy_text_copies_the_models_markdown(chat: ChatPage) -> None:
    chat.page.evaluate(CLIPBOARD)
    chat.stop_clock()  # a kernel that takes its time is not waited for
    panel = chat.show()
    chat.set_html(log(before=PARTS) + docks())
    chat.pass_time(1000)
    panel.get_by_role("button", name="Copy answer").click()
    asked = chat.answer([{"text": "**Bold** words."}])
    assert (asked["what"], asked["message"]) == ("answer", "m")
    chat.page.wait_for_function("window.copied === '**Bold** words.'")


@pytest.mark.parametrize("gone", ["model.send = () => { throw new Error('Cannot send') }", "model.send = () => {}"])
def test_without_a_kernel_copy_text_copies_the_rendered_text(chat: ChatPage, gone: str) -> None:
    """And nothing of what its subagents said."""
    chat.page.evaluate(CLIPBOARD)
    panel = chat.show()
    chat.set_html(log(before=PARTS) + docks())
    chat.page.evaluate(f"void ({gone})")
    panel.get_by_role("button", name="Copy answer").click()
    chat.page.wait_for_function("window.copied === 'Bold words.'")


def test_the_clipboard_accepts_text_that_arrives_after_the_click(page: Page) -> None:
    """Safari takes nothing else: the kernel answers when the click is over."""
    page.route(ADDRESS, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(ADDRESS)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=ADDRESS)
    page.evaluate("void (navigator.clipboard.writeText = () => { throw new Error('Too late') })")
    chat = ChatPage(page)
    chat.stop_clock()  # a kernel that takes its time is not waited for
    panel = chat.show()
    chat.set_html(log(before=PARTS) + docks())
    chat.pass_time(1000)
    panel.get_by_role("button", name="Copy answer").click()
    chat.answer([{"text": "**Bold** words."}])
    expect(panel.locator("[aria-live=polite]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "**Bold** words."
