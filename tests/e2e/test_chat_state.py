"""The chat panel in a real JupyterLab: whatever happens to page, kernel, stream or server, it shows what is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, gate, reason, text, tool
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook

TURN_TIMEOUT = 30_000
"""Milliseconds for a step of a turn to show."""

OPEN = "import opencode_nb as oc\npanel = oc.chat()\npanel"
COMPUTE = (
    "import time\nend = time.time() + 600\nwhile time.time() < end and not globals().get('enough'): sum(range(1000))"
)

Panels = Callable[..., "Panel"]


class Panel:
    """A panel in a notebook's first cell, as a person finds it."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.roots = self.page.locator('.opencode-nb[data-view="chat"]')

    @property
    def root(self) -> Locator:
        return self.roots.first

    @property
    def message(self) -> Locator:
        return self.root.get_by_role("textbox", name="Message")

    @property
    def log(self) -> Locator:
        return self.root.get_by_role("log")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def send(self, words: str) -> None:
        self.message.fill(words)
        self.message.press("Enter")

    def says(self, words: str) -> None:
        expect(self.log).to_contain_text(words, timeout=TURN_TIMEOUT)

    def rests(self) -> None:
        """Wait until the turn has ended."""
        expect(self.button("Stop")).to_be_hidden(timeout=TURN_TIMEOUT)


@pytest.fixture
def panel(open_notebook: OpenNotebook, lab: Lab, request: pytest.FixtureRequest) -> Panels:
    """Open a notebook in a project, and a panel in its first cell; more cells stand below."""

    def open_(*cells: str, kernel: str = "7.4", code: str = OPEN) -> Panel:
        work: Path = make_project(lab.root / re.sub(r"\W+", "-", request.node.name))
        notebook = open_notebook([code, *cells], directory=work, kernel=kernel)
        notebook.run(0)
        panel = Panel(notebook)
        expect(panel.message).to_be_visible(timeout=TURN_TIMEOUT)
        return panel

    return open_


def test_a_conversation_with_permission_goes_on_while_a_cell_computes(panel: Panels, demo_model: DemoModel) -> None:
    demo_model.queue(
        [[tool("bash", command="echo allowed", description="Say it")], [text("It said so."), gate("cell")]]
    )
    shown = panel(COMPUTE, "enough = True")
    shown.notebook.start(1)
    shown.notebook.wait_until_running(1)
    shown.send("Say it")
    shown.button("Allow once").click(timeout=TURN_TIMEOUT)
    shown.says("It said so.")
    assert shown.notebook.running(1)
    demo_model.release("cell")
    shown.rests()
    shown.notebook.interrupt()
    shown.notebook.wait(1)
    assert shown.notebook.console == []
