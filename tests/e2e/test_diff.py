"""The view of a diff in a real JupyterLab, over the real server: changes are looked through and taken back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, text, tool
from tests.conftest import PROJECT_FILES, make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook

SHOW_TIMEOUT = 30_000
"""Milliseconds for the view to show: the server is asked for both versions of every file."""

MODULE = "src/temperatures.py"
NEW = "src/a_rather_long_directory_name/with_more_of_it/a_file_whose_name_goes_on_and_on_for_a_while.py"
BEFORE = PROJECT_FILES[MODULE]
FAHRENHEIT = ("celsius * 9 / 5 + 32", "32 + 1.8 * celsius")
MEAN = ("sum(values) / len(values)", "sum(values) / max(len(values), 1)")


@pytest.fixture
def work(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """A project inside what JupyterLab serves."""
    return make_project(lab.root / re.sub(r"\W+", "-", request.node.name))


@pytest.fixture
def changed(open_notebook: OpenNotebook, demo_model: DemoModel, work: Path) -> Callable[..., Notebook]:
    """A notebook in which the agent has changed a module and written a file, and cells that come after."""

    def open_(*cells: str, kernel: str = "7.4", more: tuple[object, ...] = ()) -> Notebook:
        edits = [
            tool("edit", filePath=str(work / MODULE), oldString=old, newString=new) for old, new in (FAHRENHEIT, MEAN)
        ]
        written = tool("write", filePath=str(work / NEW), content="".join(f"line_{n} = {n}\n" for n in range(300)))
        demo_model.queue([*([step] for step in (*edits, written, *more)), [text("Changed.")]])
        first = ["%load_ext opencode_nb\nimport opencode_nb as oc", "%%prompt --permission allow -q\ngo"]
        notebook = open_notebook([*first, *cells], kernel=kernel, directory=work)
        notebook.run(0)
        notebook.run(1)
        return notebook

    return open_


def view(notebook: Notebook, index: int = 2) -> Locator:
    notebook.run(index)
    root = notebook.output(index).locator('.opencode-nb[data-view="diff"][data-key="root"]')
    root.get_by_role("treeitem", name=MODULE).click(timeout=SHOW_TIMEOUT)
    expect(file(root, MODULE).get_by_role("button", name="Revert hunk")).to_be_visible(timeout=SHOW_TIMEOUT)
    return root


def file(root: Locator, path: str) -> Locator:
    return root.locator(f'details[data-file="{path}"]')


@pytest.mark.parametrize("kernel", ["7.4", "6.31"])
def test_changes_are_reverted_and_reapplied_with_the_keyboard(
    changed: Callable[..., Notebook], work: Path, kernel: str
) -> None:
    notebook = changed("oc.diff()", kernel=kernel)
    root = view(notebook)
    keyboard, module = notebook.page.keyboard, file(root, MODULE)
    after = (work / MODULE).read_text()
    cells = notebook.page.locator(".jp-Notebook .jp-Cell").count()
    root.focus()
    keyboard.press("n")
    expect(root.locator("[data-hunk]:focus")).to_be_visible()
    for key in "ddxxaabbjjmy":  # JupyterLab's own keys for cells: none of them may get there
        keyboard.press(key)
    expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(cells)
    module.get_by_role("button", name="Revert file").focus()
    keyboard.press("Enter")
    expect(root.get_by_role("status")).to_have_text(f"Reverted: {MODULE}.")
    assert (work / MODULE).read_text() == BEFORE
    expect(module.get_by_role("button", name="Apply file")).to_be_focused()
    keyboard.press("Enter")
    expect(root.get_by_role("status")).to_have_text(f"Reapplied: {MODULE}.")
    assert (work / MODULE).read_text() == after
    root.get_by_role("button", name="Revert all").focus()
    keyboard.press("Enter")
    expect(root.get_by_role("status")).to_have_text("Reverted: 2 files.")
    assert (work / MODULE).read_text() == BEFORE
    assert not (work / NEW).exists()
    root.get_by_role("button", name="Undo").focus()
    keyboard.press("Enter")
    expect(root.get_by_role("status")).to_have_text("Reapplied: 2 files.")
    assert (work / MODULE).read_text() == after
    assert (work / NEW).exists()
    notebook.screenshot(kernel)
    assert notebook.console == []


def test_reverting_and_reapplying_a_hunk_keeps_the_users_edits(changed: Callable[..., Notebook], work: Path) -> None:
    notebook = changed("oc.diff()")
    root = view(notebook)
    module, status, path = file(root, MODULE), root.get_by_role("status"), work / MODULE
    after = path.read_text()

    def press(where: Locator, name: str, told: str, now: str) -> None:
        where.get_by_role("button", name=name).focus()
        notebook.page.keyboard.press("Enter")
        expect(status).to_have_text(told)
        assert path.read_text() == now

    gone, back = f"Reverted: change 1 of {MODULE}.", f"Reapplied: change 1 of {MODULE}."
    press(module, "Revert hunk", gone, BEFORE)
    press(module, "Apply hunk", back, after)
    press(root, "Undo", gone, BEFORE)
    press(root, "Redo", back, after)
    press(module, "Revert file", f"Reverted: {MODULE}.", BEFORE)
    press(module, "Apply file", f"Reapplied: {MODULE}.", after)
    path.write_text(f"# mine\n{after}")
    refused = (
        f"Not reverted: {MODULE}: it was changed since by someone else: you, another turn or another session. "
        "Its unchanged hunks can be reverted one by one: press Revert hunk."
    )
    press(module, "Revert file", refused, f"# mine\n{after}")
    expect(module.get_by_text("Not reverted")).to_be_in_viewport()
    notebook.screenshot("refused")
    press(module, "Revert hunk", gone, f"# mine\n{BEFORE}")
    assert notebook.console == []


def test_the_diff_fits_narrow_and_wide_pages_in_both_themes(changed: Callable[..., Notebook]) -> None:
    notebook = changed("oc.diff()")
    root = view(notebook)
    for theme in ("dark", "light"):
        notebook.set_theme(theme)
        for width in (1400, 800, 500):
            notebook.page.set_viewport_size({"width": width, "height": 900})
            root.scroll_into_view_if_needed()
            expect(root.get_by_role("tree", name="Changed files")).to_be_visible()
            assert root.evaluate("node => node.scrollWidth <= node.clientWidth")
            notebook.screenshot(f"{theme}-{width}")
    notebook.page.set_viewport_size({"width": 1280, "height": 900})
    root.get_by_role("button", name="Split").click()
    expect(file(root, MODULE).locator(".oc-pair").first).to_be_visible()
    notebook.screenshot("split")


def test_files_open_in_jupyterlab(changed: Callable[..., Notebook]) -> None:
    notebook = changed("oc.diff()")
    root = view(notebook)
    file(root, MODULE).get_by_role("link", name="Open file").click()
    expect(notebook.page.get_by_role("tab", name="temperatures.py")).to_be_visible(timeout=SHOW_TIMEOUT)


def test_a_changed_open_notebook_shows_a_warning_and_can_be_reloaded(
    changed: Callable[..., Notebook], work: Path, demo_model: DemoModel
) -> None:
    path = work / "notebook.ipynb"
    step = tool("bash", command=f"sed -i 's/oc.diff()/oc.diff()  # by the agent/' {path}", description="Edit it")
    notebook = changed("oc.diff()", more=(step,))
    assert "The agent changed this notebook, notebook.ipynb, on disk." in notebook.text(1)
    root = view(notebook)
    warning = root.get_by_role("alert")
    expect(warning).to_contain_text("File > Reload Notebook from Disk")
    notebook.screenshot("warned")
    warning.get_by_role("button", name="Reload Notebook from Disk").click()
    notebook.page.get_by_role("dialog").get_by_role("button", name="Reload").click()
    expect(notebook.editor(2)).to_contain_text("by the agent", timeout=SHOW_TIMEOUT)


def test_a_comment_is_sent_with_the_next_prompt_cell(changed: Callable[..., Notebook], demo_model: DemoModel) -> None:
    notebook = changed("%opencode diff", "%%prompt -o turn\nNow what?", "print(turn.prompt)")
    root = view(notebook)
    keyboard = notebook.page.keyboard
    file(root, MODULE).locator(".oc-added").first.hover()
    root.get_by_role("button", name="Comment on this line").click()
    keyboard.type("Guard against None, too. dd")
    keyboard.press("Control+Enter")
    expect(root.get_by_role("status")).to_contain_text("The next prompt will include your comment")
    expect(root.get_by_role("note")).to_contain_text("Guard against None")
    demo_model.queue([text("Guarded.")])
    notebook.run(3)
    assert f"of {MODULE}: Guard against None, too. dd" in notebook.run(4)
    expect(root.get_by_role("note")).to_have_count(0)


def test_a_saved_diff_is_readable_without_a_kernel(
    changed: Callable[..., Notebook], open_notebook: OpenNotebook
) -> None:
    notebook = changed("_.diff()")
    notebook.run(2)
    shown = notebook.output(2)
    expect(shown.get_by_text("2 files changed")).to_be_visible(timeout=SHOW_TIMEOUT)
    received = open_notebook(path=notebook.copy_for_a_stranger(), kernel=None)
    expect(received.output(2).get_by_text("32 + 1.8 * celsius")).to_be_visible()
    received.screenshot("static")
