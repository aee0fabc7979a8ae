"""Record the README's pictures in a real JupyterLab, light and dark: `python notebooks/images/record.py [NAME]...`.

The model is the scripted one. Needs what the browser tests need. Look at every picture before you commit it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.support import isolation  # noqa: E402  # before the package, which reads the environment on import

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
WIDTH, HEIGHT = 1180, 1400
FRAME = 4  # pixels around what is shown
TIMEOUT = 60_000  # ms

LOAD = "import pandas as pd\n\n\ndef load(path):\n    return pd.read_csv(path)\n"
TYPED = """import pandas as pd


def load(path: str) -> pd.DataFrame:
    frame = pd.read_csv(path, parse_dates=["time"])
    return frame.dropna()
"""
PLOT = """def plot(frame, column):
    axes = frame.plot("time", column)
    axes.set_title(column)
    return axes


def save(axes, path):
    axes.figure.savefig(path)
"""
FILES = {
    "load.py": LOAD,
    "plot.py": PLOT,
    "README.md": "# Weather\n\nMeasurements of a year, and how to draw them.\n",
    "tests/test_load.py": 'from load import load\n\n\ndef test_load():\n    assert len(load("data.csv")) == 2\n',
    "data.csv": "time,mm\n2026-01-01,30\n2026-02-01,35\n",
}
RAIN = """import pandas as pd
rain = pd.DataFrame({"month": range(1, 13), "mm": range(30, 90, 5)})"""
MEAN = """def mean(frame):
    return frame.mm.sum() / 12


mean(rain)"""
MENDED = """def mean(frame):
    \"\"\"Return the mean of the months that were measured, in mm.\"\"\"
    return frame.mm.mean()


mean(rain)"""
DRAW = """import matplotlib.pyplot as plt
rain.plot("month", "mm")
plt.show()
total = int(rain.mm.sum())
rain.head(2)
"""
EDITS = [
    ("load.py", LOAD, TYPED),
    ("plot.py", "def plot(frame, column):", "def plot(frame, column, title=None):"),
    ("plot.py", "axes.set_title(column)", "axes.set_title(title or column)"),
    ("plot.py", "savefig(path)", 'savefig(path, dpi=200, bbox_inches="tight")'),
]
ANSWER = (
    "`load` reads every column as text or numbers, so `time` is never a date. I would:\n\n"
    "1. parse `time` as dates,\n2. drop incomplete rows, and\n3. add the types.\n"
)


@contextmanager
def lab() -> Iterator[tuple[Any, Any, Any]]:
    """Yield an isolated JupyterLab, the model of its agents and a browser."""
    home = Path(tempfile.mkdtemp(prefix="opencode-nb-pictures-"))
    isolation.isolate(os.environ, home / "home", isolation.find_program())
    from opencode_nb.demo import DemoModel
    from tests.e2e.support_lab import Lab
    from tests.support.browser import chromium

    with ExitStack() as stack:
        stack.callback(isolation.end_survivors)
        model, browser = stack.enter_context(DemoModel(pace=0)), stack.enter_context(chromium())
        lab = Lab.start(home / "lab", {**os.environ, "OPENCODE_CONFIG_CONTENT": json.dumps(model.config())})
        stack.callback(lab.close)
        yield lab, model, browser


def make_project(directory: Path) -> Path:
    """Write the files of the project, and commit them."""
    for name, content in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content, encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First measurements"]):
        subprocess.run(["git", *arguments], cwd=directory, check=True)
    return directory


def opened(lab: Any, browser: Any, name: str, cells: list[str]) -> Any:
    """Return a notebook with these cells, in a project of its own."""
    from tests.e2e.support_notebook import Notebook, write_notebook

    project = make_project(lab.root / name)
    write_notebook(project / "weather.ipynb", cells, "7.4")
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1)
    return Notebook(page, lab, project / "weather.ipynb", HERE, name).open()


def picture(notebook: Any, name: str, first: Any, last: Any) -> None:
    """Write a picture of each theme from the top of one element to the bottom of another."""
    for theme in THEMES:
        notebook.set_theme(theme)
        notebook.page.mouse.move(0, 0)
        top, bottom = first.bounding_box(), last.bounding_box()
        left = min(top["x"], bottom["x"])
        clip = {
            "x": left - FRAME,
            "y": top["y"] - FRAME,
            "width": max(top["width"], bottom["width"]) + 2 * FRAME,
            "height": bottom["y"] + bottom["height"] - top["y"] + 2 * FRAME,
        }
        suffix = "" if theme == "light" else "-dark"
        notebook.page.screenshot(path=HERE / f"{name}{suffix}.png", clip=clip)


def wait_until_asked(view: Any) -> None:
    """Wait until a view asks for permission, and takes an answer."""
    from playwright.sync_api import expect

    expect(view.get_by_role("button", name="Allow once", exact=True)).to_be_enabled(timeout=TIMEOUT)


def kernel(lab: Any, model: Any, browser: Any) -> None:
    """Record the agent as it asks to run code in the kernel."""
    from opencode_nb.demo import kernel_tool

    model.queue([[kernel_tool("inspect", name="rain")], [kernel_tool("python", code=DRAW)]])
    notebook = opened(lab, browser, "kernel", [f"%load_ext opencode_nb\n{RAIN}", "%%prompt\nDraw the rain"])
    notebook.run(0)
    notebook.start(1)
    output = notebook.output(1)
    wait_until_asked(output)
    picture(notebook, "kernel", notebook.cell(0), output)


def cells(lab: Any, model: Any, browser: Any) -> None:
    """Record the agent as it asks to edit a cell of the notebook."""
    from opencode_nb.demo import kernel_tool

    model.queue([[kernel_tool("cells")], [kernel_tool("edit_cell", id="cell-1", source=MENDED)]])
    sources = [f"%load_ext opencode_nb\n{RAIN}", MEAN, "%%prompt\nNot every month is measured: mend mean"]
    notebook = opened(lab, browser, "cells", sources)
    notebook.run(0)
    notebook.run(1)
    notebook.start(2)
    output = notebook.output(2)
    wait_until_asked(output)
    picture(notebook, "cells", notebook.cell(1), output)


def chat(lab: Any, model: Any, browser: Any) -> None:
    """Record the panel as it asks to change a file."""
    from opencode_nb.demo import text, tool
    from tests.e2e.support_chat import ChatView

    model.queue([[tool("read", filePath="load.py")], [text(ANSWER)]])
    notebook = opened(lab, browser, "chat", ["import opencode_nb as oc\npanel = oc.chat()\npanel"])
    notebook.run(0)
    view = ChatView(notebook.page)
    view.appears()
    view.send("What is wrong with `load`?")
    view.says("add the types")
    view.rests()
    model.queue([[tool("edit", filePath="load.py", oldString=LOAD, newString=TYPED)]])
    view.send("Do that")
    wait_until_asked(view.root)
    picture(notebook, "chat", view.root, view.root)


def diff(lab: Any, model: Any, browser: Any) -> None:
    """Record a turn's changes in two columns, with one of them taken back and a comment."""
    from opencode_nb.demo import text, tool

    edits = [tool("edit", filePath=file, oldString=old, newString=new) for file, old, new in EDITS]
    written = tool("write", filePath="tests/test_plot.py", content="from plot import plot\n")
    model.queue([*([change] for change in (*edits, written)), [text("Done.")]])
    cells = [
        "%load_ext opencode_nb\nimport opencode_nb as oc",
        "%%prompt --permission allow -q\nAdd titles, types and dates",
        "oc.diff()",
    ]
    notebook = opened(lab, browser, "diff", cells)
    notebook.page.evaluate("() => jupyterapp.shell.collapseLeft()")  # two columns need the room
    for number in range(3):
        notebook.run(number)
    root = notebook.output(2).locator('.opencode-nb[data-view="diff"][data-key="root"]')
    root.get_by_role("button", name="Split").click()
    root.get_by_role("treeitem", name="load.py").click()
    root.locator('details[data-file="load.py"]').get_by_role("button", name="Revert hunk").first.click()
    root.get_by_role("status").filter(has_text="Reverted").wait_for(timeout=TIMEOUT)
    picture(notebook, "diff", root, root)


PICTURES: dict[str, Callable[[Any, Any, Any], None]] = {"kernel": kernel, "cells": cells, "chat": chat, "diff": diff}


def main(names: list[str]) -> None:
    """Record the pictures with these names, all by default."""
    with lab() as found:
        for name in names or list(PICTURES):
            PICTURES[name](*found)


if __name__ == "__main__":
    main(sys.argv[1:])
