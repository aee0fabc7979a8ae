"""Notebooks compared cell by cell."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.diffs import notebook

Cell = dict[str, Any]


def code(source: str, id: str = "", **more: Any) -> Cell:
    return {"cell_type": "code", "source": source.splitlines(keepends=True), "outputs": [], **more, "id": id}


def text(source: str, id: str = "") -> Cell:
    return {"cell_type": "markdown", "source": source, "id": id}


def made(*cells: Cell, **metadata: Any) -> bytes:
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


def statuses(before: bytes | None, after: bytes | None, *, outputs: bool = False) -> list[tuple[Any, ...]]:
    compared = notebook.compare(before, after, outputs=outputs)
    return [(cell.status, cell.old_index, cell.new_index) for cell in compared.cells]


A, B, C = code("import numpy as np\n", "a"), text("# Title\n\nwords", "b"), code("x = 1\ny = 2\nprint(x + y)\n", "c")


def test_cells_are_added_removed_moved_and_changed() -> None:
    changed = code("x = 1\ny = 3\nprint(x + y)\n", "c")
    assert statuses(made(A, B, C), made(A, B, C)) == [("same", 0, 0), ("same", 1, 1), ("same", 2, 2)]
    assert statuses(made(A, C), made(A, B, C)) == [("same", 0, 0), ("added", None, 1), ("same", 1, 2)]
    assert statuses(made(A, B, C), made(A, C)) == [("same", 0, 0), ("removed", 1, None), ("same", 2, 1)]
    assert statuses(made(A, B, C), made(A, B, changed)) == [("same", 0, 0), ("same", 1, 1), ("changed", 2, 2)]
    assert statuses(made(A, B, C), made(C, A, B)) == [("moved", 2, 0), ("same", 0, 1), ("same", 1, 2)]
    assert statuses(None, made(A)) == [("added", None, 0)]
    assert statuses(made(A), None) == [("removed", 0, None)]


def test_a_changed_source_has_hunks() -> None:
    (cell,) = notebook.compare(made(C), made(code("x = 1\ny = 3\nprint(x + y)\n", "c"))).changed
    assert [line.kind + line.text for hunk in cell.hunks for line in hunk.lines] == [
        " x = 1", "-y = 2", "+y = 3", " print(x + y)",
    ]  # fmt: skip


def test_cells_without_or_with_new_ids_are_matched_by_content() -> None:
    changed = code("x = 1\ny = 2\nprint(x + y, x * y)\n", "new")
    assert statuses(made(A, B, C), made(code("import numpy as np\n"), text("# Title\n\nwords", "z"), changed)) == [
        ("same", 0, 0), ("same", 1, 1), ("changed", 2, 2),
    ]  # fmt: skip
    other = code("entirely('different', [1, 2, 3])\n", "new")
    assert statuses(made(A, C), made(A, other)) == [("same", 0, 0), ("added", None, 1), ("removed", 1, None)]
    assert statuses(made(C), made({**text("x = 1\ny = 2\nprint(x + y)\n"), "id": "c"})) == [("changed", 0, 0)]


def test_outputs_count_only_on_request() -> None:
    ran = {**C, "execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": "3\n"}]}
    compared = notebook.compare(made(A, C), made(A, ran, kernelspec="other"))
    assert compared.changed == ()
    assert compared.metadata
    assert [cell.ran for cell in compared.cells] == [False, True]
    assert statuses(made(A, C), made(A, ran), outputs=True) == [("same", 0, 0), ("changed", 1, 1)]
    assert statuses(made(A), made({**A, "id": "other"}), outputs=True) == [("changed", 0, 0)]


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"{}", b'{"cells": 1}', b"\xff", b'{"worksheets": []}'])
def test_what_is_not_a_notebook_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # json's own, or ours
        notebook.compare(made(A), broken)


DEEP = b"[" * 5_000 + b"]" * 5_000
OUTPUT = {"output_type": "stream", "name": "stdout", "text": "1\n"}


@pytest.mark.parametrize(
    "broken",
    [
        made({**A, "outputs": 3}),
        made({**A, "outputs": "text"}),
        made({**A, "outputs": [3]}),
        made({**A, "metadata": 3}),
        made({**A, "metadata": ["a"]}),
        made({**A, "source": 3}),
        made({**A, "source": ["a", 3]}),
        made({**A, "cell_type": None}),
        made({**A, "execution_count": "3"}),
        made(A, 3),  # type: ignore[arg-type]
        b'{"cells": [], "metadata": 3}',
        b'{"cells": {"0": {}}}',
        b'{"cells": [], "x": ' + DEEP + b"}",
        b'{"cells": [{"cell_type": "code", "source": "", "metadata": {"a": ' + DEEP + b"}}]}",
        b'{"cells": [], "n": ' + b"9" * 5_000 + b"}",
        made(A).decode().encode("utf-16"),
        b"\xef\xbb\xbf" + made(A),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_malformed_notebook_is_refused(broken: bytes, swapped: bool) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # json's own, or ours
        notebook.compare(*((broken, made(A)) if swapped else (made(A), broken)), outputs=True)


def test_an_odd_but_valid_notebook_is_compared() -> None:
    odd = made({**A, "outputs": [{**OUTPUT, "score": float("nan")}]}, {**A}, {**A}, value=float("inf"))
    assert statuses(odd, odd, outputs=True) == [("same", 0, 0), ("same", 1, 1), ("same", 2, 2)]
    twice = b'{"cells": [], "cells": [{"cell_type": "raw", "source": "x"}]}'
    assert statuses(None, twice) == [("added", None, 0)]


def nested(depth: int) -> bytes:
    value = "[" * depth + "]" * depth
    return f'{{"cells": [{{"cell_type": "code", "source": "", "outputs": [{{"data": {value}}}]}}]}}'.encode()


@pytest.mark.parametrize("depth", [10, 300, 900, 980, 990, 995, 1_000, 5_000, 100_000])
def test_any_depth_is_compared_or_raises_value_error(depth: int) -> None:
    with contextlib.suppress(ValueError):
        notebook.compare(nested(depth), nested(depth - 1), outputs=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cells", "cell_type", "source", "outputs", "metadata", "id", "execution_count", "text"]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(JSON, JSON)
def test_any_json_is_compared_or_raises_value_error(before: Any, after: Any) -> None:
    for value in (
        before,
        {"cells": [before, after]},
        {"cells": [{"cell_type": "code", "source": "x", "outputs": before}]},
    ):
        with contextlib.suppress(ValueError):
            notebook.compare(json.dumps(value).encode(), made(A), outputs=True)


def test_a_long_notebook_is_matched() -> None:
    cells = [code(f"value_{i} = compute({i})\n", f"c{i}") for i in range(600)]
    rewritten = [code(f"value_{i} = compute({i}, fast=True)\n", f"n{i}") for i in range(600)]
    found = {status for status, *_ in statuses(made(*cells), made(*cells[300:], *cells[:300]))}
    assert found == {"same", "moved"}
    assert {status for status, *_ in statuses(made(*cells[:80]), made(*rewritten[:80]))} == {"changed"}
