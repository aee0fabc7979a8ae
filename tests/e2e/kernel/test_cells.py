"""The agent reads, changes and runs the cells of the notebook that is open, in a real JupyterLab."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from opencode_nb.demo import DemoModel, kernel_tool, text, tool
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import OPEN, ChatView
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook, write_notebook
from tests.support.browser import press_answer

TURN_TIMEOUT = 60_000
"""Milliseconds for a step of a turn to show."""

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
PROMPT = f"%%prompt --permission '{json.dumps({'run_cell': 'allow'})}'\nTidy the notebook"


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
    page = notebook(*before, PROMPT, "len(numbers)", "%opencode diff", "%opencode undo", "%opencode verify --yes")
    page.start(4)
    asked = page.live_view(4).locator('[data-part="permission"]')
    expect(asked).to_contain_text("edit a cell of this notebook", timeout=TURN_TIMEOUT)
    expect(asked).to_contain_text("numbers = [1, 2, 3]")
    page.screenshot("asked")
    press_answer(page.live_view(4).get_by_role("button", name="Accept all in this turn"))
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
    diff = page.page.locator('.opencode-nb[data-view="diff"]')  # its cell gets another place
    deleted = diff.locator('[data-cell="cell-3"]')
    expect(diff).to_contain_text("4 cells changed in the open notebook", timeout=TURN_TIMEOUT)
    expect(deleted).to_contain_text("to delete")
    page.screenshot("diff")
    deleted.get_by_role("button", name="Revert cell").press("Enter")
    expect(deleted.get_by_role("button", name="Apply cell")).to_be_focused()
    assert "'to delete'" in sources(page)
    page.start(8)  # there is one more
    expect(page.output(7)).to_contain_text("Restored in the kernel")  # all have their places again
    restored = sources(page)
    assert restored[1:4] == before
    page.write(1, "sum([1, 1])")
    page.start(8)
    expect(page.output(8)).to_contain_text(
        "It was run as the page shows it. Not saved yet: cell 2.", timeout=TURN_TIMEOUT
    )
    saved_now = sources(page)
    assert reopened(page) == saved_now


def test_what_the_user_types_meanwhile_stays(notebook: Callable[..., Notebook], demo_model: DemoModel) -> None:
    demo_model.queue(
        [kernel_tool("cells"), kernel_tool("edit_cell", id="cell-2", source="'the agent'"), [text("Too late.")]]
    )
    page = notebook(OPEN, "'before'")
    page.run(1)
    view = ChatView(page.page)
    view.appears()
    page.cell(2).locator(".jp-InputPrompt").click()
    view.button("Use selected cells").click()
    expect(view.root.get_by_role("list", name="Attachments")).to_contain_text("Cell 3")
    view.send("Change it")
    expect(view.button("Allow once")).to_be_visible(timeout=TURN_TIMEOUT)
    page.write(2, "'the user'")
    press_answer(view.button("Allow once"))
    view.says("Too late.")
    view.rests()
    assert "the user has changed this cell" in told(demo_model)
    assert "'the user'" in told(demo_model)
    assert "id=cell-2 code" in str(demo_model.requests[-1]["messages"][1])  # what was selected went with the prompt
    assert sources(page)[2] == "'the user'"
    demo_model.queue([kernel_tool("edit_cell", id="cell-2", source="'the agent, who knows'"), [text("Now it is in.")]])
    view.send("Once more")
    view.root.locator('[data-part="permission"]').get_by_text("Edit before accepting").click()
    field = view.root.get_by_role("textbox", name="Source to write")
    expect(field).to_have_value("'the agent, who knows'")
    field.fill("'both'")
    field.press("Shift+Enter")  # a new line, and no cell is run
    page.screenshot("edited")
    press_answer(view.button("Accept edited"))
    view.says("Now it is in.")
    assert "The user changed your source" in told(demo_model)
    assert sources(page)[2] == "'both'\n"
    page.editor(2).click()
    page.page.keyboard.press("ControlOrMeta+z")
    expect(page.editor(2)).to_have_text("'the user'")


_OPEN_IN_KERNEL = """
async ([path, id]) => {
  const { context } = await jupyterapp.commands.execute("docmanager:open", { path, factory: "Notebook" });
  await context.sessionContext.ready;
  await context.sessionContext.changeKernel({ id });
}
"""
_SHOWN = """
name => {
  const { context } = jupyterapp.shell.currentWidget;
  return context?.isReady && context.path.endsWith(name);
}
"""
_TABS = "[...jupyterapp.shell.widgets('main')]"
_NOTEBOOKS = f"""
() => {_TABS}.map(({{ context }}) => [
  context.path.split("/").pop(), context.model.sharedModel.cells.map((cell) => cell.getSource()),
])
"""
_RENAME_AND_CLONE = f"""
async () => {{
  const tab = {_TABS}.find(({{ context }}) => context.path.endsWith("notebook.ipynb"));
  {_TABS}.filter((other) => other !== tab).forEach((other) => other.dispose());
  jupyterapp.shell.activateById(tab.id);
  await tab.context.rename("renamed.ipynb");
  await jupyterapp.commands.execute("docmanager:clone");
}}
"""
_CLOSE = f"() => {_TABS}.forEach((tab) => tab.dispose())"


def notebooks(page: Notebook) -> list[tuple[str, list[str]]]:
    """Return the name and the sources of each notebook that is open, by tab."""
    return [(name, written) for name, written in page.page.evaluate(_NOTEBOOKS)]


def inserted_by(view: ChatView, model: DemoModel, source: str) -> None:
    """Let a panel's agent insert a cell at the end."""
    model.queue([kernel_tool("insert_cell", source=source), [text(f"{source} is in.")]])
    view.send(f"Insert {source}")
    press_answer(view.button("Allow once"))
    view.says(f"{source} is in.")
    view.rests()


def test_the_notebook_with_the_prompt_is_changed_in_all_its_views_and_under_any_name(
    notebook: Callable[..., Notebook], demo_model: DemoModel, lab: Lab
) -> None:
    page = notebook(OPEN)
    page.run(1)
    view = ChatView(page.page)
    view.appears()
    other = page.path.with_name("other.ipynb")
    write_notebook(other, ["%%prompt --permission edits\nInsert a cell", "'theirs'"], "7.4", ids="other")
    demo_model.queue([kernel_tool("insert_cell", source="'agent'"), [text("It is in.")]])
    page.page.evaluate(_OPEN_IN_KERNEL, [other.relative_to(lab.root).as_posix(), page.kernel_id()])
    page.page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell')")
    expect(page.page.locator(".jp-Notebook").filter(has_text="It is in.").last).to_be_visible(timeout=TURN_TIMEOUT)
    (_name, mine), (_other, theirs) = sorted(notebooks(page))
    assert "'agent'" in theirs
    assert mine == (before := ["%load_ext opencode_nb", OPEN, ""])

    page.page.evaluate(_RENAME_AND_CLONE)
    page.page.wait_for_function(_SHOWN, arg="renamed.ipynb")
    inserted_by(view, demo_model, "'both'")
    assert notebooks(page) == [("renamed.ipynb", [*before, "'both'"])] * 2

    page.path = page.path.with_name("renamed.ipynb")
    page.save()
    page.page.evaluate(_CLOSE)
    page.open()
    page.run(1)
    inserted_by(ChatView(page.page), demo_model, "'again'")
    assert sources(page) == notebooks(page)[0][1] == [*before, "'both'", "'again'"]


def test_the_notebook_about_cells_shows_what_it_says(lab: Lab, open_notebook: OpenNotebook) -> None:
    path = make_project(lab.root / "about-cells") / "cells.ipynb"
    shown = nbformat.read(NOTEBOOKS / "cells.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in shown.cells), "it is kept without outputs"
    nbformat.write(shown, path)
    page = open_notebook(path=path)
    run = partial(run_by_id, page)
    assert run("numbers") == "6"
    for cell_id in ("start", "read", "edit", "insert", "run"):
        run(cell_id)
    at = index_of(page, "numbers")
    assert sources(page)[at : at + 2] == ["numbers = [30, 10, 20]\nsum(numbers)", "max(numbers)"]
    assert page.text(at) == "60"
    run("below")
    page.screenshot("below")
    at = index_of(page, "below") + 1
    new = page.save().cells[at]
    assert (new.source, new.outputs[0].data["text/plain"]) == ("mean = sum(numbers) / len(numbers); mean", "20.0")
    assert new.execution_count
    saved = page.saved().cells
    assert reopened(page) == [cell.source for cell in saved]
    assert run("undo").endswith("False")
    assert [cell.id for cell in page.save().cells] == [cell.id for cell in saved if cell.id != new.id]
    run("stop")


_CELL = "jupyterapp.shell.currentWidget.model.sharedModel.cells.findIndex((cell) => cell.id === id)"
_HAS_RUN = f"(id) => jupyterapp.shell.currentWidget.model.sharedModel.cells[{_CELL}].execution_count > 0"


def index_of(page: Notebook, cell_id: str) -> int:
    """Return where a cell stands now."""
    return int(page.page.evaluate(f"(id) => {_CELL}", cell_id))


def run_by_id(page: Notebook, cell_id: str) -> str:
    """Run a cell for the first time, which may move it; return its outputs as text."""
    page.start(index_of(page, cell_id))
    page.page.wait_for_function(_HAS_RUN, arg=cell_id, timeout=TURN_TIMEOUT)
    return page.text(index_of(page, cell_id))


def test_what_a_command_writes_to_the_file_comes_into_the_open_notebook(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    ask = "%%prompt --permission allow\nChange the file"
    page = notebook("'theirs'", "'mine'", ask, ask)
    edit = tool("edit", filePath=str(page.path), oldString="theirs", newString="edited")
    write = tool("bash", command=f"sed -i \"s/'theirs'/'written'/\" {page.path.name}", description="Write")
    page.save()
    demo_model.queue([edit, write, [text("Written.")]])
    page.run(3)
    assert "Use the tools cells, edit_cell" in str(demo_model.requests[1]["messages"][-1])
    expect(page.editor(1)).to_have_text("'written'")
    assert "has these changes now: cell 2 edited" in page.text(3)
    assert sources(page)[1] == "'written'"  # JupyterLab does not ask
    again = tool("bash", command=f"sed -i \"s/'mine'/'theirs'/\" {page.path.name}", description="Write")
    demo_model.queue([again, [text("Written.")]])
    page.write(2, "'typed'")
    page.run(4)
    page.screenshot("told")
    assert "cell 3: you have changed it, too" in page.text(4)
    assert "Reload Notebook" not in page.text(4)
    page.page.evaluate("() => void jupyterapp.commands.execute('docmanager:save')")
    page.page.get_by_role("dialog").get_by_role("button", name="Overwrite").click()
    expect(page.page.get_by_role("dialog")).to_have_count(0)
    assert sources(page)[1:3] == ["'written'", "'typed'"]


def test_on_a_busy_older_kernel_the_file_is_read_and_code_inserted_below(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    demo_model.queue([kernel_tool("cells"), kernel_tool("insert_cell", source="1 + 1", index=0), [text("Inserted.")]])
    ask = "%%prompt --permission edits\nTidy the notebook"
    page = notebook(ask, "'the last'", kernel="6.31")
    page.run(1)
    assert "this is the file as it was saved last" in str(demo_model.requests[-1]["messages"])
    assert "becomes the user's next input" in told(demo_model)
    assert sources(page) == ["%load_ext opencode_nb", ask, "1 + 1", "'the last'"]
