"""The chat panel in a real JupyterLab as a person uses it: by keys, in a tab of its own, for sessions and files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.demo.content import QUESTIONS
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import CODE, OPEN, TURN_TIMEOUT, ChatView
from tests.e2e.support_day import spend_a_day
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook, write_notebook

LARGE = 6_900_000
"""Bytes of a file just below what a message takes."""


@pytest.fixture
def opened(
    open_notebook: OpenNotebook, lab: Lab, request: pytest.FixtureRequest
) -> Callable[..., tuple[Notebook, ChatView]]:
    """Open a notebook in a project, with a panel in its first cell and more cells below."""

    def open_(*cells: str, kernel: str = "7.4") -> tuple[Notebook, ChatView]:
        work: Path = make_project(lab.root / re.sub(r"\W+", "-", request.node.name))
        notebook = open_notebook([OPEN, *cells], directory=work, kernel=kernel)
        notebook.run(0)
        view = ChatView(notebook.page)
        view.appears()
        return notebook, view

    return open_


Opened = Callable[..., tuple[Notebook, ChatView]]

OPEN_BESIDE = """async () => {
  window.widgetOf = (id) => [...jupyterapp.shell.widgets("main")].find((widget) => widget.id === id);
  const own = [...jupyterapp.shell.widgets("main")].find((widget) => widget.context);
  const path = own.context.path.replace("notebook.ipynb", "other.ipynb");
  const options = { mode: "tab-after", ref: own.id };
  const other = await jupyterapp.commands.execute("docmanager:open", { path, factory: "Notebook", options });
  await other.context.ready;
  return [own.id, other.id];
}"""
"""Opens the other notebook in a tab before the panel's own, which it hides; gives the ids of both."""


def cells_of(notebook: Notebook) -> int:
    return notebook.page.locator(".jp-Notebook .jp-Cell").count()


def test_the_panel_works_by_keyboard_without_changing_notebook_cells(opened: Opened, demo_model: DemoModel) -> None:
    """JupyterLab deletes, cuts and moves cells by letters: not those that are typed in the panel."""
    demo_model.queue(
        [
            [tool("bash", command="echo allowed", description="Say it")],
            [tool("question", questions=QUESTIONS)],
            [text(CODE)],
        ]
    )
    notebook, view = opened("1 + 1")
    keyboard = notebook.page.keyboard
    view.message.focus()
    keyboard.type("dd xx aab 00")
    keyboard.press("Shift+Enter")
    keyboard.type("z")
    keyboard.press("Enter")
    expect(view.log).to_contain_text("dd xx aab 00\nz")
    expect(view.button("Allow once")).to_be_visible(timeout=TURN_TIMEOUT)
    view.go_back_to("Allow once")
    keyboard.type("ddxx")
    keyboard.press("Enter")
    expect(view.root.get_by_label("CSV")).to_be_visible(timeout=TURN_TIMEOUT)
    expect(view.message).to_be_focused()  # it went on from the card that is gone
    view.go_back_to("Answer")
    view.root.get_by_label("CSV").focus()
    keyboard.press("ArrowDown")
    view.root.get_by_label("Type your own answer").last.focus()
    keyboard.type("dd")
    keyboard.press("Enter")
    view.says("Here it is")
    view.rests()
    expect(view.button("Run in a new cell")).to_be_visible()
    view.message.focus()
    view.go_back_to("Run in a new cell")
    assert cells_of(notebook) == 2
    keyboard.press("Enter")
    expect(notebook.output(1)).to_contain_text("ran 42", timeout=TURN_TIMEOUT)
    view.message.focus()
    keyboard.press("ControlOrMeta+s")
    notebook.page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    assert [cell.source for cell in notebook.saved().cells] == [OPEN, "print('ran', 6 * 7)\n", "1 + 1"]
    assert notebook.console == []


@pytest.mark.parametrize("kernel", ["7.4", "6.31"])
def test_every_panel_feature_works_in_one_session(opened: Opened, demo_model: DemoModel, kernel: str) -> None:
    notebook, view = opened(kernel=kernel)
    spend_a_day(view, demo_model, notebook.path.parent)
    assert notebook.console == []


def test_a_panel_in_its_own_tab_fills_it_and_mirrors_the_first(opened: Opened, demo_model: DemoModel) -> None:
    notebook, view = opened()
    page = notebook.page
    view.message.fill("of the first")
    notebook.output(0).click(position={"x": 300, "y": 3})
    page.evaluate("jupyterapp.commands.execute('notebook:create-output-view')")
    second = ChatView(page, 1)
    second.appears()
    tab = page.locator(".jp-LinkedOutputView").bounding_box()
    box = second.root.bounding_box()
    assert tab is not None
    assert box is not None
    assert box["height"] == pytest.approx(tab["height"], abs=2)
    expect(second.message).to_be_in_viewport()
    expect(second.message).to_have_value("of the first")  # it goes along, and is then each view's own
    demo_model.queue([[text("Seen "), gate("tab"), text("by both.")]])
    second.send("hello")
    view.says("Seen")
    demo_model.release("tab")
    for one in (view, second):
        one.says("Seen by both.")
        one.rests()
    expect(view.message).to_have_value("of the first")
    second.send("Say exactly: " + "many words " * 300)
    second.rests()
    expect(second.button("Jump to latest")).to_be_hidden()
    notebook.screenshot("two")


def test_a_panel_in_its_own_tab_edits_only_its_own_notebook(opened: Opened, demo_model: DemoModel) -> None:
    """Another notebook, that is in sight instead, is left alone."""
    notebook, view = opened("1 + 1")
    page = notebook.page
    demo_model.queue([text(CODE)])
    view.send("hello")
    view.rests()
    notebook.output(0).click(position={"x": 300, "y": 3})
    page.evaluate("jupyterapp.commands.execute('notebook:create-output-view')")
    tab = ChatView(page, 1)
    tab.says("Here it is")
    write_notebook(notebook.path.with_name("other.ipynb"), ["2 + 2", "3 + 3"], "7.4")
    own, other = page.evaluate(OPEN_BESIDE)
    visible = page.locator(".jp-NotebookPanel:visible")
    expect(visible).to_have_count(1)
    expect(visible.locator(".cm-content").first).to_have_text("2 + 2")
    tab.button("Run in a new cell").click()
    expect(tab.told("is not visible")).to_be_visible()
    tab.message.press("ControlOrMeta+s")
    page.wait_for_function("id => !widgetOf(id).context.model.dirty", arg=own)
    assert [cell.source for cell in notebook.saved().cells] == [OPEN, "print('ran', 6 * 7)\n", "1 + 1"]
    assert page.evaluate("id => widgetOf(id).context.model.sharedModel.cells.map((cell) => cell.source)", other) == [
        "2 + 2",
        "3 + 3",
    ]
    assert visible.locator(".jp-OutputArea-output").count() == 0
    page.evaluate("id => jupyterapp.shell.activateById(id)", own)
    expect(visible.locator(".cm-content").first).to_contain_text("import opencode_nb")
    tab.button("Run in a new cell").click()
    expect(visible.locator(".jp-OutputArea-output").filter(has_text="ran 42")).to_be_visible(timeout=TURN_TIMEOUT)


def test_sessions_can_be_renamed_opened_forked_deleted_and_exported(opened: Opened, tmp_path: Path) -> None:
    notebook, view = opened()
    session = view.root.get_by_role("combobox", name="Session")
    view.send("Say exactly: of the first")
    view.says("of the first")
    view.rests()
    view.choose("Rename")
    notebook.page.keyboard.type("The first one")
    notebook.page.keyboard.press("Enter")
    expect(session).to_have_value("The first one")
    view.button("New session").click()
    expect(session).to_have_value("New session")
    expect(view.message).to_be_focused()
    expect(view.root.locator(".chat-welcome").filter(has_text="What shall we work on?")).to_be_visible()
    session.click()
    session.fill("first")
    view.root.get_by_role("option", name="The first one").first.click()  # a second run finds that of the first run too
    view.says("of the first")
    view.button("Fork").click()
    expect(session).to_have_value(re.compile("The first one.+fork", re.IGNORECASE))
    view.choose("Delete")
    view.root.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(session).not_to_have_value(re.compile("fork", re.IGNORECASE))
    session.click()
    session.fill("first")
    view.root.get_by_role("option", name="The first one").first.click()  # a second run finds that of the first run too
    view.says("of the first")
    with notebook.page.expect_download() as download:
        view.choose("Export as Markdown")
    assert "of the first" in download.value.path().read_text("utf-8")
    view.button("Undo").click()
    expect(view.button("Redo")).to_be_visible(timeout=TURN_TIMEOUT)
    expect(view.log).not_to_contain_text("of the first")
    view.button("Redo").click()
    view.says("of the first")
    assert notebook.console == []


def test_completions_file_attachments_and_shell_commands_work(opened: Opened, tmp_path: Path) -> None:
    notebook, view = opened("measured = [1, 2]")
    notebook.run(1)
    options = view.root.get_by_role("listbox", name="Suggestions").get_by_role("option")
    view.message.focus()
    for typed, offered in (("/ini", "/init"), ("@tempera", "@src/temperatures.py"), ("@measured", "@measured")):
        notebook.page.keyboard.type(typed)
        expect(options.filter(has_text=offered).first).to_be_visible(timeout=TURN_TIMEOUT)
        view.message.fill("")
    (tmp_path / "large.txt").write_text("x" * LARGE)
    with notebook.page.expect_file_chooser() as chooser:
        view.button("Attach files").click()
    chooser.value.set_files(tmp_path / "large.txt")
    expect(view.root.get_by_role("list", name="Attachments")).to_contain_text("large.txt")
    view.send("What did I send you?")
    view.says("large.txt")
    view.rests()
    view.send("!echo from the shell")
    view.says("from the shell")
    view.rests()
    assert notebook.console == []
