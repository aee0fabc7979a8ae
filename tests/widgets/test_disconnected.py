"""Views whose kernel is gone: they say so at once and what to do, take no clicks, and keep what was written."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from opencode_nb.render.turn.page import LiveTurn
from opencode_nb.widgets import assets
from tests.render.turns import turn
from tests.widgets.chat.page import ChatPage
from tests.widgets.conftest import Widget

PANEL = "This panel is disconnected. Rerun its cell."
VIEW = "This view is disconnected. Rerun its cell."
DISCONNECT = """() => {
  for (const view of document.querySelectorAll("#view")) view.classList.add("jupyter-widgets-disconnected");
  model.tell("comm_live_update");
}"""


def told(page: Page, text: str) -> Locator:
    return page.get_by_role("alert").filter(has_text=text)


@pytest.mark.parametrize("width", [360, 800])
def test_a_panel(page: Page, width: int) -> None:
    chat = ChatPage(page, width=width)
    panel = chat.scene("permission")
    field = panel.get_by_role("textbox", name="Message")
    field.fill("a draft")
    expect(told(page, PANEL)).to_have_count(0)
    page.evaluate(DISCONNECT)
    expect(told(page, PANEL)).to_be_visible()
    expect(field).to_have_value("a draft")
    expect(field).not_to_be_editable()
    for name in ("Allow once", "Send", "Stop", "New session", "Attach files"):
        expect(panel.get_by_role("button", name=name, exact=True)).to_be_disabled()
    before = chat.sent()
    field.press("Enter")
    panel.get_by_role("button", name="Allow once", exact=True).dispatch_event("click")
    assert chat.sent() == before
    expect(field).to_have_value("a draft")


def test_a_message_in_flight_returns_to_the_field_on_disconnect(page: Page) -> None:
    chat = ChatPage(page)
    panel = chat.scene("empty")
    field = panel.get_by_role("textbox", name="Message")
    field.fill("on its way")
    field.press("Enter")
    chat.wait_for_sent("send")
    page.evaluate(DISCONNECT)
    expect(field).to_have_value("on its way")
    expect(panel.get_by_role("button", name="Send", exact=True)).to_be_disabled()
    expect(panel.get_by_role("alert")).to_have_count(1)


def test_a_turn(page: Page) -> None:
    widget = Widget(page)
    page.add_style_tag(content=assets.styles("core/base.css", "core/rows.css"))
    root = widget.render()
    widget.snapshot(0, LiveTurn(turn({"type": "text", "text": "Half of it"}, status="running")).snapshot())
    expect(told(page, VIEW)).to_be_hidden()
    page.evaluate(DISCONNECT)
    expect(told(page, VIEW)).to_be_visible()
    expect(root).to_contain_text("Half of it")
    expect(root.get_by_role("button", name="Stop", exact=True)).to_be_disabled()


def test_a_view_that_cannot_send_says_so(page: Page) -> None:
    widget = Widget(page)
    page.evaluate("model.send = () => { throw new Error('closed') }; 0")
    widget.render()
    expect(told(page, VIEW)).to_be_visible()
