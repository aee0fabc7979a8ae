"""The same on `opencode serve` and on `opencode acp`: a prompt, the panel, the diff. What differs stands in a table."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, gate, reason, text, tool
from tests.acp.backends import Lacking, lacking
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import TURN_TIMEOUT, ChatView
from tests.e2e.support_lab import Lab
from tests.support.browser import press_answer

MODULE = "src/temperatures.py"
BACKENDS = {"serve": ("", []), "acp": ("--acp", lacking())}
"""What `%opencode start` takes, and what is lacking."""


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_prompt_the_panel_and_the_diff_work(
    open_notebook: OpenNotebook, demo_model: DemoModel, lab: Lab, backend: str
) -> None:
    option, lacks = BACKENDS[backend]
    work = make_project(lab.root / f"backend-{backend}")
    file = work / MODULE
    edit = {"filePath": str(file), "oldString": "celsius * 9 / 5 + 32", "newString": "celsius * 1.8 + 32"}
    start = f"%load_ext opencode_nb\n%opencode start {option}"
    notebook = open_notebook([start, "%%prompt\nSimplify it", "%opencode diff", "%opencode chat"], directory=work)
    notebook.run(0)

    demo_model.queue(
        [
            [reason("I look first."), tool("read", filePath=str(file))],
            [tool("edit", **edit)],
            [text(["It is ", "simpler."])],
        ]
    )
    notebook.start(1)
    live = notebook.live_view(1)
    expect(live.locator('[data-part="reasoning"]')).to_contain_text("I look first.", timeout=TURN_TIMEOUT)
    expect(live.locator('[data-part="tool"][data-tool="read"]')).to_have_count(1)
    expect(live.locator('[data-part="permission"]')).to_contain_text("celsius * 1.8 + 32", timeout=TURN_TIMEOUT)
    press_answer(live.get_by_role("button", name="Allow once", exact=True))
    notebook.wait(1, timeout=TURN_TIMEOUT)
    output = notebook.output(1)
    expect(output).to_contain_text("It is simpler.")
    expect(output.locator(f'[data-file="{MODULE}"]')).to_contain_text("celsius * 1.8 + 32")
    assert "1.8" in file.read_text()

    notebook.run(2)
    diff = notebook.output(2).locator('.opencode-nb[data-view="diff"][data-key="root"]')
    diff.locator(f'details[data-file="{MODULE}"]').get_by_role("button", name="Revert file").click()
    expect(diff).to_contain_text("everted", timeout=TURN_TIMEOUT)
    assert "9 / 5" in file.read_text()

    notebook.run(3)
    panel = ChatView(notebook.page)
    panel.appears()
    panel.says("It is simpler.")
    demo_model.queue([[tool("bash", command="touch made")]])  # a refused call ends the turn
    panel.send("Make a file")
    press_answer(panel.button("Deny"), timeout=TURN_TIMEOUT)
    panel.rests()
    assert not (work / "made").exists()
    demo_model.queue([[text("I begin"), gate(backend)]])
    panel.send("Go on")
    panel.says("I begin")
    panel.button("Stop").click()
    panel.rests()
    demo_model.release(backend)
    notebook.screenshot("panel")
    for row in lacking():
        if row.control and (row in lacks or row.feature != "share"):  # nothing can be published from a test
            check_control(panel, row, is_lacking=row in lacks)
    assert notebook.console == []


def check_control(panel: ChatView, row: Lacking, *, is_lacking: bool) -> None:
    """It can be used, or is disabled and says why."""
    control = control_of(panel, row.control)
    if is_lacking:
        expect(control).to_be_disabled()
        expect(control).to_have_accessible_description(re.compile(re.escape(row.reason)))
    else:
        expect(control).to_be_enabled()
    panel.page.keyboard.press("Escape")


def control_of(panel: ChatView, name: str) -> Locator:
    if name == "Model":
        return panel.root.get_by_role("combobox", name=name)
    if name == "Kernel tools":
        panel.root.get_by_role("button", name=re.compile("^Kernel: ")).click()
        return panel.root.get_by_role("switch", name=name)
    if name in ("Undo", "Fork"):
        return panel.button(name)
    panel.button("More").click()
    return panel.root.get_by_role("menuitem", name=name, exact=True)
