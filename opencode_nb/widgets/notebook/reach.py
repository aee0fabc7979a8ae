"""Reach the notebook's page for a moment, where no view of the session is open: through a widget that shows nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from opencode_nb.kernel.cells import pages
from opencode_nb.portal import run
from opencode_nb.transcript.state import Json
from opencode_nb.widgets import assets
from opencode_nb.widgets.live import LiveView, LiveWidget

APPEAR_SECONDS = 6.0
"""Seconds for a widget to appear on its page: a busy browser takes some."""


class PageWidget(LiveWidget):
    """The widget model of a view that shows nothing."""

    _esm = assets.script("live/page.js")


class Reach:
    """Displays a widget and waits until its page answers. Create and close it on the main thread."""

    def __init__(self, session_id: str, display: Callable[[LiveWidget], object]) -> None:
        self._session, self.widget = session_id, PageWidget()
        self._heard = asyncio.Event()
        self._view: LiveView[str] = LiveView(self.widget, _ignore, self._hear)
        self._end = pages.add(self._view, lambda: session_id)
        display(self.widget)

    def wait(self) -> bool:
        """Wait for the page; return whether there is one."""
        return run(self._wait)

    async def _wait(self) -> bool:
        try:
            async with asyncio.timeout(APPEAR_SECONDS):
                await self._heard.wait()
        except TimeoutError:
            return False
        return await pages.find(self._session) is not None

    def _hear(self, heard: bool) -> None:
        if heard:
            self._heard.set()

    def close(self) -> None:
        """Remove the widget."""
        self._end()
        run(self._view.close)
        self._view.remove()


async def _ignore(_message: Json) -> None:
    """Nothing can be clicked in it."""
