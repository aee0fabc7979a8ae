"""The chat panel in every state that it can be in, looked at by axe-core and for what sticks out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.axe import violations
from tests.widgets.chat.page import SCENES, SERVERS, ChatPage, Theme

SESSIONS = [{"id": "ses_1", "title": "Load the measurements", "updated": 1, "busy": True}]
NARROW = 320
WIDTHS = (360, 800, 1600)

STICKS_OUT = """
(panel) => {
  const box = panel.getBoundingClientRect();
  return [...panel.querySelectorAll("button, input, select, textarea, summary, [role=option]")]
    .filter((node) => node.checkVisibility() && !node.closest("pre"))
    .filter((node) => node.getBoundingClientRect().left < box.left || node.getBoundingClientRect().right > box.right)
    .map((node) => node.outerHTML.slice(0, 80));
}
"""


def sticks_out(panel: Locator) -> list[str]:
    """What can be worked with, but is cut off by the panel's sides."""
    found: list[str] = panel.evaluate(STICKS_OUT)
    return found


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
@pytest.mark.parametrize("scene", SCENES)
def test_no_panel_state_has_axe_violations_or_overflow(page: Page, scene: str, theme: Theme, artifacts: Path) -> None:
    """Each leaves pictures, to be looked at."""
    chat = ChatPage(page, theme, width=NARROW)
    panel = chat.scene(scene)
    if scene not in ("empty", "unset"):
        panel.get_by_role("button", name="Copy answer").first.wait_for()
    assert violations(panel) == []
    assert sticks_out(panel) == []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 700})
        assert sticks_out(panel) == []
        page.screenshot(path=artifacts / "screenshots" / f"chat-{scene}-{theme}-{width}.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_open_lists_menus_and_dialogs_have_no_axe_violations(page: Page, theme: Theme, artifacts: Path) -> None:
    chat = ChatPage(page, theme, width=NARROW)
    panel = chat.scene("streaming")
    field = panel.get_by_role("textbox", name="Message")
    field.press("@")
    chat.answer([{"text": "@load.py", "detail": "file"}])
    expect(panel.get_by_role("listbox", name="Suggestions")).to_be_visible()
    assert violations(panel) == []
    field.press("Escape")
    panel.get_by_role("combobox", name="Session").click()
    chat.answer(SESSIONS, 2)
    expect(panel.get_by_role("listbox", name="Session list")).to_be_visible()
    assert violations(panel) == []
    assert sticks_out(panel) == []
    panel.get_by_role("button", name="Edit").click()
    panel.get_by_role("button", name="More").click()
    expect(panel.get_by_role("menu")).to_be_visible()
    assert violations(panel) == []
    assert sticks_out(panel) == []
    panel.get_by_role("menuitem", name="Delete").click()
    expect(panel.get_by_role("alertdialog")).to_be_visible()
    assert violations(panel) == []
    panel.get_by_role("button", name="Cancel").click()
    panel.get_by_role("button", name="More").click()
    panel.get_by_role("menuitem", name="MCP servers").click()
    (wish,) = chat.wait_for_sent("mcps")
    chat.message({"kind": "done", "id": wish["id"], "result": {"opens": "mcps"}})
    chat.answer(SERVERS, 3)
    expect(panel.get_by_role("group", name="MCP servers")).to_be_visible()
    assert violations(panel) == []
    assert sticks_out(panel) == []
    for width in (NARROW, WIDTHS[1]):
        page.set_viewport_size({"width": width, "height": 700})
        page.screenshot(path=artifacts / "screenshots" / f"chat-mcp-{theme}-{width}.png")


@pytest.mark.parametrize("theme", ["dark-high-contrast", "forced"])
def test_with_high_contrast_fields_and_cards_have_borders(page: Page, theme: str) -> None:
    """Where a tint sets something apart, or nothing does until a pointer is there."""
    forced = theme == "forced"
    page.emulate_media(forced_colors="active" if forced else "none")
    panel = ChatPage(page, "light" if forced else "dark-high-contrast").scene("long")
    field = panel.get_by_role("textbox", name="Message", exact=True)
    line = "rgb(0, 0, 0)" if forced else "rgb(255, 255, 255)"
    bordered = [
        panel.get_by_role("combobox", name="Session", exact=True),
        panel.get_by_role("combobox", name="Agent", exact=True),
        panel.locator(".chat-composer"),
        panel.get_by_role("log").locator("pre.oc-code").first,
        panel.get_by_role("log").locator("[data-part=prompt]").first,
        panel.get_by_role("group", name="Output of seq 300", exact=True),
    ]
    for one in bordered:
        expect(one).to_have_css("border-top-color", line)
        expect(one).to_have_css("border-top-style", "solid")
        expect(one).to_have_css("border-top-width", "1px")
    for bare in (field, panel.get_by_role("log").locator("[data-file] .oc-added .oc-code").first):
        expect(bare).to_have_css("border-top-width", "0px")


def test_the_panel_honours_forced_colours_and_reduced_motion(page: Page) -> None:
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    chat = ChatPage(page)
    panel = chat.scene("streaming")
    field = panel.get_by_role("textbox", name="Message")
    field.press("@")
    chat.answer([{"text": "@load.py"}, {"text": "@plot.py"}])
    options = panel.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options.first).to_have_css("outline-style", "solid")
    expect(options.last).to_have_css("outline-style", "none")
    assert panel.evaluate("panel => panel.getAnimations({ subtree: true }).length") == 0
