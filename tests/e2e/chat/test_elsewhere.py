"""The chat panel in Notebook 7, on the same server as JupyterLab, and in marimo, where it stands in a shadow root."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from opencode_nb.demo import DemoModel, kernel_tool, text, tool
from tests.conftest import make_project
from tests.e2e.support_chat import CODE, OPEN, TURN_TIMEOUT, ChatView
from tests.e2e.support_day import spend_a_day
from tests.e2e.support_lab import Lab
from tests.e2e.support_marimo import marimo
from tests.e2e.support_notebook import OPEN_TIMEOUT, write_notebook
from tests.e2e.support_notebook_7 import Notebook7
from tests.support.browser import press_answer

CHANGES = [[tool("write", filePath="new.txt", content="Written.\n")], [text("Changed.")]]
DIFF = "panel.session.prompt('go', permission='allow')\noc.diff()"
SCRIPT = [[tool("bash", command="echo allowed", description="Say it")], [text(CODE)]]


def converse(view: ChatView) -> None:
    """Two lines sent by keys, a permission given by keys, and the answer."""
    keyboard = view.page.keyboard
    view.message.focus()
    keyboard.type("dd")
    keyboard.press("Shift+Enter")
    keyboard.type("aa")
    keyboard.press("Enter")
    view.says("dd\naa")
    expect(view.button("Allow once")).to_be_visible(timeout=TURN_TIMEOUT)
    view.go_back_to("Allow once")
    keyboard.type("dd")
    keyboard.press("Enter")
    view.says("Here it is")
    view.rests()


def edit_a_cell(view: ChatView, model: DemoModel) -> None:
    """The agent reads the open notebook and edits its second cell."""
    model.queue([kernel_tool("cells"), kernel_tool("edit_cell", id="cell-1", source="2 + 2"), [text("Edited.")]])
    view.send("Edit the cell")
    expect(view.button("Allow once")).to_be_visible(timeout=TURN_TIMEOUT)
    press_answer(view.button("Allow once"))
    view.says("Edited.")
    view.rests()


def test_the_panel_works_in_notebook_7(page: Page, lab: Lab, demo_model: DemoModel) -> None:
    """Notebook hears of keys before the page does, and gives widgets no `jupyterapp`."""
    demo_model.queue(SCRIPT)
    work = make_project(lab.root / "in-notebook")
    notebook = Notebook7(page, lab, work / "notebook.ipynb")
    write_notebook(notebook.path, [OPEN, "1 + 1"], "7.4")
    notebook.open()
    cells = notebook.cells
    notebook.run(cells.first)
    view = ChatView(page)
    view.appears()
    converse(view)
    expect(cells).to_have_count(2)
    view.button("Run in a new cell").click()
    expect(cells.nth(1).locator(".jp-OutputArea-output")).to_contain_text("ran 42", timeout=TURN_TIMEOUT)
    edit_a_cell(view, demo_model)
    expect(cells.last.locator(".cm-content")).to_have_text("2 + 2")
    view.message.click()
    assert notebook.save().cells[2].source == "2 + 2"
    view.button("New session").click()
    spend_a_day(view, demo_model, work)
    lab.shut_kernels_down()


@pytest.mark.parametrize("mode", ["run", "edit"])
def test_the_panel_and_a_diff_work_in_marimo(
    page: Page, server_model: DemoModel, demo_model: DemoModel, opencode_program: Path, tmp_path: Path, mode: str
) -> None:
    """As an app, and in the editor, whose own keys must not take what is typed in the panel.

    A panel and a diff show themselves as a cell's last value.
    """
    demo_model.queue(*([CHANGES, SCRIPT] if mode == "run" else [SCRIPT]))
    env = {**os.environ, "OPENCODE_CONFIG_CONTENT": json.dumps(server_model.config())}
    work = make_project(tmp_path / "app")
    with marimo(mode, [OPEN, "1 + 1", *([DIFF] if mode == "run" else [])], work, env) as address:
        page.goto(address, timeout=OPEN_TIMEOUT)
        cells = page.locator(".cm-content")
        if mode == "edit":  # nothing runs by itself there, nor before the editor has its kernel
            cells.first.click(timeout=OPEN_TIMEOUT)
            expect(page.get_by_test_id("run-button").first).to_be_enabled(timeout=OPEN_TIMEOUT)
            page.keyboard.press("ControlOrMeta+Enter")
        view = ChatView(page)
        view.appears(OPEN_TIMEOUT)  # marimo's kernel is slow the first time: nothing of it has been compiled
        if mode == "run":
            diff = page.locator('.opencode-nb[data-view="diff"]')
            expect(diff.get_by_role("treeitem", name="new.txt")).to_be_visible(timeout=OPEN_TIMEOUT)
            diff.get_by_role("button", name="Revert all").click()
            expect(diff.get_by_text("Reverted: 1 file.")).to_be_visible()
            assert not (work / "new.txt").exists()
        converse(view)
        expect(cells).to_have_count(2 if mode == "edit" else 0)
        expect(view.message).to_be_in_viewport(ratio=1)
        expect(view.button("Send")).to_be_in_viewport(ratio=1)
        assert view.root.evaluate("panel => panel.getRootNode() instanceof ShadowRoot")
        assert view.root.evaluate("panel => getComputedStyle(panel).display") == "flex"
        expect(view.log.get_by_role("listitem").first).to_have_css("list-style-type", "disc")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        view.button("Insert into a new cell").click()
        expect(view.told("The code is copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == "print('ran', 6 * 7)\n"
        if mode == "run":
            view.button("New session").click()
            spend_a_day(view, demo_model, work)
