"""A notebook in Notebook 7, on the same server as JupyterLab. It gives tests no `jupyterapp`: they use the page."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from playwright.sync_api import Locator, Page, Response, expect

from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import OPEN_TIMEOUT

STARTED = re.compile(r"\[(\*|\d+)\]:")
STARTS = 3_000
"""Milliseconds until a cell that was not dropped is marked as running."""
ATTEMPTS = 10

_SOURCES = """
() => [...document.querySelectorAll(".jp-Cell .cm-content")].map(
  (editor) => [...editor.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\\n"))
"""


class Notebook7:
    """One notebook, open in one page. `path` is its file, `cells` are those that are drawn, in order."""

    def __init__(self, page: Page, lab: Lab, path: Path) -> None:
        self.page, self.path = page, path
        self.cells = page.locator(".jp-Notebook .jp-Cell")
        self._address = f"{lab.url}/notebooks/{path.relative_to(lab.root).as_posix()}?token={lab.token}"

    def open(self) -> None:
        """Load the page, for the first time or again, and wait for the kernel to be idle."""
        self.page.goto(self._address, timeout=OPEN_TIMEOUT)
        kernel = self.page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
        expect(kernel).to_be_attached(timeout=OPEN_TIMEOUT)

    def cell(self, words: str) -> Locator:
        """Return the first cell with these words, in whatever case, in its source."""
        return self.cells.filter(has=self.page.locator(".cm-content", has_text=words)).first

    def run(self, cell: Locator) -> None:
        """Run a cell: again while Notebook drops it without a word, as it does until it is connected to its kernel."""
        for _ in range(ATTEMPTS):
            cell.locator(".cm-content").click(timeout=OPEN_TIMEOUT)
            self.page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:run-cell-and-select-next"]').click()
            with contextlib.suppress(AssertionError):
                expect(cell.locator(".jp-InputArea-prompt")).to_have_text(STARTED, timeout=STARTS)
                return
        raise AssertionError(f"the cell was dropped {ATTEMPTS} times")

    def sources(self) -> list[str]:
        """Return the source of each cell that is drawn: all of them, in a page that is high enough."""
        return [str(source) for source in self.page.evaluate(_SOURCES)]

    def save(self) -> NotebookNode:
        """Save by key, and return what is on disk then."""
        with self.page.expect_response(self._is_save):
            self.page.keyboard.press("ControlOrMeta+s")
        return nbformat.read(self.path, as_version=4)

    def _is_save(self, response: Response) -> bool:
        return response.request.method == "PUT" and "/api/contents/" in response.url and self.path.name in response.url
