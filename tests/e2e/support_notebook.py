"""A notebook in JupyterLab as a person meets it: cells to run, outputs to read, a stop button, a prompt to answer.

Tests find things by role, name and the `data-` attributes that the package promises, never by JupyterLab's own classes:
those stand here, once.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode
from playwright.sync_api import ConsoleMessage, Error, Locator, Page, expect

from tests.e2e.support_lab import Lab, kernel_name

OPEN_TIMEOUT = 60_000
"""Milliseconds until a page shows its notebook and its kernel is up; about 5,000 on an idle machine."""
CELL_TIMEOUT = 60_000
"""Milliseconds that a cell may take unless a test says otherwise; a cold `opencode` server alone takes up to 7,000."""

_EXECUTED = re.compile(r"\[\d+\]:")
_RUNNING = re.compile(r"\[\*\]:")
_THEMES = {"dark": "JupyterLab Dark", "light": "JupyterLab Light"}
_READY = "() => window.jupyterapp?.shell.currentWidget?.context?.isReady === true"
_KERNEL_KNOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel != null"
_KERNEL_UP = (
    "() => ['idle', 'busy'].includes(window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status)"
)
_IS_LOADED = "() => window.jupyterapp !== undefined"
_OPEN = "path => void jupyterapp.commands.execute('docmanager:open', { path, factory: 'Notebook' })"
_CLOSE_OTHERS = """
() => [...jupyterapp.shell.widgets("main")].forEach((tab) => tab !== jupyterapp.shell.currentWidget && tab.dispose())
"""
_HOLDS = "words => jupyterapp.shell.currentWidget.context.model.toString().includes(words)"
_CLEAR = """
async () => {
  [...jupyterapp.shell.widgets("main")].forEach((tab) => tab.dispose());
  if (document.body.dataset.jpThemeLight !== "true") {
    await jupyterapp.commands.execute("apputils:change-theme", { theme: "JupyterLab Light" });
  }
  return document.querySelector("[role=dialog], .jp-Dialog") === null;
}
"""


def write_notebook(path: Path, cells: list[str], kernel: str | None, *, ids: str = "cell") -> None:
    """Write a notebook of code cells; `kernel` is an ipykernel version, None leaves the kernel open.

    The cells' ids begin with `ids`: those of two notebooks on one kernel have to differ.
    """
    metadata = {} if kernel is None else {"kernelspec": _kernelspec(kernel)}
    path.parent.mkdir(parents=True, exist_ok=True)
    code = [_code_cell(f"{ids}-{number}", source) for number, source in enumerate(cells)]
    path.write_text(json.dumps({"cells": code, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))


def _kernelspec(version: str) -> dict[str, str]:
    return {"name": kernel_name(version), "display_name": f"ipykernel {version}", "language": "python"}


def _code_cell(cell_id: str, source: str) -> dict[str, Any]:
    empty = {"execution_count": None, "metadata": {}, "outputs": []}
    return {"cell_type": "code", "id": cell_id, "source": source, **empty}


class Notebook:
    """One notebook, open in one page. Cells are counted from 0.

    `page` is playwright's, for what is not covered here; `path` is the file on disk; `console` holds the errors that
    the page wrote to its console, and its uncaught exceptions.
    """

    def __init__(self, page: Page, lab: Lab, path: Path, screenshots: Path, name: str) -> None:
        self.page = page
        self.path = path
        self.console: list[str] = []
        self._lab = lab
        self._screenshots = screenshots
        self._name = name
        self._listeners = {"console": self._console_message, "pageerror": self._page_error}
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def _console_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.console.append(message.text)

    def _page_error(self, error: Error) -> None:
        self.console.append(str(error))

    # --- opening ------------------------------------------------------------------------------------------------------

    def open(self, *, kernel: bool = True) -> Notebook:
        """Open the notebook and wait for its kernel; without one, answer JupyterLab with "No Kernel".

        Loads JupyterLab if the page does not have it yet.
        """
        if self.page.evaluate(_IS_LOADED):
            self.page.evaluate(_OPEN, self._relative)
        else:
            self._load()
        if not kernel:
            self.page.get_by_role("dialog").get_by_role("button", name="No Kernel").click(timeout=OPEN_TIMEOUT)
        self._wait_until_ready(kernel=kernel)
        self.page.evaluate(_CLOSE_OTHERS)
        return self

    @property
    def _relative(self) -> str:
        return self.path.relative_to(self._lab.root).as_posix()

    def _load(self) -> None:
        workspace = re.sub(r"[^A-Za-z0-9]+", "-", self._name)  # of its own: JupyterLab restores what was open in one
        address = f"{self._lab.url}/lab/workspaces/{workspace}/tree/{self._relative}?token={self._lab.token}"
        self.page.goto(address, timeout=OPEN_TIMEOUT)

    def close(self) -> bool:
        """Leave the page as it is after JupyterLab was loaded; return whether that worked."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        return bool(self.page.evaluate(_CLEAR))

    def reload(self, *, kernel_up: bool = True) -> None:
        """Load the page again, as F5 does; the kernel goes on. One that blocks does not tell the new page it is up."""
        self._load()
        self._wait_until_ready(kernel=kernel_up)
        self.page.wait_for_function(_KERNEL_KNOWN, timeout=OPEN_TIMEOUT)

    def _wait_until_ready(self, *, kernel: bool) -> None:
        self.page.wait_for_function(_READY, timeout=OPEN_TIMEOUT)
        if kernel:
            self.page.wait_for_function(_KERNEL_UP, timeout=OPEN_TIMEOUT)
        expect(self.cell(0)).to_be_visible(timeout=OPEN_TIMEOUT)
        self._wait_until_unveiled()

    def _wait_until_unveiled(self) -> None:
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0, timeout=OPEN_TIMEOUT)

    # --- cells --------------------------------------------------------------------------------------------------------

    def cell(self, index: int) -> Locator:
        """Return a cell: its input and its outputs."""
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def output(self, index: int) -> Locator:
        """Return a cell's output area, to look for things in: `output(0).get_by_role("button", name="Stop")`."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def live_view(self, index: int) -> Locator:
        """Return the live view of a cell's turn. Its static form, once it has ended, is no widget and has no keys."""
        return self.output(index).locator('.opencode-nb[data-view="turn"][data-key="root"]')

    def text(self, index: int) -> str:
        """Return what a cell's outputs show, as text, without JupyterLab's `[n]:` beside them."""
        return "\n".join(self.output(index).locator(".jp-OutputArea-output").all_inner_texts()).strip()

    def editor(self, index: int) -> Locator:
        """Return the editor of a cell, focused when clicked."""
        return self.cell(index).locator(".cm-content")

    def write(self, index: int, source: str) -> None:
        """Replace a cell's source, as by pasting."""
        self.editor(index).click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)

    # --- running ------------------------------------------------------------------------------------------------------

    def start(self, index: int) -> Locator:
        """Run a cell by Shift+Enter and return its output area at once, while the cell goes on."""
        self.editor(index).click()
        self.page.keyboard.press("Shift+Enter")
        return self.output(index)

    def run(self, index: int, *, timeout: float = CELL_TIMEOUT) -> str:
        """Run a cell by Shift+Enter, wait for its end (milliseconds), and return its outputs as text."""
        self.start(index)
        self.wait(index, timeout=timeout)
        return self.text(index)

    def wait(self, index: int, *, timeout: float = CELL_TIMEOUT) -> None:
        """Wait until a cell that was started has ended, well or not."""
        expect(self._prompt(index)).to_have_text(_EXECUTED, timeout=timeout)

    def wait_until_running(self, index: int, *, timeout: float = CELL_TIMEOUT) -> None:
        """Wait until a cell is marked as running or queued."""
        expect(self._prompt(index)).to_have_text(_RUNNING, timeout=timeout)

    def running(self, index: int) -> bool:
        """Whether a cell is marked as running or queued."""
        return bool(_RUNNING.search(self._prompt(index).inner_text()))

    def interrupt(self) -> None:
        """Press ■ in the toolbar."""
        self.page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]').click()

    def restart(self) -> None:
        """Restart the kernel by the toolbar's button, and confirm."""
        self.page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:restart-kernel"]').click()
        self.page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
        self.page.wait_for_function(_KERNEL_UP, timeout=OPEN_TIMEOUT)

    def _prompt(self, index: int) -> Locator:
        return self.cell(index).locator(".jp-InputArea-prompt")

    # --- input() ------------------------------------------------------------------------------------------------------

    def stdin(self, index: int) -> Locator:
        """Return the box in which a cell waits for an answer to `input()`."""
        return self.output(index).locator(".jp-Stdin-input")

    def answer(self, index: int, text: str, *, timeout: float = CELL_TIMEOUT) -> None:
        """Wait until a cell asks by `input()`, and type the answer."""
        box = self.stdin(index)
        box.fill(text, timeout=timeout)
        box.press("Enter")

    # --- keeping ------------------------------------------------------------------------------------------------------

    def save(self) -> NotebookNode:
        """Save the notebook and return what is on disk then."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return self.saved()

    def wait_until_it_holds(self, words: str) -> None:
        """Wait until the notebook's document has these words, in a source or in an output that is saved."""
        self.page.wait_for_function(_HOLDS, arg=words, timeout=CELL_TIMEOUT)

    def saved(self) -> NotebookNode:
        """Return the notebook as it is on disk: nested dicts, with every multi-line text as one string."""
        return nbformat.read(self.path, as_version=4)

    def copy_for_a_stranger(self) -> Path:
        """Save, and copy the file as somebody else gets it: nothing in it is trusted, and no kernel is there to run it.

        Open it by `open_notebook(path=..., kernel=None)`.
        """
        copy = self.save()
        del copy.metadata["kernelspec"]  # changes what was signed, too: the signature no longer fits
        path = self.path.with_name("received.ipynb")
        nbformat.write(copy, path)
        return path

    def kernel_id(self) -> str:
        """Return the server's id of this notebook's kernel."""
        return str(self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"))

    def set_theme(self, theme: Literal["dark", "light"]) -> None:
        """Switch JupyterLab's theme, and wait until the page wears it."""
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", _THEMES[theme])
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", str(theme == "light").lower())
        self._wait_until_unveiled()

    def screenshot(self, label: str = "") -> Path:
        """Write a picture of the page into the artefacts and return its path; `label` tells a test's pictures apart."""
        file = self._screenshots / f"{self._name}{'-' if label else ''}{label}.png"
        self.page.screenshot(path=file)
        return file
