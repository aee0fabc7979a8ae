"""%%prompt in a real JupyterLab on the promised kernels: from a cell's text to pixels, and back by clicks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, gate, reason, text, tool
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook

PATCHING_KERNELS = ["7.4", "7.3"]
"""Kernels on which a page is heard while a cell blocks."""
KERNELS = [*PATCHING_KERNELS, "6.31"]
TURN_TIMEOUT = 30_000
"""Milliseconds for a step of a turn to show: a cold server and the first prompt of a directory take about 10,000."""


@pytest.fixture
def work(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """A project inside what JupyterLab serves."""
    return make_project(lab.root / re.sub(r"\W+", "-", request.node.name))


@pytest.fixture
def notebook(open_notebook: OpenNotebook, work: Path) -> Callable[..., Notebook]:
    """Open a notebook in the project, with the extension loaded and a cell for each prompt."""

    def open_(*prompts: str, kernel: str = "7.4") -> Notebook:
        notebook = open_notebook(["%load_ext opencode_nb", *prompts], kernel=kernel, directory=work)
        notebook.run(0)
        return notebook

    return open_


def view(notebook: Notebook, cell: int) -> Locator:
    """The live view of a cell's turn; its static form is no widget, and has no keys."""
    return notebook.output(cell).locator('.opencode-nb[data-view="turn"][data-key="root"]')


EDIT = {"filePath": "src/temperatures.py", "oldString": "celsius * 9 / 5 + 32", "newString": "celsius * 1.8 + 32"}


def edit_script(work: Path, name: str) -> list[list[object]]:
    path = str(work / "src/temperatures.py")
    return [
        [
            reason("I should look first."),
            text("Streamed **before** the end. "),
            gate(f"{name}-1"),
            tool("read", filePath=path),
        ],
        [tool("edit", **{**EDIT, "filePath": path})],
        [text(["The formula ", "is simpler now."])],
    ]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_turn_streams_asks_and_ends_as_static_output(
    notebook: Callable[..., Notebook], demo_model: DemoModel, work: Path, kernel: str
) -> None:
    demo_model.queue(edit_script(work, kernel))
    page = notebook("%%prompt -o turn\nSimplify the formula", "type(turn).__name__, turn.status", kernel=kernel)
    page.start(1)
    live = view(page, 1)
    expect(live.locator('[data-part="text"]')).to_contain_text("Streamed before the end.", timeout=TURN_TIMEOUT)
    expect(live.locator('[data-part="text"] strong')).to_have_text("before")
    expect(live.locator('[data-part="reasoning"]')).to_contain_text("I should look first.")
    expect(live.get_by_role("button", name="Stop")).to_be_visible()
    assert page.running(1)
    demo_model.release(f"{kernel}-1")
    ask = live.locator('[data-part="permission"]')
    expect(ask).to_contain_text("temperatures.py", timeout=TURN_TIMEOUT)
    expect(ask).to_contain_text("celsius * 1.8 + 32")
    page.screenshot("asked")
    if kernel in PATCHING_KERNELS:
        live.get_by_role("button", name="Allow once").click()
    else:
        page.answer(1, "y")
    page.wait(1, timeout=TURN_TIMEOUT)
    assert "1.8" in (work / "src/temperatures.py").read_text()
    expect(view(page, 1)).to_have_count(0)
    output = page.output(1)
    expect(output).to_contain_text("The formula is simpler now.")
    expect(output).to_contain_text("celsius * 1.8 + 32")
    assert page.run(2) == "('Turn', 'completed')"
    page.screenshot("done")
    assert page.console == []
