"""Slash commands and Escape in the panel's page: what keys do, and how results are shown."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.axe import violations
from tests.widgets.chat.composer.test_composer import field_of, suggestions
from tests.widgets.chat.page import SCENES, STATE, ChatPage, Theme

UNDO = {"text": "/undo", "detail": "Undo the last message", "kind": "command", "acts": True}
INIT = {"text": "/init", "detail": "Write AGENTS.md", "kind": "command", "acts": False}


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.fixture
def panel(chat: ChatPage) -> Locator:
    return chat.scene("permission")


def run(chat: ChatPage, panel: Locator, command: str, **result: Any) -> None:
    """Write a command and send it; answer with its result."""
    sent = len(chat.sent("send"))
    field_of(panel).fill(command)
    field_of(panel).press("Escape")
    field_of(panel).press("Enter")
    wish = chat.wait_for_sent("send", sent + 1)[sent]
    chat.message({"kind": "done", "id": wish["id"], "result": result})


def rest(chat: ChatPage) -> Locator:
    """A panel at rest."""
    chat.set_html(SCENES["permission"][0])
    chat.set_state(busy=False)
    return chat.show()


def suggest(chat: ChatPage, written: str, offer: dict[str, Any]) -> tuple[Locator, Locator]:
    """Write the beginning of a command, which is suggested; return the panel and its field."""
    panel = rest(chat)
    field = field_of(panel)
    field.click()
    chat.page.keyboard.insert_text(written)
    chat.answer([offer])
    expect(suggestions(panel)).to_have_count(1)
    return panel, field


# --- Enter ------------------------------------------------------------------------------------------------------------


def test_enter_runs_a_command_that_needs_nothing_more(chat: ChatPage) -> None:
    panel, field = suggest(chat, "/un", UNDO)
    field.press("Enter")
    assert chat.done("send")["text"] == "/undo"
    expect(field).to_have_value("")
    expect(suggestions(panel)).to_have_count(0)


def test_enter_writes_a_command_that_may_need_more_and_sends_it_when_it_is_written(chat: ChatPage) -> None:
    panel, field = suggest(chat, "/in", INIT)
    field.press("Enter")
    expect(field).to_have_value("/init ")
    field.fill("/init")
    chat.answer([INIT], 2)
    expect(suggestions(panel)).to_have_count(1)
    field.press("Enter")
    assert chat.done("send")["text"] == "/init"


def test_tab_writes_a_command_and_sends_nothing(chat: ChatPage) -> None:
    _panel, field = suggest(chat, "/un", UNDO)
    field.press("Tab")
    expect(field).to_have_value("/undo ")
    assert chat.sent("send") == []


def test_a_refused_command_comes_back_with_the_closest(chat: ChatPage) -> None:
    panel = rest(chat)
    field_of(panel).fill("/udno")
    field_of(panel).press("Enter")
    chat.failed("send", "Unknown command /udno. Did you mean /undo?")
    expect(panel.get_by_role("alert")).to_contain_text("Did you mean /undo?")
    expect(field_of(panel)).to_have_value("/udno")


# --- results ----------------------------------------------------------------------------------------------------------


def test_a_command_result_stays_until_the_next_message(chat: ChatPage) -> None:
    panel = rest(chat)
    run(chat, panel, "/status", text="Session: Rain\nModel: demo/demo", opens="")
    told = panel.get_by_role("status").filter(has_text="Model: demo/demo")
    expect(told).to_be_visible()
    field_of(panel).fill("go on")
    field_of(panel).press("Enter")
    expect(told).to_have_count(0)


def test_a_visible_result_is_announced_to_screen_readers(chat: ChatPage) -> None:
    panel = rest(chat)
    run(chat, panel, "/undo", said="Undone.")
    expect(panel.locator("[aria-live=polite]")).to_have_text("Undone.")


def test_picking_with_keys_returns_focus_to_the_message(chat: ChatPage) -> None:
    panel = rest(chat)
    run(chat, panel, "/models", text="demo/demo-small", opens="models")
    expect(panel.get_by_role("combobox", name="Model", exact=True)).to_be_focused()
    asked = len(chat.wait_for_sent("ask"))
    chat.answer([{"id": "demo/small", "name": "Small"}, {"id": "demo/large", "name": "Large"}], asked)
    expect(panel.get_by_role("listbox", name="Model list")).to_be_visible()
    chat.page.keyboard.press("ArrowDown")
    chat.page.keyboard.press("Enter")
    assert chat.done("pick")["model"] == "demo/large"
    expect(field_of(panel)).to_be_focused()
    run(chat, panel, "/sessions", text="ses_1", opens="sessions")
    expect(panel.get_by_role("combobox", name="Session", exact=True)).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(field_of(panel)).to_be_focused()


def test_agents_variants_and_the_title_have_the_focus(chat: ChatPage) -> None:
    panel = rest(chat)
    for command, opens, label in (("/agents", "agents", "Agent"), ("/effort", "variants", "Effort")):
        run(chat, panel, command, text="plan", opens=opens)
        expect(panel.get_by_role("combobox", name=label, exact=True)).to_be_focused()
        chat.page.keyboard.press("Escape")
    run(chat, panel, "/rename", text="The title is: x", opens="rename")
    expect(panel.get_by_role("textbox", name="Title", exact=True)).to_be_focused()


def test_a_picker_that_cannot_open_shows_the_text_instead(chat: ChatPage) -> None:
    panel = rest(chat)
    chat.set_state(agents=STATE["agents"][:1])
    run(chat, panel, "/agents", text="* build  Reads, edits and runs", opens="agents")
    expect(panel.get_by_role("status").filter(has_text="build  Reads")).to_be_visible()


def test_help_suggests_all_commands(chat: ChatPage) -> None:
    panel = rest(chat)
    run(chat, panel, "/help", text="/undo", opens="commands")
    chat.page.wait_for_function("model.sent.some(({ what, text }) => what === 'complete' && text === '/')")
    asked = len(chat.sent("ask"))
    chat.answer([UNDO, INIT], asked)
    expect(suggestions(panel)).to_have_count(2)
    expect(field_of(panel)).to_be_focused()


def test_folds_are_opened_and_closed_all_at_once(chat: ChatPage) -> None:
    panel = rest(chat)
    thoughts = panel.locator("details[data-part=reasoning]")
    tools = panel.locator("details[data-part=tool]")
    run(chat, panel, "/thinking", text="", opens="thinking")
    expect(thoughts.first).to_have_attribute("open", "")
    run(chat, panel, "/thinking", text="", opens="thinking")
    expect(thoughts.first).not_to_have_attribute("open", "")
    run(chat, panel, "/details", text="", opens="details")
    expect(panel.locator("details[data-part=tool]:not([open])")).to_have_count(0)
    assert tools.count()


def test_an_export_is_downloaded(chat: ChatPage) -> None:
    panel = rest(chat)
    file = {"name": "Rain.md", "mime": "text/markdown", "data": base64.b64encode("# Rain ☔".encode()).decode()}
    with chat.page.expect_download() as download:
        run(chat, panel, "/export", text="Saved: Rain.md", file=file)
    assert download.value.suggested_filename == "Rain.md"
    assert download.value.path().read_text() == "# Rain ☔"
    expect(panel.get_by_role("status").filter(has_text="Saved: Rain.md")).to_be_visible()


# --- Escape -----------------------------------------------------------------------------------------------------------


def test_escape_stops_the_turn_and_keeps_what_is_written(chat: ChatPage, panel: Locator) -> None:
    field_of(panel).fill("not sent yet")
    field_of(panel).press("Escape")
    chat.done("stop")
    expect(field_of(panel)).to_have_value("not sent yet")
    chat.set_state(busy=False)
    field_of(panel).press("Escape")
    assert len(chat.sent("stop")) == 1


def test_escape_closes_what_is_open_first(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    field.click()
    chat.page.keyboard.insert_text("/un")
    chat.answer([UNDO])
    expect(suggestions(panel)).to_have_count(1)
    field.press("Escape")
    expect(suggestions(panel)).to_have_count(0)
    panel.get_by_role("combobox", name="Session", exact=True).click()
    chat.answer([{"id": "ses_1", "title": "Rain"}], 2)
    expect(panel.get_by_role("listbox", name="Session list")).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(panel.get_by_role("listbox", name="Session list")).to_be_hidden()
    panel.get_by_role("button", name="More", exact=True).click()
    chat.page.keyboard.press("Escape")
    expect(panel.get_by_role("menu")).to_be_hidden()
    panel.get_by_role("button", name="More", exact=True).click()
    panel.get_by_role("menuitem", name="Delete", exact=True).click()
    chat.page.keyboard.press("Escape")
    expect(panel.get_by_role("alertdialog")).to_have_count(0)
    panel.get_by_role("button", name="More", exact=True).click()
    panel.get_by_role("menuitem", name="Rename", exact=True).click()
    chat.page.keyboard.press("Escape")
    expect(panel.get_by_role("textbox", name="Title", exact=True)).to_be_hidden()
    panel.get_by_role("combobox", name="Agent", exact=True).press("Escape")
    assert chat.sent("stop") == []
    chat.page.keyboard.press("Tab")
    chat.page.keyboard.press("Escape")
    assert len(chat.wait_for_sent("stop")) == 1


def test_escape_belongs_to_an_input_method_that_has_it(chat: ChatPage, panel: Locator) -> None:
    init = "{ key: 'Escape', bubbles: true, isComposing: true }"
    field_of(panel).evaluate(f"field => field.dispatchEvent(new KeyboardEvent('keydown', {init}))")
    assert chat.sent("stop") == []


# --- looked at --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000])
def test_commands_and_results_fit_and_are_accessible(page: Page, theme: Theme, width: int, artifacts: Any) -> None:
    from opencode_nb.session.prompt.commands import help_text, offered

    chat = ChatPage(page, theme, width=width)
    panel = rest(chat)
    field_of(panel).click()
    page.keyboard.insert_text("/")
    offers = [{"text": f"/{one['name']}", "detail": one["description"], "kind": "command"} for one in offered([])]
    chat.answer(offers)
    expect(suggestions(panel)).to_have_count(len(offers))
    assert violations(panel) == []
    page.screenshot(path=artifacts / "screenshots" / f"slash-list-{theme}-{width}.png")
    field_of(panel).press("Shift+Tab")
    expect(suggestions(panel)).to_have_count(0)
    expect(panel.locator(":focus")).to_have_count(1)  # past the list, still in the panel
    run(chat, panel, "/status", text=help_text([]), opens="")
    expect(panel.get_by_role("status").filter(has_text="/undo")).to_be_visible()
    assert violations(panel) == []
    page.screenshot(path=artifacts / "screenshots" / f"slash-result-{theme}-{width}.png")
