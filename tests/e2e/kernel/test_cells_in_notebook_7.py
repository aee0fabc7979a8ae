"""The agent's cells in Notebook 7: where its code lands, what is accepted, merged and taken back, and what is saved."""

from __future__ import annotations

import re

from nbformat import NotebookNode
from playwright.sync_api import Page, ViewportSize, expect

from opencode_nb.demo import DemoModel, kernel_tool, text, tool
from tests.conftest import make_project
from tests.e2e.support_chat import OPEN, TURN_TIMEOUT, ChatView
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import write_notebook
from tests.e2e.support_notebook_7 import Notebook7
from tests.support.browser import press_answer

TALL: ViewportSize = {"width": 1280, "height": 4000}
"""High enough for every cell to be drawn."""

CELLS = [
    OPEN,
    "%load_ext opencode_nb\nnumbers = [3, 1, 2]",
    "'result'",
    "'theirs'",
    "%%prompt --permission allow --cells below\nExplore",
    "%%prompt --permission allow --cells cell-2\nAdd up",
    "%%prompt --permission allow\nChange the file",
    "%%prompt\nTidy",
    "%opencode diff",
]


def prompt(notebook: Notebook7, words: str, answer: str) -> None:
    """Run a prompt that asks nobody, and wait for its answer."""
    cell = notebook.cell(words)
    notebook.run(cell)
    expect(cell).to_contain_text(answer, timeout=TURN_TIMEOUT)
    expect(cell.locator(".jp-InputArea-prompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=TURN_TIMEOUT)


def sources(saved: NotebookNode) -> list[str]:
    return [str(cell.source) for cell in saved.cells]


def land(notebook: Notebook7, model: DemoModel) -> None:
    """The agent's code as a cell below, and in a given one."""
    model.queue([kernel_tool("python", code="mean = sum(numbers) / 3; mean"), [text("Explored.")]])
    prompt(notebook, "Explore", "Explored.")
    below = notebook.cell("mean = sum")
    expect(below).to_contain_text("2.0")
    model.queue([kernel_tool("python", code="total = sum(numbers); total"), [text("Summed.")]])
    prompt(notebook, "Add up", "Summed.")
    given = notebook.cell("'result'")
    expect(given).to_contain_text("total = sum(numbers); total")
    expect(given.locator(".jp-OutputArea-output")).to_have_text("6")


def merge(notebook: Notebook7, model: DemoModel) -> None:
    """What a command writes to the file of the open notebook comes into the page, and Notebook saves without asking."""
    notebook.save()
    command = f"sed -i \"s/'theirs'/'written'/\" {notebook.path.name}"
    model.queue([tool("bash", command=command, description="Write"), [text("Written.")]])
    prompt(notebook, "Change the file", "has these changes now")
    expect(notebook.cell("'written'")).to_be_visible()


def decide(notebook: Notebook7, model: DemoModel) -> None:
    """An edit changed before it is accepted, and all others of the turn accepted at once."""
    model.queue(
        [
            kernel_tool("cells"),
            kernel_tool("edit_cell", id="cell-3", source="'agent'"),
            kernel_tool("insert_cell", after="cell-3", source="# Title", type="markdown"),
            kernel_tool("delete_cell", id="cell-1"),
            [text("Tidied.")],
        ]
    )
    cell = notebook.cell("Tidy")
    notebook.run(cell)
    request = cell.locator('[data-part="permission"]')
    request.get_by_text("Edit before accepting").click(timeout=TURN_TIMEOUT)
    field = cell.get_by_role("textbox", name="Source to write")
    field.fill("'edited'")
    press_answer(cell.get_by_role("button", name="Accept edited"))
    expect(request).to_contain_text("# Title", timeout=TURN_TIMEOUT)
    press_answer(cell.get_by_role("button", name="Accept all in this turn"))
    expect(cell).to_contain_text("Tidied.", timeout=TURN_TIMEOUT)
    expect(notebook.cell("'edited'")).to_be_visible()
    expect(notebook.cell("numbers = [3, 1, 2]")).to_have_count(0)


def review(notebook: Notebook7) -> None:
    """The diff lists the cells, and takes one back."""
    notebook.run(notebook.cell("%opencode diff"))
    diff = notebook.page.locator('.opencode-nb[data-view="diff"]')
    expect(diff).to_contain_text("cells changed in the open notebook", timeout=TURN_TIMEOUT)
    diff.locator('[data-cell="cell-1"]').get_by_role("button", name="Revert cell").click()
    expect(notebook.cell("numbers = [3, 1, 2]")).to_be_visible()


def ask_about_selected(notebook: Notebook7, model: DemoModel) -> None:
    """The panel's agent gets what is selected, changes it, and Ctrl+Z takes that back."""
    view = ChatView(notebook.page)
    cell = notebook.cell("'edited'")
    cell.locator(".jp-InputPrompt").click()
    view.button("Use selected cells").click()
    model.queue([kernel_tool("cells"), kernel_tool("edit_cell", id="cell-3", source="'panel'"), [text("Changed.")]])
    view.send("Change it")
    press_answer(view.button("Allow once"), timeout=TURN_TIMEOUT)
    view.says("Changed.")
    view.rests()
    assert "id=cell-3 code" in str(model.requests[-1]["messages"])
    notebook.cell("'panel'").locator(".cm-content").click()
    notebook.page.keyboard.press("ControlOrMeta+z")
    expect(notebook.cell("'edited'")).to_be_visible()


def test_the_agents_cells_work_in_notebook_7(page: Page, lab: Lab, demo_model: DemoModel) -> None:
    page.set_viewport_size(TALL)
    notebook = Notebook7(page, lab, make_project(lab.root / "cells-in-notebook") / "notebook.ipynb")
    write_notebook(notebook.path, CELLS, "7.4")
    notebook.open()
    for words in ("oc.chat()", "numbers = [3, 1, 2]"):
        notebook.run(notebook.cell(words))
    ChatView(page).appears()
    land(notebook, demo_model)
    merge(notebook, demo_model)
    decide(notebook, demo_model)
    review(notebook)
    ask_about_selected(notebook, demo_model)
    saved = notebook.save()
    assert sources(saved) == notebook.sources()
    notebook.open()
    expect(notebook.cells).to_have_count(len(saved.cells))
    assert notebook.sources() == sources(saved)
    expect(notebook.cell("mean = sum")).to_contain_text("2.0")
    expect(page.get_by_role("button", name="Trusted", exact=True)).to_be_visible()  # with what the agent ran
    lab.shut_kernels_down()
