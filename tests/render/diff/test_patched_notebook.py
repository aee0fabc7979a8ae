"""A notebook's change in a turn's static card and in its patch: cells, not JSON with outputs."""

from __future__ import annotations

import difflib
import json
from typing import Any

import pytest

from opencode_nb.render.diff import box
from opencode_nb.render.turn.page import turn_html, turn_markdown
from tests.render.page_model import parse
from tests.render.turns import tool, turn


def notebook(*sources: str, output: str = "") -> list[str]:
    outputs = [{"output_type": "stream", "name": "stdout", "text": [output]}] if output else []
    cells = [{"cell_type": "code", "id": f"c{i}", "source": [s], "outputs": outputs} for i, s in enumerate(sources)]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1).splitlines()


def change(before: list[str], after: list[str], context: int = 100_000) -> dict[str, Any]:
    patch = "\n".join(difflib.unified_diff(before, after, "a.ipynb", "a.ipynb", lineterm="", n=context)) + "\n"
    return {"file": "a.ipynb", "patch": patch, "additions": 1, "deletions": 1, "status": "modified"}


CHANGED = change(notebook("x = 1", "y = 2", output="old output"), notebook("x = 1", "y = 3", output="new output"))


def test_a_turns_card_and_markdown_show_the_changed_cells() -> None:
    state = turn({"type": "text", "text": "done"})
    assert state.prompt is not None
    state.prompt.info["summary"] = {"diffs": [CHANGED]}
    for text in (parse(turn_html(state)).text, turn_markdown(state)):
        assert "Cell 2, code: changed, outputs changed" in text
        assert "y = 3" in text
        for raw in ("new output", "cell_type", "outputs", '"y = 3"'):
            assert raw not in text.replace("outputs changed", "")


def test_a_single_edit_of_a_notebook_is_shown_as_cells_too() -> None:
    part = change(notebook("x = 1", "y = 2"), notebook("x = 1", "y = 3"), context=1)
    state = turn(tool("edit", input={"filePath": "a.ipynb"}, metadata={"filediff": part}))
    assert state.prompt is not None
    state.prompt.info["summary"] = {"diffs": [CHANGED]}
    assert "Cell 2, code: changed" in turn_markdown(state)


def test_a_notebooks_patch_has_the_lines_of_its_cells() -> None:
    assert box.patch_text(CHANGED) == "@@ Cell 2, code: changed, outputs changed @@\n-y = 2\n+y = 3"


def test_new_and_deleted_notebooks_are_shown_as_cells() -> None:
    assert box.patch_text(change([], notebook("x = 1"))) == "@@ Cell 1, code: added @@\n+x = 1"
    assert box.patch_text(change(notebook("x = 1"), [])) == "@@ Cell 1, code: removed @@\n-x = 1"


def test_a_mere_run_changes_no_cell() -> None:
    ran = change(notebook("x = 1"), notebook("x = 1", output="1"))
    assert box.patch_text(ran) == ""
    assert "No cell source changed" in parse(box.html(ran)).text


@pytest.mark.parametrize("broken", ['{"cells": 3}', "{", '{"cells": [{"cell_type": "code", "outputs": 3}]}'])
def test_a_broken_notebook_is_shown_as_text(broken: str) -> None:
    assert broken in box.patch_text(change(["{}"], [broken]))
    assert broken in parse(box.html(change(["{}"], [broken]))).text


def test_a_part_of_a_notebook_is_shown_as_text() -> None:
    assert box.patch_text(change(notebook("x = 1"), notebook("x = 2"), context=1)).startswith("@@ -")


def test_a_permission_request_shows_changed_outputs_too() -> None:
    text = parse(box.block(box.whole(CHANGED))).text
    assert "new output" in text
    assert "Cell 2" not in text
