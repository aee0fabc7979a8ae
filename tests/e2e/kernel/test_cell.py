"""The agent in the live kernel, in a real JupyterLab: it looks at values and runs code there, after a click."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, kernel_tool, text, tool
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import OPEN, ChatView
from tests.e2e.support_lab import KERNELS, Lab
from tests.e2e.support_notebook import Notebook
from tests.support.browser import press_answer

TURN_TIMEOUT = 60_000
"""Milliseconds for a step of a turn to show: a cold server and the first prompt of a directory take about 10,000."""

FRAME = (
    "%load_ext opencode_nb\nimport pandas as pd\nrain = pd.DataFrame({'month': range(1, 13), 'mm': range(30, 90, 5)})"
)
DRAW = "import matplotlib.pyplot as plt\nrain.plot('month', 'mm')\nplt.show()\ntotal = int(rain.mm.sum())\nrain.head(2)"
ENDLESS = "while True: pass"


@pytest.fixture
def work(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """A project inside what JupyterLab serves."""
    return make_project(lab.root / re.sub(r"\W+", "-", request.node.name))


@pytest.fixture
def notebook(open_notebook: OpenNotebook, work: Path) -> Callable[..., Notebook]:
    """Open a notebook in the project, with a frame in its kernel."""

    def open_(*cells: str, kernel: str = "7.4") -> Notebook:
        notebook = open_notebook([FRAME, *cells], kernel=kernel, directory=work)
        notebook.run(0)
        return notebook

    return open_


def images_of(model: DemoModel) -> int:
    """How many images the model has got with its last request."""
    return str(model.requests[-1]["messages"]).count("data:image/png;base64,")


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_cells_agent_looks_and_draws_and_its_work_is_undone(
    notebook: Callable[..., Notebook], demo_model: DemoModel, work: Path, kernel: str
) -> None:
    note = tool("write", filePath=str(work / "rain.md"), content="It rained.")
    draw = kernel_tool("python", code=DRAW)
    demo_model.queue([kernel_tool("inspect", name="rain"), [draw, note], [text("It rained.")]])
    page = notebook(
        "1 + 1",
        '%%prompt --permission \'{"edit": "allow"}\'\nDraw the rain',
        "(_.status, total, _2)",
        "%opencode undo\n'total' in globals()",
        kernel=kernel,
    )
    page.run(1)
    page.start(2)
    live = page.live_view(2)
    asked = live.locator('[data-part="permission"]')
    expect(asked).to_contain_text("rain.plot", timeout=TURN_TIMEOUT)
    expect(asked).to_contain_text("run Python code in your kernel")
    page.screenshot("asked")
    if kernel == "6.31":  # hears no click while the cell runs (docs/jupyter.md)
        page.answer(2, "y")
    else:
        press_answer(live.get_by_role("button", name="Allow once", exact=True))
    page.wait(2, timeout=TURN_TIMEOUT)
    output = page.output(2)
    expect(output).to_contain_text("It rained.")
    expect(output.get_by_role("img")).to_have_count(1)
    expect(output.get_by_role("table").first).to_contain_text("30")
    page.screenshot("done")
    assert "12 rows" in str(demo_model.requests[-2]["messages"][-1])
    assert images_of(demo_model) == 1
    assert page.run(3) == "('completed', 690, 2)"
    saved = page.save()
    assert saved.cells[2].execution_count == 3
    assert "data:image/png;base64," in str(saved.cells[2].outputs)
    assert (work / "rain.md").exists()
    assert "False" in page.run(4)
    assert not (work / "rain.md").exists()


def test_stop_ends_endless_code_and_the_kernel_goes_on(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    demo_model.queue([kernel_tool("python", code=ENDLESS)])
    page = notebook("%%prompt --permission allow\nGo on for ever", "_.status, len(rain)")
    page.start(1)
    expect(page.live_view(1).locator('[data-tool="python"][data-status="running"]')).to_be_visible(timeout=TURN_TIMEOUT)
    page.interrupt()
    page.wait(1, timeout=TURN_TIMEOUT)
    assert page.run(2) == "('aborted', 12)"


def test_a_panels_agent_runs_code_when_the_kernel_is_free(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    demo_model.queue([kernel_tool("python", code="seen = len(rain) + mine"), [text("Counted.")]])
    page = notebook(OPEN, "import time\nmine = 0\nfor _ in range(20):\n    time.sleep(0.1)\nmine = 30", "seen")
    page.run(1)
    view = ChatView(page.page)
    view.appears()
    view.root.get_by_role("button", name="Kernel: tools on, privacy full").click()
    view.root.get_by_role("combobox", name="Code it runs").select_option("below: in new cells below as well")
    page.start(2)
    view.send("Count the rows")
    press_answer(view.button("Allow once"), timeout=TURN_TIMEOUT)
    view.says("Counted.")
    view.rests()
    page.wait(3)
    assert page.run(4) == "42"
    assert page.save().cells[2].source == "seen = len(rain) + mine"  # below the panel, which had the focus


PUBLISH = """
import opencode_nb as oc

@oc.tool
def publish(name: str) -> str:
    "Publish a frame."
    return f"published {name}" if oc.confirm(f"Publish {name}?") else "kept"
"""
ANSWERED = "published rain"


def answer_yes(view: Locator) -> None:
    """Answer the function's question in the page."""
    form = view.get_by_role("group", name="Answer needed")
    expect(form).to_contain_text("The function publish asks", timeout=TURN_TIMEOUT)
    expect(form).to_contain_text("Publish rain?")
    form.get_by_role("radio", name="Yes").check()
    press_answer(form.get_by_role("button", name="Answer", exact=True))


def test_a_function_that_a_cells_agent_calls_asks_in_the_page(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    demo_model.queue([kernel_tool("publish", name="rain"), text("Done.")])
    page = notebook(PUBLISH, '%%prompt --permission \'{"publish": "allow"}\'\nPublish it', "_.tools[0].output")
    page.run(1)
    page.start(2)
    answer_yes(page.live_view(2))
    page.wait(2, timeout=TURN_TIMEOUT)
    assert page.run(3) == f"'{ANSWERED}'"


def test_a_function_that_a_panels_agent_calls_is_allowed_and_asks_there(
    notebook: Callable[..., Notebook], demo_model: DemoModel
) -> None:
    demo_model.queue([kernel_tool("publish", name="rain"), text("All is done.")])
    page = notebook(OPEN, PUBLISH)
    page.run(1)
    page.run(2)
    view = ChatView(page.page)
    view.appears()
    view.send("Publish it")
    press_answer(view.button("Allow once"), timeout=TURN_TIMEOUT)
    answer_yes(view.root)
    view.says("All is done.")
    view.rests()
    assert ANSWERED in str(demo_model.requests[-1]["messages"][-1])
