"""Keep the agent's file tools off the file of a notebook that is open: its page would not take the change over."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import pages
from opencode_nb.tools.tool import Guard

LEADS = (
    "This notebook is open, so its file was not changed: the user would lose one of the two states. Use the tools "
    "cells, edit_cell, insert_cell, move_cell and delete_cell, which change what the user sees."
)


async def refusal(session: str, path: Path) -> str:
    """Return why a session's agent must not change a file: it is the kernel's open notebook. "" if it may."""
    mine = notebook.current()
    if mine is None or path.suffix != ".ipynb" or path.parent != mine.path.resolve().parent:
        return ""
    page = await pages.find(session)  # its name may be another than when the kernel was started
    return LEADS if page is not None and PurePosixPath(page.path).name == path.name else ""


def closed(session: str) -> tuple[str, ...]:
    """Return the patterns of the kernel's notebook, by the name that it was started with; () if no view is open."""
    mine = notebook.current()
    return (mine.path.name, f"*/{mine.path.name}") if mine is not None and pages.is_shown(session) else ()


GUARD = Guard("*.ipynb", refusal, closed)
