"""The agent reads, changes and runs the cells of the notebook that is open, in a real JupyterLab."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from opencode_nb.demo import DemoModel, kernel_tool, text
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import OPEN, ChatView
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook
from tests.support.browser import press_answer

TURN_TIMEOUT = 60_000
"""Milliseconds for a step of a turn to show."""

ALLOWED = dict.fromkeys(("insert_cell", "move_cell", "delete_cell", "run_cell"), "allow")
PROMPT = f"%%prompt --permission '{json.dumps(ALLOWED)}'\nTidy the notebook"


@pytest.fixture
def notebook(lab: Lab, open_notebook: OpenNotebook, request: pytest.FixtureRequest) -> Callable[..., Notebook]:
    """Open a notebook in a project of its own, with the extension loaded by its first cell."""
    work = make_project(lab.root / re.sub(r"\W+", "-", request.node.name))

    def open_(*cells: str, kernel: str = "7.4") -> Notebook:
        notebook = open_notebook(["%load_ext opencode_nb", *cells], kernel=kernel, directory=work)
        notebook.run(0)
        return notebook

    return open_


def told(model: DemoModel) -> str:
    """What the model was told last."""
    return str(model.requests[-1]["messages"][-1])


def sources(page: Notebook) -> list[str]:
    return [str(cell.source) for cell in page.save().cells]


def reopened(page: Notebook) -> list[str]:
    """Load the page again from what stands on disk; return the sources that it shows."""
    page.reload()
    return list(
        page.page.evaluate("() => jupyterapp.shell.currentWidget.model.sharedModel.cells.map((c) => c.getSource())")
    )


def test_a_cells_agent_edits_inserts_moves_runs_and_deletes_cells(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    demo_model.queue(
        [
            kernel_tool("cells"),
            kernel_tool("edit_cell", id="cell-1", source="numbers = [1, 2, 3]\nsum(numbers)"),
            kernel_tool("insert_cell", after="cell-1", source="# The end", type="markdown"),
            kernel_tool("run_cell", id="cell-1"),
            kernel_tool("move_cell", id="cell-2", index=1),
            kernel_tool("delete_cell", id="cell-3"),
            [text("Tidied.")],
        ]
    )
    before = ["sum([1])", "'to move'", "'to delete'"]
    page = notebook(*before, PROMPT, "len(numbers)", "%opencode undo")
    page.start(4)
    asked = page.live_view(4).locator('[data-part="permission"]')
    expect(asked).to_contain_text("edit a cell of this notebook", timeout=TURN_TIMEOUT)
    expect(asked).to_contain_text("numbers = [1, 2, 3]")
    page.screenshot("asked")
    press_answer(page.live_view(4).get_by_role("button", name="Allow once", exact=True))
    expect(page.output(4)).to_contain_text("Tidied.", timeout=TURN_TIMEOUT)
    page.screenshot("done")
    saved = page.save().cells
    written = [cell.source for cell in saved]
    assert written[1:4] == ["'to move'", "numbers = [1, 2, 3]\nsum(numbers)", "# The end"]
    assert [cell.cell_type for cell in saved[1:4]] == ["code", "code", "markdown"]
    assert saved[2].outputs[0].data["text/plain"] == "6"
    assert "'to delete'" not in written
    page.wait(4)
    assert page.run(5) == "3"
    page.start(6)
    expect(page.output(6)).to_contain_text("Restored in the kernel")  # cells have other places meanwhile
    restored = sources(page)
    assert restored[1:4] == before
    assert reopened(page) == restored


def test_what_the_user_types_meanwhile_stays(notebook: Callable[..., Notebook], demo_model: DemoModel) -> None:
    demo_model.queue(
        [kernel_tool("cells"), kernel_tool("edit_cell", id="cell-2", source="'the agent'"), [text("Too late.")]]
    )
    page = notebook(OPEN, "'before'")
    page.run(1)
    view = ChatView(page.page)
    view.appears()
    view.send("Change it")
    expect(view.button("Allow once")).to_be_visible(timeout=TURN_TIMEOUT)
    page.write(2, "'the user'")
    press_answer(view.button("Allow once"))
    view.says("Too late.")
    view.rests()
    assert "the user has changed this cell" in told(demo_model)
    assert "'the user'" in told(demo_model)
    assert sources(page)[2] == "'the user'"
    demo_model.queue([kernel_tool("edit_cell", id="cell-2", source="'the agent, who knows'"), [text("Now it is in.")]])
    view.send("Once more")
    press_answer(view.button("Allow once"))
    view.says("Now it is in.")
    expect(page.editor(2)).to_have_text("'the agent, who knows'")
    page.editor(2).click()
    page.page.keyboard.press("ControlOrMeta+z")
    expect(page.editor(2)).to_have_text("'the user'")


def test_on_a_busy_older_kernel_the_file_is_read_and_code_inserted_below(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    demo_model.queue([kernel_tool("cells"), kernel_tool("insert_cell", source="1 + 1", index=0), [text("Inserted.")]])
    page = notebook(PROMPT, "'the last'", kernel="6.31")
    page.run(1)
    assert "this is the file as it was saved last" in str(demo_model.requests[-1]["messages"])
    assert "becomes the user's next input" in told(demo_model)
    assert sources(page) == ["%load_ext opencode_nb", PROMPT, "1 + 1", "'the last'"]
