"""A long answer in a real JupyterLab: all of it arrives, and what that costs is near the size of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import WebSocket, expect

from opencode_nb.demo import DemoModel, gate, text, tool
from opencode_nb.render.markdown.convert import to_html
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook
from tests.render.markdown.corpus import long_document

LENGTH, DELTAS = 100_000, 5_000
TURN_TIMEOUT = 60_000
"""Milliseconds for the turn to begin or to end; the whole answer takes about 5,000 on an idle machine."""

SHARE = 3
"""How many times the bytes of the finished page may be sent to it while the answer streams."""

COUNT_CPU = """
import os, resource
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
started = cpu()
"""

WATCH_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((entry) => entry.duration)))
  .observe({ type: "longtask" });
"""


class Frames:
    """What the kernel sends to the page about widgets: bytes as the page's sockets see them."""

    def __init__(self, notebook: Notebook) -> None:
        self.messages: list[bytes] = []
        self._page = notebook.page
        self._page.on("websocket", self._follow)

    def close(self) -> None:
        """Do not follow the sockets that are opened from now on."""
        self._page.remove_listener("websocket", self._follow)

    def _follow(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._take)

    def _take(self, payload: str | bytes) -> None:
        data = payload.encode() if isinstance(payload, str) else payload
        if b'"comm_msg"' in data[:2000] or b'"comm_open"' in data[:2000]:
            self.messages.append(data)

    @property
    def size(self) -> int:
        """Bytes of all frames so far."""
        return sum(map(len, self.messages))


@pytest.fixture
def work(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """A project inside what JupyterLab serves."""
    return make_project(lab.root / re.sub(r"\W+", "-", request.node.name))


@pytest.fixture
def answer() -> str:
    """An answer with prose, code, tables, long lists and characters from all over Unicode."""
    return long_document(LENGTH - 40) + "\n\nThe very last words: 𝓐 😀 ünïcödé ✓\n"


def text_of(notebook: Notebook, html: str) -> str:
    """What the browser makes of markup."""
    script = (
        "html => { const t = document.createElement('template'); t.innerHTML = html; return t.content.textContent }"
    )
    return str(notebook.page.evaluate(script, html))


def test_every_character_of_a_long_answer_arrives(
    open_notebook: OpenNotebook, demo_model: DemoModel, work: Path, answer: str
) -> None:
    size = -(-len(answer) // DELTAS)
    deltas = [answer[start : start + size] for start in range(0, len(answer), size)]
    first = [gate("stream-begin"), text(deltas, pace=0), tool("glob", pattern="*.md")]
    demo_model.queue([first, [gate("stream-end"), text("Done.")]])
    cells = ["%load_ext opencode_nb", COUNT_CPU, "%%prompt -o turn\ngo", "print(round(cpu() - started, 2))"]
    notebook = open_notebook(cells, directory=work)
    notebook.run(0)
    frames = Frames(notebook)
    notebook.reload()  # sockets are seen from their beginning on
    notebook.run(1)
    notebook.page.evaluate(WATCH_TASKS)
    notebook.start(2)
    expect(notebook.output(2).get_by_role("button", name="Stop")).to_be_visible(timeout=TURN_TIMEOUT)
    before = notebook.page.evaluate("performance.now()")
    demo_model.release("stream-begin")
    live = notebook.output(2).locator('[data-key="root"] [data-part="text"]')
    expect(live).to_contain_text("The very last words: 𝓐 😀 ünïcödé ✓", timeout=TURN_TIMEOUT)
    seconds = (notebook.page.evaluate("performance.now()") - before) / 1000
    expect(notebook.output(2).locator('[data-tool="glob"]')).to_be_attached(timeout=TURN_TIMEOUT)
    assert notebook.running(2)
    assert live.text_content() == text_of(notebook, to_html(answer))
    demo_model.release("stream-end")
    notebook.wait(2, timeout=TURN_TIMEOUT)
    final = notebook.save().cells[2].outputs[-1].data["text/html"]
    print(f"{LENGTH} characters in {len(deltas)} deltas took {seconds:.1f} s to the page")
    print(f"kernel CPU {notebook.run(3)} s, of which one rendering of the whole is a part")
    print(f"long tasks in the page: {[round(ms) for ms in notebook.page.evaluate('longTasks')]} ms")
    frames.close()
    page = len(final.encode())
    print(f"{len(frames.messages)} frames of {frames.size} bytes: {frames.size / page:.2f} x the final HTML")
    assert frames.size <= SHARE * page
    assert not notebook.console
