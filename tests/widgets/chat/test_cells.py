"""What the chat panel does to the notebook that it belongs to, in a page that has JupyterLab's elements and names."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.widgets.chat.page import ChatPage

NOTEBOOKS = """() => {
  const notebook = (name) => {
    const panel = document.createElement("div"), toolbar = document.createElement("div"), cells = [];
    panel.className = "jp-NotebookPanel";
    panel.id = name;
    toolbar.className = "jp-NotebookPanel-toolbar";
    panel.append(toolbar);
    document.body.append(panel);
    for (const command of ["docmanager:save", "notebook:run-cell-and-select-next"]) {
      const button = document.createElement("button");
      button.dataset.command = command;
      button.addEventListener("keydown", () => pressed.push([name, command, document.activeElement.textContent]));
      toolbar.append(button);
    }
    const draw = () => {
      panel.querySelectorAll(".jp-Cell").forEach((node) => node.remove());
      cells.forEach((source, index) => {
        const cell = document.createElement("div"), editor = document.createElement("div");
        cell.className = index === 0 ? "jp-Cell jp-mod-active" : "jp-Cell";
        cell.dataset.windowedListIndex = index;
        editor.className = "cm-content";
        editor.tabIndex = 0;
        editor.textContent = source;
        cell.append(editor);
        panel.append(cell);
      });
    };
    const insertCell = (index, cell) => { cells.splice(index, 0, cell.source); draw(); };
    cells.push("first", "second");
    draw();
    const save = async () => pressed.push([name, "saved"]);
    return { path: `work/${name}.ipynb`, save, model: { sharedModel: { cells, insertCell } } };
  };
  window.pressed = [];
  window.mine = notebook("mine");
  window.other = notebook("other");
  model.widget_manager = Promise.resolve({ context: mine });
}"""
HIDDEN = "hidden => { mine_ = document.getElementById('mine'); mine_.style.display = hidden ? 'none' : '' }"
MOVE = "name => document.getElementById('mine').append(document.getElementById(name))"


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.fixture
def tab(chat: ChatPage) -> Locator:
    """A view in a tab of its own; another one is in its notebook, which is hidden behind another notebook."""
    chat.page.evaluate(NOTEBOOKS)
    panel = chat.scene("diff")
    chat.show("within")
    chat.page.evaluate(MOVE, "within")
    chat.page.evaluate(HIDDEN, True)
    return panel


def cells(chat: ChatPage, name: str) -> list[str]:
    found: list[str] = chat.page.evaluate(f"{name}.model.sharedModel.cells.map((source) => source.split(' ')[0])")
    return found


def pressed(chat: ChatPage) -> list[Any]:
    """What was done to which notebook, and what had the focus then."""
    return list(chat.page.evaluate("pressed"))


def test_a_hidden_notebook_gets_the_new_cell_but_does_not_run_it(chat: ChatPage, tab: Locator) -> None:
    tab.get_by_role("button", name="Run in a new cell").click()
    expect(tab.get_by_role("status").filter(has_text="work/mine.ipynb, which is not visible")).to_be_visible()
    assert cells(chat, "mine") == ["first", "frame", "second"]
    tab.get_by_role("button", name="Insert into a new cell").click()
    expect(tab.get_by_role("status").filter(has_text="look for it there")).to_be_visible()
    assert cells(chat, "mine") == ["first", "frame", "frame", "second"]
    assert cells(chat, "other") == ["first", "second"]
    assert pressed(chat) == []


def test_a_visible_notebook_runs_its_new_cell_beside_another_notebook(chat: ChatPage, tab: Locator) -> None:
    chat.page.evaluate(HIDDEN, False)
    tab.get_by_role("button", name="Run in a new cell").click()
    expect(tab.locator("[aria-live=polite]")).to_have_text("Running in a new cell")
    ((name, command, focused),) = pressed(chat)
    assert (name, command) == ("mine", "notebook:run-cell-and-select-next")
    assert focused.startswith("frame = load")
    assert cells(chat, "other") == ["first", "second"]


def test_a_panel_shown_only_in_a_tab_appends_cells_at_the_notebook_end(chat: ChatPage, tab: Locator) -> None:
    chat.page.evaluate("views.within.cleanup()")
    tab.get_by_role("button", name="Run in a new cell").click()
    expect(tab.get_by_role("status").filter(has_text="run it there with Shift+Enter")).to_be_visible()
    assert cells(chat, "mine") == ["first", "second", "frame"]
    assert pressed(chat) == []


def test_without_a_toolbar_a_notice_asks_to_run_the_cell_by_hand(chat: ChatPage, tab: Locator) -> None:
    chat.page.evaluate(HIDDEN, False)
    chat.page.evaluate("document.querySelectorAll('.jp-NotebookPanel-toolbar').forEach((toolbar) => toolbar.remove())")
    tab.get_by_role("button", name="Run in a new cell").click()
    expect(tab.get_by_role("status").filter(has_text="press Shift+Enter in it")).to_be_visible()


def test_ctrl_s_saves_the_panels_own_notebook(chat: ChatPage, tab: Locator) -> None:
    tab.get_by_role("textbox", name="Message").press("Control+s")
    assert pressed(chat) == [["mine", "saved"]]
    chat.page.evaluate(HIDDEN, False)
    chat.page.locator("#within").get_by_role("textbox", name="Message").press("Control+s")
    assert [entry[:2] for entry in pressed(chat)[1:]] == [["mine", "docmanager:save"]]


def test_without_a_notebook_the_code_is_copied_to_the_clipboard(chat: ChatPage) -> None:
    chat.page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => { window.copied = text }}})"
    )
    panel = chat.scene("diff")
    panel.get_by_role("button", name="Insert into a new cell").click()
    expect(panel.get_by_role("status").filter(has_text="The code is copied")).to_be_visible()
    assert chat.page.evaluate("copied").startswith("frame = load")
