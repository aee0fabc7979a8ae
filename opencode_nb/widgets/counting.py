"""Counts results in a notebook's page: a bar while it runs, a line of text afterwards."""

from __future__ import annotations

import contextlib
import time
from contextlib import AbstractContextManager
from typing import Any, Self

from IPython.display import display
from ipywidgets import HBox, IntProgress, Label

from opencode_nb.render.counting import counted

PAUSE = 0.1
"""Seconds between updates: each is a message to the page."""


class PageBar:
    """A bar in the cell's output, for the duration of the `with` block; no widget is left in the saved notebook."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._failed = total, 0, 0
        self._bar = IntProgress(max=total)
        self._label = Label(counted(0, 0, total))
        self._box = HBox([self._bar, self._label], layout={"flex_flow": "row wrap"})  # a narrow page cuts nothing off
        self._shown: Any = None
        self._last = 0.0

    def __enter__(self) -> Self:
        self._shown = display(self._box, display_id=True)
        return self

    def tell(self, failed: bool) -> None:
        """Count a result."""
        self._done, self._failed = self._done + 1, self._failed + failed
        if time.monotonic() - self._last >= PAUSE:
            self._last = time.monotonic()
            self._bar.value, self._label.value = self._done, self.line

    @property
    def line(self) -> str:
        """What is counted, as text."""
        return counted(self._done, self._failed, self._total)

    def aside(self) -> AbstractContextManager[None]:
        """Leave the bar: a page asks below it."""
        return contextlib.nullcontext()

    def __exit__(self, *_: object) -> None:
        for widget in (self._box, self._bar, self._label):
            widget.close()
        if self._shown is not None:
            self._shown.update({"text/plain": self.line}, raw=True)
