"""The live view in a real JupyterLab beside other things that people do: keys, second views, scrolling, reloading."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.demo.content import QUESTIONS
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import OPEN_TIMEOUT, Notebook
from tests.support.browser import press_answer

TURN_TIMEOUT = 30_000
"""Milliseconds for a step of a turn to show."""

LINES = 40
LONG = "A line of a long answer.\n\n" * LINES

WATCH_HEIGHT = """
const cell = document.querySelectorAll(".jp-Notebook .jp-Cell")[2];
window.heights = [];
(function look() {
  window.heights.push(cell.getBoundingClientRect().height);
  requestAnimationFrame(look);
})();
"""


@pytest.fixture
def notebook(open_notebook: OpenNotebook, lab: Lab, request: pytest.FixtureRequest) -> Callable[..., Notebook]:
    """Open a notebook in a project, with the extension loaded and these cells."""

    def open_(*cells: str) -> Notebook:
        work: Path = make_project(lab.root / re.sub(r"\W+", "-", request.node.name))
        notebook = open_notebook(["%load_ext opencode_nb", *cells], directory=work)
        notebook.run(0)
        return notebook

    return open_


def views(notebook: Notebook) -> Locator:
    return notebook.page.locator('.opencode-nb[data-view="turn"][data-key="root"]')


def test_requests_can_be_answered_with_the_keyboard_alone(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    """JupyterLab has shortcuts on letters, arrows and Enter: here they do what they do in any form."""
    demo_model.queue(
        [
            [tool("bash", command="echo allowed", description="Say it")],
            [tool("question", questions=QUESTIONS)],
            [text("Thank you.")],
        ]
    )
    page = notebook("%%prompt -o turn\ngo", "[call.metadata.get('answers') for call in turn.tools]")
    page.start(1)
    live, keyboard = views(page), page.page.keyboard
    allow = live.get_by_role("button", name="Allow once")
    expect(allow).to_be_visible(timeout=TURN_TIMEOUT)
    allow.focus()
    keyboard.press("Enter")
    choice = live.get_by_label("CSV")
    expect(choice).to_be_visible(timeout=TURN_TIMEOUT)
    choice.focus()
    keyboard.press("ArrowDown")
    expect(live.get_by_label("Parquet")).to_be_checked()
    live.get_by_label("Type your own answer").last.focus()
    keyboard.type("abdd 00 xyz")
    keyboard.press("Enter")
    page.wait(1, timeout=TURN_TIMEOUT)
    assert page.page.locator(".jp-Notebook .jp-Cell").count() == 3
    assert page.run(2) == "[None, [['Parquet'], ['abdd 00 xyz']]]"


def test_a_request_below_the_fold_is_told_at_the_top_and_stays_on_its_card(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    demo_model.queue([[text(LONG), tool("bash", command="echo allowed", description="Say it")], [text("Done.")]])
    page = notebook("%%prompt\ngo")
    page.start(1)
    told = page.page.get_by_role("region", name="Out of sight below")
    expect(told).to_contain_text("Permission needed bash", timeout=TURN_TIMEOUT)
    expect(told).to_be_in_viewport()
    page.screenshot("below")
    told.get_by_role("button", name="Go to the request", exact=True).click()
    expect(told).to_be_hidden()
    allow = views(page).get_by_role("button", name="Allow once", exact=True)
    expect(allow).to_be_in_viewport()
    press_answer(allow)
    page.wait(1, timeout=TURN_TIMEOUT)
    expect(page.output(1).locator('[data-tool="bash"] > summary')).to_contain_text("You allowed once")


def test_a_second_view_shows_the_turn_from_its_start(notebook: Callable[..., Notebook], demo_model: DemoModel) -> None:
    demo_model.queue([[text("First words. "), gate("view-1"), text("Second words."), gate("view-2")]])
    page = notebook("%%prompt\ngo")
    output = page.start(1)
    expect(views(page)).to_contain_text("First words.", timeout=TURN_TIMEOUT)
    output.click(position={"x": 300, "y": 5})
    page.page.evaluate("jupyterapp.commands.execute('notebook:create-output-view')")
    expect(views(page)).to_have_count(2, timeout=TURN_TIMEOUT)
    expect(views(page).nth(1)).to_contain_text("First words.", timeout=TURN_TIMEOUT)
    demo_model.release("view-1")
    for number in range(2):
        expect(views(page).nth(number)).to_contain_text("First words. Second words.", timeout=TURN_TIMEOUT)
    page.screenshot("two")
    demo_model.release("view-2")
    page.wait(1, timeout=TURN_TIMEOUT)
    expect(views(page)).to_have_count(0)
    expect(page.page.locator(".jp-OutputArea-output").filter(has_text="First words. Second words.")).to_have_count(2)
    assert page.console == []


def test_the_cell_does_not_shrink_when_its_turn_ends(notebook: Callable[..., Notebook], demo_model: DemoModel) -> None:
    """The final output takes the live view's place with nothing in between, or the page would jump.

    A kernel's first turn is not looked at: it tells the model anew in a message of its own, and the page may paint
    between that one and the next.
    """
    demo_model.queue([[text("Ready.")], [text(LONG), gate("shrink")]])
    page = notebook("%%prompt\nfirst", "%%prompt\ngo")
    page.run(1)
    page.start(2)
    expect(views(page).locator("p")).to_have_count(LINES, timeout=TURN_TIMEOUT)  # it grows until then
    page.page.evaluate(WATCH_HEIGHT)
    demo_model.release("shrink")
    page.wait(2, timeout=TURN_TIMEOUT)
    expect(views(page)).to_have_count(0)
    heights = page.page.evaluate("heights")
    assert min(heights) > 0.9 * max(heights)


def test_a_page_reloaded_during_a_turn_shows_what_was_said_and_can_stop_it(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    """Such a page has lost the cell's later output for good (JupyterLab), but neither the turn nor the session."""
    demo_model.queue([[text("The partial text"), gate("reload")]])
    page = notebook("%%prompt -o turn\ngo", "turn.status, turn.text", "%%prompt\nhello")
    page.start(1)
    expect(views(page)).to_contain_text("The partial text", timeout=TURN_TIMEOUT)
    page.wait_until_it_holds("The partial text")
    page.save()
    page.reload(kernel_up=False)
    expect(page.output(1)).to_contain_text("The partial text")
    page.interrupt()
    page.page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'", timeout=OPEN_TIMEOUT
    )
    demo_model.release("reload")
    assert page.run(2) == "('aborted', 'The partial text')"
    page.run(3)
    expect(page.output(3)).to_contain_text("scripted demo")


def test_what_was_said_stays_in_the_notebook_of_a_kernel_that_is_killed(
    notebook: Callable[..., Notebook], open_notebook: OpenNotebook, demo_model: DemoModel
) -> None:
    demo_model.queue([[text("Said before the end."), gate("killed")]])
    page = notebook("import os\nprint(os.getpid())", "%%prompt\ngo")
    pid = int(page.run(1))
    page.start(2)
    expect(views(page)).to_contain_text("Said before the end.", timeout=TURN_TIMEOUT)
    page.wait_until_it_holds("Said before the end.")
    os.kill(pid, signal.SIGKILL)
    demo_model.release("killed")
    expect(page.output(2).get_by_role("alert").filter(has_text="This view is disconnected.")).to_be_visible()
    page.page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    output = page.save().cells[2].outputs[-1]
    assert "application/vnd.jupyter.widget-view+json" not in output.data
    received = open_notebook(path=page.copy_for_a_stranger(), kernel=None)
    for words in ("Said before the end.", "The kernel ended before this turn did."):
        expect(received.output(2)).to_contain_text(words)
