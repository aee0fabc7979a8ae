"""The chat panel's session bar and pickers: found by role and name, worked by keys alone."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.widgets.chat.page import SERVERS, STATE, ChatPage

SESSIONS = [
    {"id": "ses_1", "title": "Load the measurements", "updated": 0, "busy": False},
    {"id": "ses_2", "title": "Plot the means", "updated": 0, "busy": True},
    {"id": "ses_3", "title": "New session - 2026-11-20T16:55:04.239Z", "updated": 0, "busy": False},
]
MODELS = [
    {"id": "demo/demo-large", "name": "Demo Large", "provider": "Demo", "context": 32000},
    {"id": "demo/demo-small", "name": "Demo Small", "provider": "Demo", "context": 8000},
    {"id": "other/large", "name": "Large", "provider": "Other", "context": 8000},
]


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.fixture
def panel(chat: ChatPage) -> Locator:
    return chat.scene("error")


def choose(panel: Locator, item: str) -> None:
    """Choose an item of the menu by keys."""
    more = panel.get_by_role("button", name="More")
    more.focus()
    more.press("Enter")
    entry = panel.get_by_role("menuitem", name=item)
    for _ in range(panel.get_by_role("menuitem").count()):
        if entry.evaluate("node => node === node.getRootNode().activeElement"):
            break
        panel.page.keyboard.press("ArrowDown")
    expect(entry).to_be_focused()
    panel.page.keyboard.press("Enter")
    expect(panel.get_by_role("menu")).to_be_hidden()


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_session_can_be_searched_and_opened_with_the_keyboard(chat: ChatPage, panel: Locator) -> None:
    field = panel.get_by_role("combobox", name="Session")
    expect(field).to_have_value("Load the measurements")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.focus()
    field.press("ArrowDown")
    options = panel.get_by_role("listbox", name="Session list").get_by_role("option")
    assert chat.answer(SESSIONS)["search"] == ""
    expect(options).to_have_text(["Load the measurements", "Plot the meansworking", "New session"])
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(options.first).to_have_attribute("aria-selected", "true")
    chat.stop_clock()  # nothing is typed so slowly that it would be a pause
    chat.page.keyboard.type("plot")  # what was there is selected, and replaced
    chat.pass_time(1000)
    assert chat.answer(SESSIONS, 2)["search"] == "p"
    assert chat.answer(SESSIONS[1:2], 3)["search"] == "plot"  # the first letter at once, the others when they are there
    expect(options).to_have_text(["Plot the meansworking"])
    chat.page.keyboard.press("Enter")
    expect(options).to_have_count(0)
    assert chat.done("open")["session"] == "ses_2"
    expect(panel.get_by_role("textbox", name="Message")).to_be_focused()
    expect(field).to_have_value("Load the measurements")  # until Python says otherwise
    chat.set_state(session={**STATE["session"], "id": "ses_2", "title": "Plot the means"})
    expect(field).to_have_value("Plot the means")


def test_leaving_the_session_list_opens_no_session(chat: ChatPage, panel: Locator) -> None:
    field = panel.get_by_role("combobox", name="Session")
    options = panel.get_by_role("option", name="Plot the means")
    field.click()
    chat.answer(SESSIONS)
    expect(options).to_be_visible()
    field.press("Escape")
    expect(options).to_have_count(0)
    expect(field).to_be_focused()
    field.fill("zzz")
    chat.answer([], 2)
    nothing = panel.get_by_role("status").filter(has_text="No matching sessions")
    expect(nothing).to_be_visible()
    panel.get_by_role("textbox", name="Message").click()
    expect(field).to_have_value("Load the measurements")
    expect(nothing).to_have_count(0)
    field.click()
    asked = chat.wait_for_sent("ask", 3)[2]
    chat.message({"kind": "answer", "n": asked["n"], "error": "The server has ended."})
    expect(panel.get_by_role("status").filter(has_text="The server has ended.")).to_be_visible()
    assert chat.sent("open") == []


def test_a_late_answer_to_an_older_search_is_not_shown(chat: ChatPage, panel: Locator) -> None:
    field = panel.get_by_role("combobox", name="Session")
    field.click()
    first = chat.wait_for_sent("ask")[0]
    field.fill("plot")
    chat.answer(SESSIONS[1:2], 2)
    chat.message({"kind": "answer", "n": first["n"], "items": SESSIONS})
    expect(panel.get_by_role("listbox", name="Session list").get_by_role("option")).to_have_count(1)


def test_enter_does_not_pick_from_an_outdated_session_list(chat: ChatPage) -> None:
    chat.stop_clock()  # nothing is typed so slowly that it would be a pause
    panel = chat.scene("empty")
    panel.get_by_role("combobox", name="Session").select_text()
    options = panel.get_by_role("listbox", name="Session list").get_by_role("option")
    chat.page.keyboard.type("p")
    chat.answer(SESSIONS)
    expect(options).to_have_count(3)
    chat.page.keyboard.type("lot")
    assert len(chat.sent("ask")) == 1
    chat.page.keyboard.press("Enter")
    assert chat.sent("ask")[1]["search"] == "plot"  # who presses Enter has written all
    chat.page.keyboard.press("Enter")
    assert chat.sent("open") == []
    chat.answer(SESSIONS[1:2], 2)
    expect(options).to_have_text(["Plot the meansworking"])
    chat.pass_time(1000)
    assert len(chat.sent("ask")) == 2
    chat.page.keyboard.press("Enter")
    assert chat.done("open")["session"] == "ses_2"


def test_new_fork_and_undo_buttons_work_and_undo_is_off_during_a_turn(chat: ChatPage, panel: Locator) -> None:
    for name, kind in (("New session", "new"), ("Fork", "fork"), ("Undo", "undo")):
        panel.get_by_role("button", name=name, exact=True).click()
        chat.done(kind)
    chat.set_state(busy=True)
    expect(panel.get_by_role("button", name="Undo", exact=True)).to_be_disabled()


def test_a_session_is_renamed_inline(chat: ChatPage, panel: Locator) -> None:
    choose(panel, "Rename")
    field = panel.get_by_role("textbox", name="Title")
    expect(field).to_be_focused()
    expect(field).to_have_value("Load the measurements")
    chat.page.keyboard.press("Escape")
    expect(panel.get_by_role("combobox", name="Session")).to_be_focused()
    choose(panel, "Rename")
    chat.page.keyboard.type("Load and clean")
    chat.page.keyboard.press("Enter")
    wish = chat.done("rename")
    assert (wish["session"], wish["title"]) == ("ses_1", "Load and clean")
    assert len(chat.sent("rename")) == 1


def test_a_session_is_deleted_only_after_confirmation(chat: ChatPage, panel: Locator) -> None:
    choose(panel, "Delete")
    asked = panel.get_by_role("alertdialog")
    expect(asked).to_contain_text("Delete “Load the measurements” and all its messages permanently?")
    expect(asked.get_by_role("button", name="Cancel")).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(asked).to_have_count(0)
    expect(panel.get_by_role("button", name="More")).to_be_focused()
    choose(panel, "Delete")
    chat.page.keyboard.press("Enter")  # the focus is on what keeps it
    assert chat.sent("delete") == []
    choose(panel, "Delete")
    asked.get_by_role("button", name="Delete").click()
    assert chat.done("delete")["session"] == "ses_1"


def test_switching_sessions_closes_the_delete_dialog(chat: ChatPage, panel: Locator) -> None:
    asked = panel.get_by_role("alertdialog")
    choose(panel, "Delete")
    expect(asked.get_by_role("button", name="Cancel")).to_be_focused()
    chat.set_state(session={**STATE["session"], "id": "ses_2", "title": "Plot the means"})
    expect(asked).to_have_count(0)
    expect(panel.get_by_role("button", name="More")).to_be_focused()
    assert chat.sent("delete") == []


def test_choosing_delete_twice_opens_one_dialog(chat: ChatPage, panel: Locator) -> None:
    for _ in range(2):
        choose(panel, "Delete")
    asked = panel.get_by_role("alertdialog")
    expect(asked).to_have_count(1)
    chat.set_state(session={**STATE["session"], "title": "Another title"})
    asked.get_by_role("button", name="Delete").click()
    assert [wish["session"] for wish in chat.wait_for_sent("delete")] == ["ses_1"]


def test_a_rename_applies_to_the_session_it_was_started_in(chat: ChatPage, panel: Locator) -> None:
    choose(panel, "Rename")
    chat.page.keyboard.type("Load and clean")
    chat.set_state(session={**STATE["session"], "id": "ses_2", "title": "Plot the means"})
    chat.page.keyboard.press("Enter")
    assert chat.wait_for_sent("rename")[0]["session"] == "ses_1"


def test_share_is_offered_only_when_sharing_is_enabled(chat: ChatPage, panel: Locator) -> None:
    more = panel.get_by_role("button", name="More")
    more.click()
    expect(panel.get_by_role("menuitem", name="Rename")).to_be_visible()
    expect(panel.get_by_role("menuitem", name="Share")).to_have_count(0)
    more.click()
    chat.set_state(can_share=True)
    choose(panel, "Share")
    chat.done("share")
    chat.set_state(session={**STATE["session"], "shared_url": "https://share.test/x"})
    expect(panel.get_by_role("link", name="shared")).to_have_attribute("href", "https://share.test/x")
    choose(panel, "Copy share link")
    expect(panel.get_by_role("status").filter(has_text="https://share.test/x")).to_be_visible()
    choose(panel, "Stop sharing")
    chat.done("unshare")
    chat.set_state(session={**STATE["session"], "shared_url": "javascript:alert(1)"})
    expect(panel.get_by_role("link", name="shared")).to_be_hidden()


def test_compact_and_export_run_from_the_menu(chat: ChatPage, panel: Locator) -> None:
    choose(panel, "Compact")
    chat.done("compact")
    choose(panel, "Export as Markdown")
    with chat.page.expect_download() as download:
        data = base64.b64encode("# Ünïcode".encode()).decode()
        assert chat.answer([{"name": "chat.md", "mime": "text/markdown", "data": data}])["format"] == "md"
    assert download.value.suggested_filename == "chat.md"
    assert download.value.path().read_text("utf-8") == "# Ünïcode"


def test_mcp_servers_are_connected_and_disconnected_from_the_menu(chat: ChatPage, panel: Locator) -> None:
    servers = panel.get_by_role("group", name="MCP servers", exact=True)
    choose(panel, "MCP servers")
    (wish,) = chat.wait_for_sent("mcps")
    chat.message({"kind": "done", "id": wish["id"], "result": {"text": "docs: connected", "opens": "mcps"}})
    assert chat.answer(SERVERS)["what"] == "mcp"
    expect(servers.get_by_role("button", name="Disconnect docs", exact=True)).to_be_focused()
    row = servers.get_by_role("listitem").filter(has_text="calc")
    connect = servers.get_by_role("button", name="Connect calc", exact=True)
    expect(connect).to_have_accessible_description("failed: no such file")
    expect(row).to_contain_text("connect it again")
    connect.press("Enter")
    connect.press("Enter")
    assert [(one["server"], one["connect"]) for one in chat.wait_for_sent("mcp")] == [("calc", True)]
    expect(row).to_contain_text("connecting…")
    expect(connect).to_be_disabled()
    expect(connect).to_be_focused()
    chat.failed("mcp", "The server is gone. Try again.")
    expect(panel.get_by_role("alert").filter(has_text="The server is gone. Try again.")).to_be_visible()
    chat.answer(SERVERS, 2)
    expect(connect).to_be_enabled()
    chat.page.keyboard.press("Enter")
    chat.done("mcp", 2)
    chat.answer([SERVERS[0], {**SERVERS[1], "connected": True, "state": "connected", "step": ""}, SERVERS[2]], 3)
    expect(servers.get_by_role("button", name="Disconnect calc", exact=True)).to_be_focused()
    expect(panel.locator("[aria-live=polite]")).to_have_text("calc: connected")
    expect(servers.get_by_text("%opencode mcp auth mail", exact=True)).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(servers).to_be_hidden()
    expect(panel.get_by_role("textbox", name="Message")).to_be_focused()


def test_escape_tab_and_an_outside_click_close_the_menu(chat: ChatPage, panel: Locator) -> None:
    more, menu = panel.get_by_role("button", name="More"), panel.get_by_role("menu")
    for leave in ("Escape", "Tab"):
        more.press("ArrowDown")
        expect(menu).to_be_visible()
        expect(more).to_have_attribute("aria-expanded", "true")
        chat.page.keyboard.press("End")
        expect(panel.get_by_role("menuitem", name="Delete")).to_be_focused()
        chat.page.keyboard.press(leave)
        expect(menu).to_be_hidden()
    more.click()
    panel.get_by_role("textbox", name="Message").click()
    expect(menu).to_be_hidden()
    expect(more).to_have_attribute("aria-expanded", "false")


def test_the_meter_tooltip_opens_on_keyboard_focus(chat: ChatPage, panel: Locator) -> None:
    meter, tip = (
        panel.get_by_role("button", name="Context: 12,400 of 32,000 tokens (39%)"),
        panel.get_by_role("tooltip"),
    )
    expect(tip).to_be_hidden()
    panel.get_by_role("combobox", name="Session").focus()
    chat.page.keyboard.press("Tab")
    expect(meter).to_be_focused()
    expect(tip).to_have_text("Context: 12,400 of 32,000 tokens (39%). Cost: $0.0312")
    chat.page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    expect(meter).to_be_focused()
    chat.page.keyboard.press("Tab")
    chat.page.keyboard.press("Shift+Tab")
    expect(tip).to_be_visible()


def test_the_meter_shows_only_tokens_when_the_window_is_unknown(chat: ChatPage, panel: Locator) -> None:
    chat.set_state(meter={"tokens": 12400, "window": 0, "share": 0.0, "cost": 0})
    meter = panel.get_by_role("button", name="Context: 12,400 tokens")
    expect(meter).to_be_visible()
    expect(panel.get_by_role("button", name="0%")).to_have_count(0)


# --- pickers ----------------------------------------------------------------------------------------------------------


def test_a_model_can_be_searched_and_picked(chat: ChatPage, panel: Locator) -> None:
    field = panel.get_by_role("combobox", name="Model")
    expect(field).to_have_value("Demo Large · Demo")
    expect(field).to_have_attribute("title", "demo/demo-large (from your OpenCode configuration)")
    field.click()
    chat.answer(MODELS)
    options = panel.get_by_role("listbox", name="Model list").get_by_role("option")
    expect(options).to_have_text(["Demo LargeDemo", "Demo SmallDemo", "LargeOther"])
    field.fill("large oth")
    expect(options).to_have_text(["LargeOther"])
    options.first.click()
    assert chat.done("pick")["model"] == "other/large"
    chat.set_state(model="other/large", model_name="Large · Other", variants=[])
    expect(field).to_have_value("Large · Other")
    expect(panel.get_by_role("combobox", name="Effort")).to_be_hidden()


def test_a_model_can_be_searched_and_picked_with_the_keyboard(chat: ChatPage, panel: Locator) -> None:
    field = panel.get_by_role("combobox", name="Model")
    options = panel.get_by_role("listbox", name="Model list").get_by_role("option")
    panel.get_by_role("combobox", name="Agent").focus()
    chat.page.keyboard.press("Tab")
    expect(field).to_be_focused()
    chat.page.keyboard.type("small")
    chat.page.keyboard.press("Enter")  # too early: nothing is there to be chosen
    chat.answer(MODELS)
    expect(options).to_have_text(["Demo SmallDemo"])
    assert len(chat.sent("ask")) == 1
    chat.page.keyboard.press("Enter")
    assert chat.done("pick")["model"] == "demo/demo-small"
    chat.page.keyboard.press("Shift+Tab")
    chat.page.keyboard.press("Tab")
    chat.page.keyboard.type("la")
    chat.answer([*MODELS, {"id": "new/large", "name": "New Large", "provider": "New"}], 2)  # there may be others by now
    expect(options).to_have_count(3)


def test_a_late_model_list_is_filtered_by_the_typed_text(chat: ChatPage, panel: Locator) -> None:
    field = panel.get_by_role("combobox", name="Model")
    options = panel.get_by_role("listbox", name="Model list").get_by_role("option")
    field.click()
    chat.wait_for_sent("ask")
    chat.page.keyboard.type("small")
    chat.answer(MODELS)
    expect(options).to_have_text(["Demo SmallDemo"])
    field.press("Escape")
    panel.get_by_role("textbox", name="Message").click()
    field.click()
    asked = chat.wait_for_sent("ask", 2)[1]
    chat.message({"kind": "answer", "n": asked["n"], "error": "The server has ended."})
    expect(panel.get_by_role("status").filter(has_text="The server has ended.")).to_be_visible()
    field.press("Escape")
    field.click()  # what failed is asked for again
    chat.answer(MODELS, 3)
    expect(options).to_have_count(3)


def test_agent_and_effort_show_a_pick_only_after_it_is_accepted(chat: ChatPage, panel: Locator) -> None:
    agent = panel.get_by_role("combobox", name="Agent")
    agent.select_option("plan")
    assert chat.done("pick")["agent"] == "plan"
    expect(agent).to_have_value("build")  # until Python says otherwise
    chat.set_state(agent="plan")
    expect(agent).to_have_value("plan")
    effort = panel.get_by_role("combobox", name="Effort")
    effort.select_option("high")
    assert chat.wait_for_sent("pick", 2)[1]["variant"] == "high"
    chat.failed("pick", "This model has no such effort.")
    expect(panel.get_by_role("alert").last).to_contain_text("no such effort")
    expect(effort).to_have_value("")
