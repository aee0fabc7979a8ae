"""What a page shows of the kernel's tools: a request for code, and the choice of what the agent may use and know."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.render.kernel_turns import CODE, SERVED
from tests.support.axe import violations
from tests.widgets.chat.page import STATE, ChatPage, Theme

ONE_ROW = 10  # pixels
WARNING = "What earlier turns sent stays with the provider."


def test_code_is_read_and_allowed_by_keys(page: Page) -> None:
    chat = ChatPage(page, width=360)
    panel = chat.scene("kernel")
    request = panel.get_by_role("group", name="Permission needed")
    expect(request).to_contain_text("run Python code in your kernel")
    expect(request).not_to_contain_text(SERVED)
    expect(request.locator("pre")).to_have_text(CODE)
    expect(request).to_contain_text("any Python code in this kernel, until it ends")
    always = request.get_by_role("button", name="Allow always", exact=True)
    expect(always).to_contain_text("full trust")
    expect(always).to_have_accessible_description("any Python code in this kernel, until it ends")
    expect(always).to_be_enabled()
    always.focus()
    always.press("Enter")
    assert chat.wait_for_sent("permission")[0] == {"kind": "permission", "id": "per_3", "reply": "always"}


def test_a_figure_and_a_table_fit_into_a_narrow_panel(page: Page) -> None:
    chat = ChatPage(page, width=360)
    panel = chat.scene("kernel")
    row = panel.get_by_role("combobox", name="Model"), panel.get_by_role("button", name="Send", exact=True)
    model, send = (one.evaluate("node => node.getBoundingClientRect().bottom") for one in row)
    assert abs(model - send) < ONE_ROW, "the controls below the message take several rows"
    picture = panel.get_by_role("img", name="Figure")
    width = picture.evaluate("node => node.getBoundingClientRect().width")
    assert 200 < width < 360
    table = panel.get_by_role("group", name="Table, 891 rows, 12 columns")
    assert table.evaluate("node => node.scrollWidth > node.clientWidth")
    table.focus()
    table.press("ArrowRight")
    page.wait_for_function("node => node.scrollLeft > 0", arg=table.element_handle())
    log = panel.get_by_role("log")
    assert log.evaluate("node => node.scrollWidth <= node.clientWidth")


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
def test_the_agents_access_to_the_kernel_is_chosen_in_the_panel(page: Page, theme: Theme, artifacts: Path) -> None:
    chat = ChatPage(page, theme, width=320)
    panel = chat.scene("streaming")
    button = panel.get_by_role("button", name="Kernel: tools on, privacy full")
    button.focus()
    button.press("Enter")
    box = panel.get_by_role("group", name="Kernel", exact=True)
    tools = box.get_by_role("switch", name="Kernel tools")
    expect(tools).to_be_focused()
    expect(box).to_contain_text("Not covered: what code writes to files")
    assert violations(panel) == []
    outer, inner = panel.bounding_box(), box.bounding_box()
    assert outer
    assert inner
    assert outer["x"] <= inner["x"]
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]
    page.screenshot(path=artifacts / "screenshots" / f"chat-kernel-box-{theme}.png")
    tools.press("Space")
    assert chat.done("kernel")["tools"] is False
    chat.set_state(kernel={**STATE["kernel"], "tools": False})
    level = box.get_by_role("combobox", name="Privacy")
    level.select_option("schema")
    assert chat.done("kernel", 2)["level"] == "schema"
    chat.set_state(kernel={**STATE["kernel"], "tools": False, "level": "schema"})
    place = box.get_by_role("combobox", name="Code it runs")
    place.select_option("below: in new cells below as well")
    assert chat.done("kernel", 3)["place"] == "below"
    level.press("Escape")
    expect(panel.get_by_role("button", name="Kernel: tools off, privacy schema")).to_be_focused()
    expect(box).to_be_hidden()


def test_a_refused_choice_is_not_shown_as_chosen(page: Page) -> None:
    chat = ChatPage(page)
    panel = chat.scene("empty")
    panel.get_by_role("button", name="Kernel: tools on, privacy full").click()
    tools = panel.get_by_role("switch", name="Kernel tools")
    tools.click()
    chat.failed("kernel", "The server cannot be told.")
    expect(tools).to_be_checked()
    expect(panel.get_by_role("alert")).to_contain_text("The server cannot be told.")
    panel.get_by_role("textbox", name="Message").click()
    expect(tools).to_be_hidden()


def test_a_late_choice_offers_a_new_session(page: Page) -> None:
    chat = ChatPage(page)
    panel = chat.scene("streaming")
    chat.set_state(notice={"n": 1, "text": WARNING, "level": "warning", "again": {"kind": "new"}})
    told = panel.get_by_role("status").filter(has_text=WARNING)
    told.get_by_role("button", name="New session").click()
    assert chat.wait_for_sent("new")


def test_a_panel_without_a_kernel_has_no_choice(page: Page) -> None:
    chat = ChatPage(page)
    panel = chat.scene("empty")
    chat.set_state(kernel=None)
    expect(panel.get_by_role("button", name="Kernel")).to_have_count(0)
