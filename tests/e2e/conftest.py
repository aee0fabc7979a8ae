"""Fixtures of the browser tests: a JupyterLab for the run, a browser for this package, a page for each notebook."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from opencode_nb.demo import DemoModel
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook, write_notebook
from tests.support import isolation
from tests.support.browser import chromium

VIEWPORT: ViewportSize = {"width": 1280, "height": 900}
FAILED = pytest.StashKey[bool]()

OpenNotebook = Callable[..., Notebook]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this package, so that `-m "not e2e"` leaves the browser out."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def lab(opencode_program: Path, server_model: DemoModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The run's one JupyterLab server. Its kernels have the program and the model by their environment.

    The `opencode` server that they share goes on until the next test has its kernel.
    """
    config = json.dumps(server_model.config())
    env = {**os.environ, "OPENCODE_CONFIG_CONTENT": config, "OPENCODE_NB_GRACE": isolation.LONG_GRACE}
    lab = Lab.start(tmp_path_factory.mktemp("lab"), env)
    yield lab
    lab.close()


@pytest.fixture(scope="package")
def browser(not_quick: None) -> Iterator[Browser]:
    """A Chromium, for this package only."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One browser profile for the package: JupyterLab's scripts are loaded from the network once."""
    context = browser.new_context(viewport=VIEWPORT)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, artifacts: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that leaves a picture."""
    page = context.new_page()
    yield page
    page.screenshot(path=artifacts / "screenshots" / f"{request.node.name}.png")
    page.close(run_before_unload=False)


class Pages:
    """Pages for notebooks. One goes from test to test: loading JupyterLab takes six seconds of a core."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._spare: Page | None = None

    def take(self) -> Page:
        """Return a page without a notebook, with JupyterLab loaded or blank."""
        page, self._spare = self._spare or self._context.new_page(), None
        page.set_viewport_size(VIEWPORT)
        return page

    def give_back(self, notebook: Notebook, *, failed: bool) -> None:
        """Keep the page for the next test, unless something may have been left in it."""
        if not failed and notebook.close() and self._spare is None:
            self._spare = notebook.page
        else:
            notebook.page.close(run_before_unload=False)


@pytest.fixture(scope="package")
def pages(context: BrowserContext) -> Pages:
    """The pages of `open_notebook`."""
    return Pages(context)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note which tests failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def open_notebook(lab: Lab, pages: Pages, artifacts: Path, request: pytest.FixtureRequest) -> Iterator[OpenNotebook]:
    """Open a notebook in a page: `open_notebook(["1 + 1"], kernel="7.4")`.

    `path=` opens an existing file below `lab.root` instead of writing one, `kernel=None` opens it without a kernel.
    `directory=` is where the notebook is written, and so the kernel's working directory. At the end of the test each
    page leaves a screenshot, the notebook is closed, and its kernel ends.
    """
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    opened: list[Notebook] = []

    def open_(
        cells: list[str] | None = None,
        *,
        kernel: str | None = "7.4",
        path: Path | None = None,
        directory: Path | None = None,
    ) -> Notebook:
        label = name if not opened else f"{name}-{len(opened) + 1}"
        if path is None:
            path = (directory or lab.root / label) / "notebook.ipynb"
            write_notebook(path, cells or [""], kernel)
        notebook = Notebook(pages.take(), lab, path, artifacts / "screenshots", label)
        opened.append(notebook)
        return notebook.open(kernel=kernel is not None)

    yield open_
    for notebook in opened:
        print(*notebook.console, sep="\n")
        notebook.screenshot()
        pages.give_back(notebook, failed=request.node.stash[FAILED])
    lab.shut_kernels_down()
    lab.forget_settings()
