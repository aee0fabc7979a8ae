"""The chat panel without a model: what it offers, and how each way goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from tests.widgets.chat.page import SCENES, ChatPage
from tests.widgets.panel import Panel
from tests.widgets.wire import Wire

SETUP = SCENES["unset"][1]["setup"]


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.fixture
def panel(chat: ChatPage) -> Locator:
    return chat.scene("unset")


def button(panel: Locator, name: str) -> Locator:
    return panel.get_by_role("button", name=name, exact=True)


def offer(panel: Locator) -> Locator:
    return panel.get_by_role("group", name="No model is set up yet.", exact=True)


def welcome(panel: Locator) -> Locator:
    return panel.locator(".chat-welcome")


# --- the page ---------------------------------------------------------------------------------------------------------


def test_no_model_looks_chosen_and_the_free_one_names_its_recipient(panel: Locator) -> None:
    expect(panel.get_by_role("combobox", name="Model")).to_have_value("No model yet")
    expect(offer(panel)).to_be_visible()
    expect(button(panel, "Use OpenCode’s free model")).to_have_accessible_description(SETUP["free"]["sends"])
    expect(offer(panel)).to_contain_text(SETUP["free"]["sends"])
    expect(welcome(panel)).to_be_hidden()


def test_the_free_model_is_used_by_its_button(chat: ChatPage, panel: Locator) -> None:
    free = button(panel, "Use OpenCode’s free model")
    free.press("Enter")
    assert chat.done("use_model")["model"] == SETUP["free"]["model"]
    chat.set_state(setup=None, model="opencode/big-pickle", model_name="Big Pickle · OpenCode Zen")
    expect(offer(panel)).to_be_hidden()
    expect(panel.get_by_role("textbox", name="Message")).to_be_focused()
    expect(welcome(panel)).to_be_visible()


def test_the_demo_starts_once_and_a_failure_gives_its_button_back(chat: ChatPage, panel: Locator) -> None:
    demo = button(panel, "Try the demo")
    demo.click()
    expect(panel.get_by_role("status").filter(has_text="Starting the demo…")).to_be_visible()
    expect(demo).to_be_disabled()
    chat.failed("start_demo", "The disk is full.")
    expect(panel.get_by_role("alert").filter(has_text="The disk is full.")).to_be_visible()
    expect(demo).to_be_enabled()
    expect(panel.get_by_role("status").filter(has_text="Starting the demo…")).to_have_count(0)


def test_the_login_is_a_command_to_copy(chat: ChatPage, panel: Locator) -> None:
    login = button(panel, "How to log in")
    expect(login).to_have_attribute("aria-expanded", "false")
    expect(offer(panel).get_by_text(SETUP["login"])).to_be_hidden()
    login.press("Enter")
    expect(login).to_have_attribute("aria-expanded", "true")
    expect(offer(panel).get_by_text(SETUP["login"])).to_be_visible()
    clipboard = "{ writeText: async (text) => { window.copied = text } }"
    chat.page.evaluate(f"Object.defineProperty(navigator, 'clipboard', {{ value: {clipboard} }})")
    button(panel, "Copy the command").press("Enter")
    expect(panel.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert chat.page.evaluate("window.copied") == SETUP["login"]
    button(panel, "Check again").press("Enter")
    chat.done("check_setup")
    login.press("Enter")
    expect(offer(panel).get_by_text(SETUP["login"])).to_be_hidden()


def test_a_server_without_the_free_model_does_not_offer_it(chat: ChatPage, panel: Locator) -> None:
    chat.set_state(setup={**SETUP, "free": None})
    expect(button(panel, "Use OpenCode’s free model")).to_be_hidden()
    expect(button(panel, "Try the demo")).to_be_visible()


# --- the panel --------------------------------------------------------------------------------------------------------


@pytest.fixture
def new(opencode_program: Path, project: Path, wire: Wire) -> Iterator[Panel]:
    """The panel of somebody who has set up nothing."""
    with oc.Opencode(directory=project, binary=opencode_program) as ai:
        panel = oc.chat(ai.session())
        yield Panel(panel, wire)
        panel.close()


def test_a_message_without_a_model_is_refused_and_stays_in_the_field(new: Panel) -> None:
    assert new.state["model"] == ""
    assert "OpenCode Zen, a public service at opencode.ai" in new.state["setup"]["free"]["sends"]
    answer = new.do("send", text="hello", attachments=[], mode="auto")
    assert (answer["kind"], answer["message"]) == ("failed", "No model is set up yet. Choose one of the ways above.")
    assert new.panel.value == []
    assert new.do("check_setup")["kind"] == "failed", "nothing has been set up"


def test_the_free_model_is_for_all_sessions_of_the_notebook(new: Panel) -> None:
    free = new.state["setup"]["free"]["model"]
    new.done("use_model", model=free)
    new.wait(lambda state: (state["model"], state["model_source"], state["setup"]) == (free, "your choice", None))
    new.done("new")
    new.wait(lambda state: state["model"] == free)
    assert new.panel.session.owner.model_choice().model == free


def test_the_demo_answers_in_the_same_panel(new: Panel) -> None:
    session = new.panel.session.id
    new.done("start_demo")
    new.wait(lambda state: state["model"] == "demo/demo" and state["setup"] is None)
    assert "not an AI" in new.state["model_source"]
    new.done("send", text="Say exactly: hello from the demo", attachments=[], mode="auto")
    new.says("hello from the demo")
    new.rests()
    assert new.panel.session.id == session


def test_a_configuration_made_by_hand_shows_without_a_click(new: Panel, project: Path) -> None:
    seen: list[tuple[str, bool]] = []
    new.panel.widget.observe(lambda change: seen.append((change.new["model"], change.new["setup"] is None)), "state")
    with DemoModel(pace=0) as model:
        config = json.loads(json.dumps(model.config()).replace("demo", "bar"))
        (project / "opencode.json").write_text(json.dumps(config))
        new.wait(lambda state: state["model"] == "bar/bar" and state["setup"] is None)
    assert new.state["model_source"] == "from your OpenCode configuration"
    assert ("", True) not in seen, "neither a model nor the ways to one"
