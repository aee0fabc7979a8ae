"""Compare a diff of 500 files with one of 5 in a real browser: first paint, switching files, and kernel memory.

    python -m benchmarks.diff [FILES [LINES]]

Each file has LINES changed lines (default: 100), so 500 files have 50,000. The same page shows both diffs alternately,
several times in one run, so that the ratios do not depend on the machine. Measures the time from the call that creates
the view until the first file's lines are painted, and from clicking a file in the tree until its lines are painted.
Memory is what Python holds after every file was shown. Exits with 1 if a goal is missed.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import comm
from comm.base_comm import BaseComm
from playwright.async_api import Page, async_playwright

from opencode_nb.changes.diff import Diff
from opencode_nb.diffs.change import Change, known
from opencode_nb.widgets import assets
from opencode_nb.widgets.diff import DiffView
from tests.support.browser import ARGUMENTS, program
from tests.widgets.conftest import MODEL

FEW, MANY, LINES = 5, 500, 100
ROUNDS = 3
SWITCHES = 8
GOAL = 3.0  # times the few

PAGE = """
async (source) => {
  window.show = () => {
    document.body.replaceChildren();
    window.model = makeModel();
    model.send = toKernel;
    window.painted = (test) => new Promise((resolve) => {
      const look = () => (test() ? requestAnimationFrame(() => setTimeout(resolve)) : requestAnimationFrame(look));
      look();
    });
    window.isThere = (section) => section?.querySelector(".oc-body [data-at]");
    window.dispose?.();
    window.controller = new AbortController();
    window.dispose = () => controller.abort();
    widget.render({ model, el: document.body.appendChild(document.createElement("div")), signal: controller.signal });
  };
  window.widget = await load(source);
}
"""
FIRST = "painted(() => isThere(document.querySelector('.oc-section')))"
SWITCH = """async (index) => {
  const start = performance.now();
  document.querySelector(`[data-goto="${index}"] .oc-item`).click();
  await painted(() => isThere(document.querySelector(`.oc-section[data-index="${index}"]`)));
  return performance.now() - start;
}"""


class Kernel:
    """Comms that exchange messages with the page directly, without a server."""

    def __init__(self, page: Page) -> None:
        self._page, self._loop = page, asyncio.get_running_loop()
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._comm: BaseComm | None = None
        comm.create_comm = self._make
        self._task = asyncio.create_task(self._forward())

    def _make(self, **arguments: Any) -> BaseComm:
        kernel = self

        class PageComm(BaseComm):
            def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
                if "_esm" in (data or {}).get("state", {}):
                    kernel._comm = self
                if self is kernel._comm:
                    kernel._loop.call_soon_threadsafe(kernel._queue.put_nowait, json.loads(json.dumps(data)))

        return PageComm(**arguments)

    async def _forward(self) -> None:
        while True:
            data = await self._queue.get()
            if data.get("method") == "custom":
                await self._page.evaluate("content => model.tell('msg:custom', content, [])", data["content"])
            elif "snapshot" in (data.get("state") or {}):
                await self._page.evaluate("value => model.set('snapshot', value)", data["state"]["snapshot"])

    def close(self) -> None:
        """Stop sending messages to the page."""
        self._task.cancel()

    def receive(self, content: dict[str, Any]) -> None:
        """Receive a message from the page."""
        if self._comm is not None:
            body = {"comm_id": self._comm.comm_id, "data": {"method": "custom", "content": content}}
            comm.get_comm_manager().comm_msg(None, None, {"content": body, "buffers": []})


def make_diff(root: Path, files: int, lines: int) -> Diff:
    """Make a diff of Python files in several directories; half of the changed lines are removed, half added."""
    chance = random.Random(1)
    changes = []
    for number in range(files):
        path = f"package_{number % 20:02}/module_{number:03}.py"
        old = [f"    value_{i} = compute({i}, 'text {chance.random()}')\n" for i in range(2 * lines)]
        new = [line.replace("compute", "measure") if i % 4 == 0 else line for i, line in enumerate(old)]
        before, after = (f"def f():\n{''.join(text)}".encode() for text in (old, new))
        changes.append(Change(path, known(before), known(after), additions=lines // 2, deletions=lines // 2))
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(after)
    return Diff(changes, root, "made up")


async def first_paint(page: Page, diff: Diff) -> tuple[float, DiffView]:
    """Return the milliseconds until the first file is painted, and the view."""
    await page.evaluate("show()")
    start = time.perf_counter()
    view = await asyncio.to_thread(DiffView, diff)
    await page.evaluate(FIRST)
    return (time.perf_counter() - start) * 1000, view


async def measure(page: Page, diff: Diff) -> tuple[float, list[float]]:
    """Measure the first paint, and switches to several files, including the last."""
    paint, view = await first_paint(page, diff)
    count = len(diff.files)
    wanted = [count - 1, *(random.Random(2).sample(range(1, count - 1), min(SWITCHES, count - 2)))]
    times = [await page.evaluate(SWITCH, index) for index in wanted]
    await page.evaluate("dispose()")
    await asyncio.to_thread(view.close)
    return paint, times


def kept(diff: Diff) -> int:
    """Return the additional bytes that Python holds after rendering every file of the diff."""
    from opencode_nb.render.diff.review import LiveDiff

    live = LiveDiff(diff, directory="/")
    live.snapshot()
    tracemalloc.start()
    for index in range(len(diff.files)):
        live.render(index)
        live.update({str(index)})
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size


async def run(many: int, lines: int) -> bool:
    """Measure and print times and ratios; return whether the goals are met."""
    with TemporaryDirectory() as directory:
        diffs = {count: make_diff(Path(directory) / str(count), count, lines) for count in (FEW, many)}
        paints: dict[int, list[float]] = {FEW: [], many: []}
        switches: dict[int, list[float]] = {FEW: [], many: []}
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=program(), args=ARGUMENTS)
            page = await browser.new_page(viewport={"width": 1280, "height": 900})
            await page.add_style_tag(content=assets.styles("core/base.css", "diff/diff.css"))
            holder: list[Kernel] = []
            await page.expose_function("toKernel", lambda content: holder[0].receive(content))
            await page.evaluate(MODEL)
            await page.evaluate(PAGE, assets.script("diff/diff.js"))
            holder.append(Kernel(page))
            await measure(page, diffs[FEW])  # warm-up: loads and compiles once
            for _ in range(ROUNDS):
                for count, diff in diffs.items():
                    paint, times = await measure(page, diff)
                    paints[count].append(paint)
                    switches[count] += times
            holder[0].close()
            await browser.close()
        memory = {count: kept(diff) for count, diff in diffs.items()}
    return report(many, lines, paints, switches, memory)


def report(
    many: int, lines: int, paints: dict[int, list[float]], switches: dict[int, list[float]], memory: dict[int, int]
) -> bool:
    """Print the report; return whether the goals are met."""
    print(f"{FEW} files of {lines} changed lines beside {many}; medians of {ROUNDS} rounds, in ms")
    met = True
    for name, times in (("first paint", paints), ("switch to a file", switches)):
        few, much = statistics.median(times[FEW]), statistics.median(times[many])
        met = met and much <= GOAL * few
        print(f"{name:18} {few:7.1f} {much:7.1f}   {much / few:5.2f} x (goal {GOAL:g})")
    slowest = {count: max(times) for count, times in switches.items()}
    print(f"{'slowest switch':18} {slowest[FEW]:7.1f} {slowest[many]:7.1f}")
    print(
        f"{'kept by the kernel':18} {memory[FEW] / 1e6:6.1f} MB {memory[many] / 1e6:5.1f} MB after every file was shown"
    )
    return met


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(run(*map(int, sys.argv[1:]) if len(sys.argv) > 2 else (MANY, LINES))) else 1)
