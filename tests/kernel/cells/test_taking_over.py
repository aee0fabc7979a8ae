"""What a command writes to the file of the open notebook comes into the page, and nothing of the user's gets lost."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.changes.diff import Diff
from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import cell as cells
from opencode_nb.kernel.cells.changes import Changes
from opencode_nb.kernel.cells.editing import Editor
from opencode_nb.kernel.cells.merge import plan
from opencode_nb.kernel.cells.seen import Seen
from opencode_nb.kernel.cells.taking_over import take_over
from tests.kernel.cells.page import Page, finding, shown
from tests.render.diff.changes import make_diff

SESSION = "ses_file"
SAVED = 1_000_000_000.25
"""When the page saved the notebook, in seconds since the epoch."""


def file_of(*listed: tuple[str, str], **more: Any) -> str:
    """Return a notebook's file with these cells, of ids and sources; `more` is in each of them."""
    made = [{"id": key, "cell_type": "code", "source": source, "outputs": [], **more} for key, source in listed]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    monkeypatch.setattr(notebook, "current", lambda: notebook.Notebook(tmp_path / "a.ipynb", "kernel-1"))
    page = Page("a", "b", "c")
    page.saved = datetime.fromtimestamp(SAVED, UTC).isoformat()
    with shown(page, SESSION):
        yield page


BEFORE = file_of(("c0", "a"), ("c1", "b"), ("c2", "c"))


def settle(root: Path, after: str) -> tuple[str, Changes]:
    """Return what the user is told after a turn that wrote this file, and what undoes it."""
    diff = make_diff(root, {"a.ipynb": (BEFORE, after)})
    editor = Editor("turn", Seen(), *finding(SESSION))

    async def changed() -> Diff:
        return diff

    return asyncio.run(take_over(editor, SAVED, changed)), editor.changes


def test_what_was_written_to_the_file_comes_into_the_page(page: Page, tmp_path: Path) -> None:
    after = file_of(("top", "# top"), ("c0", "a = 1"), ("n1", "new"), ("n2", "newer"), ("c2", "c"))
    told, changes = settle(tmp_path, after)
    assert page.sources == ["# top", "a = 1", "new", "newer", "c"]
    assert "has these changes now: cell 1 edited" in told
    assert (tmp_path / "a.ipynb").read_text() == BEFORE
    assert (tmp_path / "a.ipynb").stat().st_mtime == SAVED
    asyncio.run(changes.undo(["turn"]))
    assert page.sources == ["a", "b", "c"]


def test_what_the_user_has_written_since_stays_and_is_told(page: Page, tmp_path: Path) -> None:
    page.cells[0]["source"] = page.cells[1]["source"] = "the user's"
    after = file_of(("c0", "a = 1"), ("c2", "c = 3"))
    told, _ = settle(tmp_path, after)
    assert page.sources == ["the user's", "the user's", "c = 3"]
    assert "cell 1: you have changed it, too; cell 2: you have changed it, too" in told
    assert (tmp_path / "a.ipynb").read_text() == after


@pytest.mark.parametrize(
    "after",
    [
        file_of(("c0", "a"), ("c1", "b"), ("c2", "c"), outputs=[{"output_type": "stream", "text": "1"}]),
        file_of(("c2", "c"), ("c1", "b"), ("c0", "a")),
        file_of(("", "a"), ("", "b"), ("c2", "d")),
    ],
    ids=["outputs", "order", "no ids"],
)
def test_a_file_with_more_than_can_be_taken_over_stays(page: Page, tmp_path: Path, after: str) -> None:
    told, _ = settle(tmp_path, after)
    assert "not all of that is in the open notebook" in told
    assert page.sources == ["a", "b", "c"]
    assert (tmp_path / "a.ipynb").read_text() == after


def test_what_the_page_itself_saved_and_what_is_no_notebook_is_left_alone(page: Page, tmp_path: Path) -> None:
    assert settle(tmp_path, "no notebook")[0] == ""
    after = file_of(("c0", "an older state"))
    diff = make_diff(tmp_path, {"a.ipynb": (BEFORE, after)})
    os.utime(tmp_path / "a.ipynb", (SAVED, SAVED))

    async def changed() -> Diff:
        return diff

    assert asyncio.run(take_over(Editor("turn", Seen(), *finding(SESSION)), SAVED, changed)) == ""
    assert page.sources == ["a", "b", "c"]


SIDES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "1", "2"])), unique_by=lambda one: one[0])


@settings(max_examples=100, deadline=None)
@given(SIDES, SIDES, SIDES)
def test_a_plan_touches_only_cells_that_the_user_left_as_they_were(
    before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]], live: Sequence[tuple[str, str]]
) -> None:
    now = [cells.Cell(key, index, "code", source) for index, (key, source) in enumerate(live)]
    made = plan(file_of(*before).encode(), file_of(*after).encode(), now)
    old, mine = dict(before), dict(live)
    for cell_id in [*made.deletions, *(cell_id for cell_id, _ in made.edits)]:
        assert mine[cell_id] == old[cell_id]
    assert all(cell.id not in mine for _, cell in made.insertions)
    if not made.left:  # then the file can be put back: all of it is here
        result = {**mine, **dict(made.edits), **{cell.id: cell.source for _, cell in made.insertions}}
        there = {cell_id: source for cell_id, source in result.items() if cell_id not in made.deletions}
        written = {key: source for key, source in after if old.get(key) != source}
        assert {**there, **written} == there
