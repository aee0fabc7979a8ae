"""Take over into the open notebook what a turn wrote to its file beside the cell tools, by a command or by code.

Else JupyterLab asks at the next save which of the two to lose. What the user has written since stays, and is told; the
file is put back as the page knows it if all of it was taken over.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from opencode_nb.errors import DiffConflictError
from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import cell as cells
from opencode_nb.kernel.cells.editing import Editor, RefusedError
from opencode_nb.kernel.cells.merge import Plan, plan
from opencode_nb.kernel.cells.pages import NoPageError, NotebookPage

if TYPE_CHECKING:
    from opencode_nb.changes.diff import Diff, FileDiff

SAME_SECONDS = 0.001
"""Two times of a file's last change within this are the same: Jupyter's server rounds."""

CLOCK_SECONDS = 2.0
"""How far the time of a prompt may be ahead of that of a file written after it."""

_CHANGED = "The agent changed this notebook's file"
TAKEN = f"{_CHANGED}. The open notebook has these changes now: {{}}."
LEFT = (
    f"{_CHANGED}, and not all of that is in the open notebook: {{}}. "
    "At the next save JupyterLab asks which of the two to keep."
)


def is_told(warnings: Iterable[str]) -> bool:
    """Whether the user was told that the notebook's file was changed."""
    return any(warning.startswith(_CHANGED) for warning in warnings)


async def take_over(editor: Editor, began: float, diff: Callable[[], Awaitable[Diff]]) -> str:
    """Take over what a turn that `began` then (in seconds since the epoch) wrote; return what to tell the user, or "".

    `editor` is the turn's, and has seen nothing.
    """
    mine = notebook.current()
    if mine is None or all(_rests(path, began) for path in mine.path.parent.glob("*.ipynb")):
        return ""
    page = await editor.find()
    if page is None:
        return ""
    path = mine.path.resolve().parent / PurePosixPath(page.path).name
    if _rests(path, began) or _is_saved_by(page, path):
        return ""
    file = await asyncio.to_thread(_file_of, await diff(), path)
    if file is None or file.before is None or file.after is None:
        return ""
    try:
        return await _merge(editor, page, path, file)
    except (NoPageError, ValueError, RecursionError):  # gone meanwhile, or no notebook: then JupyterLab asks
        return ""


def _rests(path: Path, since: float) -> bool:
    """Whether a file that is there was not written since then; one that has just gone may have been."""
    try:
        return path.stat().st_mtime < since - CLOCK_SECONDS
    except OSError:
        return False


def _is_saved_by(page: NotebookPage, path: Path) -> bool:
    """Whether the page wrote the file last, or that is not known."""
    saved = _time(page)
    return saved is None or not path.is_file() or abs(path.stat().st_mtime - saved) < SAME_SECONDS


def _time(page: NotebookPage) -> float | None:
    """Return when the page saved or loaded the file last; None if it does not tell."""
    try:
        return datetime.fromisoformat(page.saved).timestamp()
    except ValueError:
        return None


def _file_of(diff: Diff, path: Path) -> FileDiff | None:
    """Return the change of the file, if it stands there as the turn left it."""
    root = diff.root
    found = [file for file in diff.files if root is not None and (root / file.file).resolve() == path]
    return next((file for file in found if file.state == "applied"), None)


async def _merge(editor: Editor, page: NotebookPage, path: Path, file: FileDiff) -> str:
    answer = await page.ask("cells")
    live = [cells.of_page(one) for one in answer.get("cells") or []]
    made = plan(file.before or b"", file.after or b"", live)
    editor.seen.note(live)
    done = await _carried_out(editor, page, made)
    if made.left:
        return LEFT.format("; ".join(made.left))
    if not done:
        return ""
    await asyncio.to_thread(_put_back, page, path, file)
    return TAKEN.format(", ".join(dict.fromkeys(done)))


async def _carried_out(editor: Editor, page: NotebookPage, made: Plan) -> list[str]:
    """Carry out a plan; return what was done, and add to the plan what was not."""
    done: list[str] = []
    ids: dict[str, str] = {}  # of new cells: the page gives them others

    async def attempt(title: str, change: Awaitable[cells.Cell], did: str) -> cells.Cell | None:
        try:
            cell = await change
        except RefusedError as error:
            made.left.append(f"{title}: {error}")
            return None
        done.append(f"{cell.title} {did}")
        return cell

    for cell_id, source in made.edits:
        await attempt(editor.known(cell_id).title, editor.edit(cell_id, source), "edited")
    for above, cell in made.insertions:
        place = {"index": 0} if above is None else {"after": ids.get(above, above)}
        new = await attempt(cell.title, editor.insert(page, cell.source, cell.type, place), "inserted")
        if new is not None:
            ids[cell.id] = new.id
    for cell_id in made.deletions:
        await attempt(editor.known(cell_id).title, editor.delete(cell_id), "deleted")
    return done


def _put_back(page: NotebookPage, path: Path, file: FileDiff) -> None:
    """Put the file back as the page knows it, with its time: then JupyterLab saves over it without asking."""
    try:
        file.revert()
        if (saved := _time(page)) is not None:
            os.utime(path, (saved, saved))
    except (DiffConflictError, OSError):  # written to once more: then JupyterLab asks
        pass
