"""A prompt on one line among other code, and Tab in a prompt, in a real JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, gate, text
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook
from tests.support.browser import press_answer

TURN_TIMEOUT = 90_000
"""Milliseconds for a step of a turn to show: a cold server and the first prompt of a directory take about 10,000."""

REPLY = 2_000
"""Milliseconds until the next press: JupyterLab gives up on a reply after half of it."""

PRESSES = 30
"""Times to press Tab until a server that starts is ready."""

COMPLETE = """
    code => jupyterapp.shell.currentWidget.sessionContext.session.kernel
        .requestComplete({code, cursor_pos: code.length}).then(reply => reply.content.matches)
"""


@pytest.fixture
def work(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """A project inside what JupyterLab serves."""
    return make_project(lab.root / re.sub(r"\W+", "-", request.node.name))


@pytest.fixture
def notebook(open_notebook: OpenNotebook, work: Path) -> Callable[..., Notebook]:
    """Open a notebook in the project, with the extension loaded."""

    def open_(*cells: str) -> Notebook:
        notebook = open_notebook(["%load_ext opencode_nb", *cells], directory=work)
        notebook.run(0)
        return notebook

    return open_


def test_a_line_streams_and_stays_in_its_place(notebook: Callable[..., Notebook], demo_model: DemoModel) -> None:
    demo_model.queue([[text("Live "), gate("one-line"), text("and done.")]])
    twice = "%prompt Say exactly: the first\nfor n in range(2):\n    %prompt Say exactly: the next"
    page = notebook(
        "print('above')\nx = %prompt what's this?\nprint('below:', x.text)", "%prompt Say exactly: what is that?", twice
    )
    page.start(1)
    live = page.live_view(1)
    expect(live.locator('[data-part="text"]')).to_contain_text("Live", timeout=TURN_TIMEOUT)
    assert "above" in page.text(1)
    page.screenshot("live")
    demo_model.release("one-line")
    page.wait(1, timeout=TURN_TIMEOUT)
    expect(live).to_have_count(0)
    shown = page.text(1)
    assert shown.index("above") < shown.index("Live and done.") < shown.index("below: Live and done.")
    page.run(2, timeout=TURN_TIMEOUT)
    expect(page.output(2)).to_contain_text("what is that?")
    page.run(3, timeout=TURN_TIMEOUT)
    assert [page.text(3).count(said) for said in ("the first", "the next")] == [1, 2]
    page.screenshot("done")
    outputs = [output for cell in page.save().cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    assert [output.output_type for output in outputs if "text/html" in output.get("data", {})] == [
        "display_data",
        "execute_result",
        *(["display_data"] * 3),
    ]
    assert page.console == []


def test_tab_completes_options_and_prose(notebook: Callable[..., Notebook], demo_model: DemoModel) -> None:
    page = notebook("frame, frames = 1, 2", "", "%opencode new Winter report\n%opencode new Summer", "")
    page.run(1)
    offers = page.page.locator(".jp-Completer-item")

    def tab(index: int, typed: str, then: str | re.Pattern[str] | Locator) -> None:
        """Type at the end of a cell, and press Tab until its text is this, or this shows."""
        page.editor(index).click()
        page.page.keyboard.press("ControlOrMeta+End")
        page.page.keyboard.insert_text(typed)
        for _press in range(PRESSES):
            page.page.keyboard.press("Tab")
            try:
                if isinstance(then, Locator):
                    expect(then).to_be_visible(timeout=REPLY)
                else:
                    expect(page.editor(index)).to_have_text(then, timeout=REPLY)
            except AssertionError:
                continue
            return
        pytest.fail(f"Tab after {typed!r} gives {page.editor(index).inner_text()!r}")

    tab(2, "%%prompt -m gpt", "%%prompt -m demo/demo-gpt-5")
    tab(2, "\nlook at @src/tempera", "%%prompt -m demo/demo-gpt-5look at @src/temperatures.py")
    prose = "%%prompt -m demo/demo-gpt-5\nlook at fra"
    assert page.page.evaluate(COMPLETE, prose) == []
    assert "frames" in page.page.evaluate(COMPLETE, "fra")
    tab(2, ", @fra", offers.filter(has_text="frames"))
    expect(offers).to_have_count(2)
    page.screenshot("variables")
    page.page.keyboard.press("Escape")
    page.run(3, timeout=TURN_TIMEOUT)
    tab(4, "%%prompt -s ", offers.filter(has_text="winter\N{NO-BREAK SPACE}report"))
    page.screenshot("sessions")
    offers.filter(has_text="winter\N{NO-BREAK SPACE}report").click()
    expect(page.editor(4)).to_have_text(re.compile(r"^%%prompt -s ses_\w+$"))
    tab(4, "\n/ini", re.compile(r"^%%prompt -s ses_\w+/init$"))
    assert page.console == []


def test_a_cell_is_allowed_by_a_click_to_run_code_and_to_verify(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    """Neither asks within a turn: the card stands below the answer, or alone, while the cell waits."""
    demo_model.queue(text("```python\ndouble = 2 * half\n```"))
    page = notebook("half = 21", "%%opencode --run Double it\nhalf", "double", "%opencode verify")
    page.run(1)
    allow = page.page.get_by_role("button", name="Allow once", exact=True)
    page.start(2)
    card = page.output(2).get_by_role("group", name="Permission needed")
    expect(card).to_contain_text("double = 2 * half", timeout=TURN_TIMEOUT)
    expect(card.get_by_role("button", name="Allow always")).to_have_count(0)
    page.screenshot("asks")
    press_answer(allow)
    page.wait(2)
    assert page.run(3).strip().endswith("42")
    page.start(4)
    card = page.output(4).get_by_role("group", name="Permission needed")
    expect(card).to_contain_text("run the cells of a notebook in a fresh kernel", timeout=TURN_TIMEOUT)
    press_answer(allow)
    page.wait(4, timeout=TURN_TIMEOUT)
    assert "notebook.ipynb" in page.text(4)
    expect(page.page.get_by_role("group", name="Permission needed")).to_have_count(0)
    assert "application/vnd.jupyter.widget-view+json" not in str(page.save())
