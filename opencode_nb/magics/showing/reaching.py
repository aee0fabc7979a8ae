"""Reach the notebook's page while a magic acts on its cells, or reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display, update_display

from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.portal import run

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Session
    from opencode_nb.transcript.state import Json


@contextmanager
def notebook_reached(session: Session) -> Iterator[None]:
    """Reach the page in the body, if turns of the session have changed its cells: their undo needs it."""
    memory = session._async.memory
    if memory is None or not memory.has_changed_cells or detect(get_ipython()) is not Frontend.PAGE:
        yield
        return
    from opencode_nb.kernel.cells import pages  # by now it is loaded: a turn has changed cells

    if run(pages.find, session.id) is not None:
        yield
        return
    with _page_reached(session.id):
        yield


def live_cells(shell: InteractiveShell) -> list[Json] | None:
    """Return the cells of the running cell's notebook as nbformat has them and the page shows them, saved or not.

    None if no page can be reached, or a cell is too large for a message.
    """
    from opencode_nb.kernel.cells.disk import running_cell

    cell = running_cell(shell)
    if not cell or detect(shell) is not Frontend.PAGE:
        return None
    key = f"page of {cell}"
    with _page_reached(key):
        return run(_whole, key, cell)


async def _whole(key: str, cell: str) -> list[Json] | None:
    from opencode_nb.kernel.cells import pages

    page = await pages.find(key, cell=cell)
    try:
        return await page.whole() if page is not None else None
    except pages.NoPageError:
        return None


@contextmanager
def _page_reached(key: str) -> Iterator[None]:
    """Reach the page in the body as that of a session, through a widget that shows nothing."""
    from opencode_nb.widgets.notebook.reach import Reach

    place = f"opencode_nb-{uuid4().hex}"
    reach = Reach(key, lambda widget: display(widget, display_id=place))
    try:
        reach.wait()
        yield
    finally:
        update_display({"text/plain": ""}, raw=True, display_id=place)
        reach.close()
