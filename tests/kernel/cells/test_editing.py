"""Changes to cells: what the user wrote stays, and an undo takes back what the agent did."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import cell as cells
from opencode_nb.kernel.cells import file, pages
from opencode_nb.kernel.cells.editing import Editor, RefusedError
from opencode_nb.kernel.cells.seen import Seen
from tests.kernel.cells.page import Page, finding, shown

SESSION = "ses_cells"

P = ParamSpec("P")


def in_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture
def page() -> Iterator[Page]:
    with shown(Page("a", "b", "c"), SESSION) as page:
        yield page


@pytest.fixture
def editor(page: Page) -> Editor:
    return reader(page)


def reader(page: Page, turn: str = "turn") -> Editor:
    """Return an editor whose agent has read the whole notebook."""
    made = Editor(turn, Seen(), *finding(SESSION))
    read(made, page)
    return made


def read(editor: Editor, page: Page) -> None:
    editor.seen.note(map(cells.of_page, page._cells({})["cells"]))


@in_loop
async def test_a_cell_that_was_not_read_is_not_changed(page: Page, editor: Editor) -> None:
    page.cells.append({"id": "new", "type": "code", "source": "the user's"})
    with pytest.raises(RefusedError, match="Read the cell"):
        await editor.edit("new", "x")
    assert page.sources[-1] == "the user's"


@in_loop
async def test_a_cell_that_the_user_changed_is_told_and_left(page: Page, editor: Editor) -> None:
    page.cells[0]["source"] = "the user's"
    with pytest.raises(RefusedError, match="the user has changed") as refused:
        await editor.edit("c0", "x")
    assert refused.value.now is not None
    assert refused.value.now.source == "the user's" == page.sources[0]
    await editor.edit("c0", "now it knows")
    assert page.sources[0] == "now it knows"


@in_loop
async def test_a_deleted_cell_is_told_as_gone(page: Page, editor: Editor) -> None:
    page.cells.clear()
    for act in (editor.edit("c0", "x"), editor.delete("c1"), editor.move("c2", 0)):
        with pytest.raises(RefusedError, match="no cell with the id"):
            await act


@in_loop
async def test_the_view_shown_last_is_asked_of_two_notebooks(page: Page) -> None:
    """A prompt that waits in one notebook counts before a panel in another."""
    other = Page("other", path="b.ipynb")
    end = pages.add(other, lambda: SESSION)
    found = await pages.find(SESSION)
    assert found is not None
    assert found.path == "b.ipynb"
    end()


@in_loop
async def test_a_renamed_notebook_keeps_its_undo(page: Page, editor: Editor) -> None:
    await editor.edit("c0", "agent")
    await editor.delete("c1")
    page.path = "renamed.ipynb"
    undone = await editor.changes.undo(["turn"])
    assert undone.restored == ("cell 1",)
    assert dict(undone.refused) == {"cell 2": "the notebook was renamed, or the page shows another one"}


@in_loop
async def test_without_a_page_nothing_is_changed(page: Page, editor: Editor) -> None:
    page.hears = False
    with pytest.raises(RefusedError, match="page cannot be reached"):
        await editor.edit("c0", "x")


@in_loop
async def test_the_page_inside_its_notebook_is_asked(page: Page) -> None:
    page.inside = False
    other = Page("other", path="b.ipynb")
    stranger = Page("stranger")
    ends = [pages.add(other, lambda: SESSION), pages.add(stranger, lambda: "ses_other")]
    found = await pages.find(SESSION)
    assert found is not None
    assert found.path == "b.ipynb"
    for end in ends:
        end()


@in_loop
async def test_the_file_of_the_open_notebook_is_left_to_the_cell_tools(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "current", lambda: notebook.Notebook(tmp_path / "old name.ipynb", "kernel-1"))
    assert "edit_cell" in await file.refusal(SESSION, tmp_path / "a.ipynb")
    for other in (tmp_path / "b.ipynb", tmp_path / "copies" / "a.ipynb", tmp_path / "a.py"):
        assert not await file.refusal(SESSION, other)
    page.hears = False
    assert not await file.refusal(SESSION, tmp_path / "a.ipynb")


@in_loop
async def test_undo_names_what_the_user_changed_since_and_redo_brings_the_rest_back(page: Page, editor: Editor) -> None:
    await editor.edit("c0", "agent")
    await editor.delete("c1")
    await editor.move("c2", 0)
    page.cells[1]["source"] = "the user's"
    undone = await editor.changes.undo(["turn"])
    assert page.sources == ["the user's", "b", "c"]
    assert dict(undone.refused) == {"cell 1": "it was changed since"}
    redone = await editor.changes.redo(["turn"])
    assert not redone.refused
    assert page.sources == ["c", "the user's"]


@in_loop
async def test_an_undo_without_the_page_can_be_repeated(page: Page, editor: Editor) -> None:
    await editor.edit("c0", "agent")
    page.hears = False
    assert (await editor.changes.undo(["turn"])).refused
    page.hears = True
    assert (await editor.changes.undo(["turn"])).restored == ("cell 1",)
    assert page.sources == ["a", "b", "c"]


@dataclass(frozen=True)
class Act:
    """One act of the user or the agent at the cell at an index (of those that there are)."""

    by_user: bool
    kind: str
    index: int
    text: str


ACTS = st.builds(
    Act,
    st.booleans(),
    st.sampled_from(["edit", "insert", "delete", "move", "read"]),
    st.integers(0, 5),
    st.sampled_from(["x", "y = 1", "", "ü\n日本"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTS, max_size=14))
def test_no_text_of_the_users_is_lost_whatever_both_do(acts: list[Act]) -> None:
    asyncio.run(_both_act(acts))


async def _both_act(acts: list[Act]) -> None:
    page = Page("a", "b", "c")
    end = pages.add(page, lambda: "ses_both")
    editor = Editor("turn", Seen(), *finding("ses_both"))
    typed: dict[str, str] = {}  # what the user typed, in cells that the agent has not read since
    for number, act in enumerate(acts):
        if act.by_user:
            _user_acts(page, typed, act, number)
        else:
            await _agent_acts(page, editor, typed, act)
        _check(page, typed)
    await editor.changes.undo(["turn"])
    _check(page, typed)
    await editor.changes.redo(["turn"])
    _check(page, typed)
    end()


def _check(page: Page, typed: dict[str, str]) -> None:
    assert len(set(page.ids)) == len(page.ids)
    now = {cell["id"]: cell["source"] for cell in page.cells}
    assert {key: now.get(key) for key in typed} == typed


def _user_acts(page: Page, typed: dict[str, str], act: Act, number: int) -> None:
    text = f"user {number} {act.text}"
    if act.kind == "insert" or not page.cells:
        page.cells.insert(act.index, {"id": f"u{number}", "type": "code", "source": text})
        typed[f"u{number}"] = text
        return
    cell = page.cells[act.index % len(page.cells)]
    if act.kind == "edit":
        cell["source"] = typed[cell["id"]] = text
    elif act.kind == "delete":
        page.cells.remove(cell)
        typed.pop(cell["id"], None)
    elif act.kind == "move":
        page.cells.insert(0, page.cells.pop(page.cells.index(cell)))


async def _agent_acts(page: Page, editor: Editor, typed: dict[str, str], act: Act) -> None:
    if act.kind == "read":
        read(editor, page)
        typed.clear()  # what it has read, it may change
        return
    cell_id = page.ids[act.index % len(page.cells)] if page.cells else "none"
    try:
        if act.kind == "insert":
            await editor.insert(await editor.page(), act.text, "code", {"index": act.index})
        elif act.kind == "edit":
            await editor.edit(cell_id, act.text)
        elif act.kind == "delete":
            await editor.delete(cell_id)
        else:
            await editor.move(cell_id, act.index)
    except RefusedError as refused:
        if refused.now is not None:
            typed.pop(refused.now.id, None)  # it was told how the cell is now
