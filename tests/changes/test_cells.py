"""A diff of the notebook's cells: each is shown as the turns left it, and taken back on the page by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rich.console import Console

from opencode_nb.changes.diff import Diff
from opencode_nb.errors import DiffConflictError
from opencode_nb.kernel.cells import cell as cells
from opencode_nb.kernel.cells import pages
from opencode_nb.kernel.cells.tools import Notebook
from opencode_nb.kernel.memory.turns import Turns
from opencode_nb.kernel.running import main_thread
from opencode_nb.kernel.undo import Undo
from opencode_nb.portal import run
from opencode_nb.render.diff import static
from opencode_nb.render.diff.review import LiveDiff
from opencode_nb.session.kernel.memory import TurnCells
from opencode_nb.widgets.diff_acts import Acts
from tests.kernel.cells.page import Page

SESSION = "ses_diff"
LEFT = ["c <b>", "a = 1\nb = 2", "new"]
"""What the agent has left of the cells "a = 1", "b" and "c <b>"."""


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page("a = 1", "b", "c <b>")
    end = pages.add(page, lambda: SESSION)
    yield page
    end()


async def work(book: Notebook, page: Page) -> None:
    """Change cells in two turns: edit one twice, delete, move and insert others, and insert one in vain."""
    book.seen.note(map(cells.of_page, page._cells({})["cells"]))
    first, second = book.editor("first"), book.editor("second")
    await first.edit("c0", "a = 2")
    await first.delete("c1")
    vain = await first.insert(await first.page(), "in vain", "code", {})
    await second.edit("c0", "a = 1\nb = 2")
    await second.move("c2", 0)
    await second.delete(vain.id)
    await second.insert(await second.page(), "new", "code", {})


@pytest.fixture
def undo(page: Page) -> Undo:
    undo = Undo(Turns({}, main_thread.undisturbed), Notebook(SESSION))
    run(work, undo.notebook, page)
    assert page.sources == LEFT
    return undo


def diff_of(undo: Undo, *turns: str) -> Diff:
    return Diff([], None, "a test", cells=TurnCells(undo, turns or ("first", "second")))


def test_cells_are_listed_as_the_turns_left_them(undo: Undo) -> None:
    listed = [(cell.id, cell.status, cell.before, cell.after) for cell in diff_of(undo).cells]
    assert listed[:3] == [
        ("c0", "modified", "a = 1", "a = 1\nb = 2"),
        ("c1", "deleted", "b", None),
        ("c2", "moved", "c <b>", "c <b>"),
    ]
    assert [one[1:] for one in listed[3:]] == [("added", None, "new")]
    first = diff_of(undo, "first").cells[0]
    assert (first.before, first.after) == ("a = 1", "a = 2")
    assert diff_of(undo, "another").cells == ()


def test_every_form_shows_the_cells(undo: Undo) -> None:
    diff, console = diff_of(undo), Console(width=200)
    with console.capture() as capture:
        console.print(static.diff_terminal(diff))
    for told in (static.diff_text(diff), static.diff_markdown(diff), capture.get()):
        assert "4 cells changed" in told
        assert "a.ipynb, cell 2 (deleted)" in told
    assert "b = 2" in static.diff_markdown(diff)
    for html in (static.diff_html(diff), LiveDiff(diff).snapshot()):
        assert 'data-cell="c0"' in html
        assert "4 cells changed" in html
        assert "<b>" not in html
    assert LiveDiff(diff).snapshot().count("Revert cell") == 4
    assert "Revert cell" not in static.diff_html(diff)


def test_one_cell_is_reverted_and_reapplied(undo: Undo, page: Page) -> None:
    edited, _deleted, moved, added = diff_of(undo).cells
    assert not edited.reverted
    edited.revert()
    assert page.sources == ["c <b>", "a = 1", "new"]
    assert edited.reverted
    assert not moved.reverted
    edited.apply()
    assert page.sources == LEFT
    added.revert()
    assert page.sources == LEFT[:2]


def test_a_cell_that_the_user_has_changed_since_stays(undo: Undo, page: Page) -> None:
    page.cells[1]["source"] = "the user's"
    edited, *_ = (diff := diff_of(undo)).cells
    with pytest.raises(DiffConflictError, match="changed since"):
        edited.revert()
    outcome = diff.revert()
    assert page.sources == ["the user's", "b", "c <b>"]
    assert [reason for _, reason in outcome.refused] == ["it was changed since"]
    page.hears = False
    with pytest.raises(DiffConflictError, match="cannot be reached"):
        diff.apply()


def test_a_whole_diff_is_reverted_and_reapplied(undo: Undo, page: Page) -> None:
    diff = diff_of(undo)
    diff.revert()
    assert page.sources == ["a = 1", "b", "c <b>"]
    assert all(cell.reverted for cell in diff.cells)
    diff.apply()
    assert page.sources == LEFT


def test_the_view_reverts_cells_by_their_buttons_with_undo_and_redo(undo: Undo, page: Page) -> None:
    diff = diff_of(undo)
    acts, live = Acts(diff), LiveDiff(diff)
    assert acts.act("revert", "c0").text == "Reverted: cell 1."
    assert page.sources == ["c <b>", "a = 1", "new"]
    assert live.snapshot().count("Apply cell") == 1
    assert acts.act("revert", "all").text == "Reverted: 3 cells."
    assert page.sources == ["a = 1", "b", "c <b>"]
    assert acts.undo_title == "Undo: reapply 3 cells"
    acts.undo_last()
    acts.undo_last()
    assert sorted(page.sources) == sorted(LEFT)
    assert acts.act("revert", "c9").text == "Nothing left to do."
