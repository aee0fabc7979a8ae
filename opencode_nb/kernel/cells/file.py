"""Keep the agent's file tools off the file of a notebook that is open: its page would not take the change over."""

from __future__ import annotations

from pathlib import Path

from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import pages
from opencode_nb.tools.tool import Guard

LEADS = (
    "This notebook is open, so its file was not changed: the user would lose one of the two states. Use the tools "
    "cells, edit_cell, insert_cell, move_cell and delete_cell, which change what the user sees."
)


async def refusal(session: str, path: Path) -> str:
    """Return why a session's agent must not change a file: it is an open notebook of the kernel. "" if it may."""
    mine = notebook.current()
    if mine is None or path.suffix != ".ipynb" or path.parent != mine.path.resolve().parent:
        return ""
    page = await pages.find(session, file=path.name)  # any that is open: renamed, or a second one on this kernel
    return LEADS if page is not None else ""


def closed(session: str) -> tuple[str, ...]:
    """Return the patterns of the kernel's notebook, by the name that it was started with; () if no view is open."""
    mine = notebook.current()
    return (mine.path.name, f"*/{mine.path.name}") if mine is not None and pages.is_shown(session) else ()


GUARD = Guard("*.ipynb", refusal, closed)
