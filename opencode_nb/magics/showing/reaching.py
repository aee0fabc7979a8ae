"""Reach the notebook's page while a magic acts on its cells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from IPython.core.getipython import get_ipython
from IPython.display import display, update_display

from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.portal import run

if TYPE_CHECKING:
    from opencode_nb.session.blocking import Session


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
    from opencode_nb.widgets.notebook.reach import Reach

    place = f"opencode_nb-{uuid4().hex}"
    reach = Reach(session.id, lambda widget: display(widget, display_id=place))
    try:
        reach.wait()
        yield
    finally:
        update_display({"text/plain": ""}, raw=True, display_id=place)
        reach.close()
