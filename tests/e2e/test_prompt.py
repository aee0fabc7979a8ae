"""%%prompt in a real JupyterLab on the promised kernels: from a cell's text to pixels, and back by clicks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, gate, reason, text, tool
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook
from tests.support.browser import press_answer

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
    live = page.live_view(1)
    expect(live.locator('[data-part="text"]')).to_contain_text("Streamed before the end.", timeout=TURN_TIMEOUT)
    expect(live.locator('[data-part="text"] strong')).to_have_text("before")
    expect(live.locator('[data-part="reasoning"]')).to_contain_text("I should look first.")
    if kernel in PATCHING_KERNELS:
        expect(live.get_by_role("button", name="Stop")).to_be_visible()
    assert page.running(1)
    demo_model.release(f"{kernel}-1")
    ask = live.locator('[data-part="permission"]')
    expect(ask).to_contain_text("temperatures.py", timeout=TURN_TIMEOUT)
    expect(ask).to_contain_text("celsius * 1.8 + 32")
    page.screenshot("asked")
    if kernel in PATCHING_KERNELS:
        press_answer(live.get_by_role("button", name="Allow once", exact=True))
    else:
        expect(ask).to_contain_text("Answer in the input box")
        expect(live.get_by_role("button")).to_have_count(0)
        page.answer(1, "y")
    page.wait(1, timeout=TURN_TIMEOUT)
    assert "1.8" in (work / "src/temperatures.py").read_text()
    expect(page.live_view(1)).to_have_count(0)
    output = page.output(1)
    expect(output).to_contain_text("The formula is simpler now.")
    expect(output).to_contain_text("celsius * 1.8 + 32")
    assert page.run(2) == "('Turn', 'completed')"
    page.screenshot("done")
    assert page.console == []


STOP_TIMEOUT = 30_000
"""Milliseconds; on an idle machine the cell has ended within a second, as the printed time shows."""


@pytest.mark.parametrize(
    ("kernel", "how"),
    [*((kernel, "interrupt") for kernel in KERNELS), *((kernel, "button") for kernel in PATCHING_KERNELS)],
)
def test_stop_keeps_the_partial_text_and_the_server_is_idle(
    notebook: Callable[..., Notebook], demo_model: DemoModel, kernel: str, how: str
) -> None:
    name = f"stop-{kernel}-{how}"
    demo_model.queue([[text("The partial text "), gate(name)]])
    status = (
        "ai = get_ipython().user_ns['turn'].session.owner; dict(ai.client.session.status()), turn.status, turn.text"
    )
    page = notebook("%%prompt -o turn\ngo", status, "%%prompt\nhello", kernel=kernel)
    page.start(1)
    expect(page.live_view(1).locator('[data-part="text"]')).to_contain_text("The partial text", timeout=TURN_TIMEOUT)
    stop = page.interrupt if how == "interrupt" else page.live_view(1).get_by_role("button", name="Stop").click
    started = page.page.evaluate("performance.now()")
    stop()
    page.wait(1, timeout=STOP_TIMEOUT)
    print(f"stopped after {page.page.evaluate('performance.now()') - started:.0f} ms ({how}, ipykernel {kernel})")
    expect(page.output(1)).to_contain_text("The partial text")
    demo_model.release(name)
    assert page.run(2) == "({}, 'aborted', 'The partial text ')"
    page.run(3)
    expect(page.output(3)).to_contain_text("scripted demo")


def test_a_saved_turn_is_static_readable_and_carries_its_provenance(
    notebook: Callable[..., Notebook], open_notebook: OpenNotebook, demo_model: DemoModel, work: Path
) -> None:
    demo_model.queue(edit_script(work, "saved"))
    demo_model.release("saved-1")
    page = notebook("%%prompt --permission allow\nSimplify the formula")
    page.run(1)
    page.set_theme("dark")
    page.screenshot("dark")
    saved = page.save()
    outputs = saved.cells[1].outputs
    assert "widgets" not in saved.metadata
    assert "application/vnd.jupyter.widget-view+json" not in json.dumps(saved)
    assert [output.output_type for output in outputs] == ["stream", "execute_result"]
    assert set(outputs[1].data) == {"text/html", "text/markdown", "text/plain"}
    provenance = outputs[1].metadata["opencode_nb"]
    assert provenance["model"] == "demo/demo"
    assert provenance["session"].startswith("ses_")
    assert provenance["tokens"]["output"] > 0
    for wanted in ("I should look first.", "The formula is simpler now.", "src/temperatures.py", "celsius * 1.8 + 32"):
        assert wanted in outputs[1].data["text/markdown"]
    html, _ = HTMLExporter().from_notebook_node(nbformat.read(page.path, as_version=4))
    (page.path.parent / "converted.html").write_text(html)
    received = open_notebook(path=page.copy_for_a_stranger(), kernel=None)
    assert_readable(received.output(1))
    converted = page.page.context.new_page()
    converted.goto((page.path.parent / "converted.html").as_uri())
    assert_readable(converted.locator("body"))
    converted.close()


def assert_readable(where: Locator) -> None:
    """Text, reasoning, tool calls and diff are there, and can be seen when unfolded."""
    expect(where).to_contain_text("The formula is simpler now.")
    thought = where.locator("details", has_text="I should look first.").first
    thought.locator("summary").first.click()
    expect(thought.get_by_text("I should look first.")).to_be_visible()
    expect(where).to_contain_text("Explored 1 read")
    expect(where.locator("details", has_text="Edit").last).to_contain_text("celsius * 1.8 + 32")
