"""A Chromium for tests, driven by playwright."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, TimeoutError, expect, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


EXPECT_TIMEOUT = 30_000
"""Milliseconds until what a test expects of a page has come, unless it says otherwise. Only a failing test waits so
long; playwright's own 5,000 are too few for a kernel that is slow to answer on a busy machine.
"""


ATTEMPTS = 3
"""How often an answer is pressed at most."""

GONE_TIMEOUT = 5_000
"""Milliseconds until a request goes after its answer was pressed; about 50 on an idle machine."""

GONE = "button => !button.isConnected || button.closest('[hidden]') !== null"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start this machine's Chromium, and end it.

    For fixtures whose scope is a package: playwright's sync API keeps an event loop marked as running in the main
    thread for as long as it is started. Ended with the package, it can't stand in the way of `asyncio.run` elsewhere.
    """
    expect.set_options(timeout=EXPECT_TIMEOUT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=ARGUMENTS)
        yield browser
        browser.close()


def press_answer(button: Locator, timeout: float = EXPECT_TIMEOUT) -> None:
    """Press an answer to a request (milliseconds until it can be), and again where that was refused.

    A view refuses a press while what it allows is out of sight, and shows that first. playwright may have scrolled it
    away: if a click misses, as the page moves, it tries again with the button at the top.
    """
    for _ in range(ATTEMPTS):
        shown = button.element_handle(timeout=timeout)
        button.click(timeout=timeout)
        with contextlib.suppress(TimeoutError):
            button.page.wait_for_function(GONE, arg=shown, timeout=GONE_TIMEOUT)
            return
    raise AssertionError(f"the request is still there after {ATTEMPTS} presses")


def program() -> str:
    """Return the path of the browser. Raises FileNotFoundError."""
    found = next((path for path in map(shutil.which, PROGRAMS) if path), None)
    if not found:
        raise FileNotFoundError(f"None of {', '.join(PROGRAMS)} is on PATH: run `make browser`")
    return found
