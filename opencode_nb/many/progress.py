"""The bar of a map: in a terminal, in a notebook's page, or none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Bar(Protocol):
    """Shows how many results there are."""

    def tell(self, failed: bool) -> None:
        """Count a result, from any thread."""

    def aside(self) -> AbstractContextManager[None]:
        """Hide the bar for a question in the same place."""


class NoBar:
    """Shows nothing: output that nobody watches should hold no bars."""

    def tell(self, failed: bool) -> None:
        """Do nothing."""

    def aside(self) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()


@contextlib.contextmanager
def progress_bar(total: int, *, wanted: bool = True) -> Iterator[Bar]:
    """Yield a bar for `total` results."""
    if not (wanted and total):
        yield NoBar()
    elif _in_page():
        from opencode_nb.widgets.counting import PageBar

        with PageBar(total) as page:
            yield page
    elif sys.stderr is not None and sys.stderr.isatty():
        from opencode_nb.render.counting import TerminalBar

        with TerminalBar(total) as terminal:
            yield terminal
    else:
        yield NoBar()


def _in_page() -> bool:
    if "IPython" not in sys.modules:
        return False
    from opencode_nb.magics.showing.frontend import in_page

    return in_page()
