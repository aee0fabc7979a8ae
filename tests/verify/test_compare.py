"""Outputs that are the same result though they look different, and those that are not."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.verify import pictures, text
from opencode_nb.verify.compare import differences
from opencode_nb.verify.html_text import html_text
from opencode_nb.verify.text import Span
from tests.verify.corpus import picture, png, printed, raised, value

RUN = Span(
    datetime(2026, 3, 4, 12, 30, 0, tzinfo=UTC).timestamp(), datetime(2026, 3, 4, 12, 31, 0, tzinfo=UTC).timestamp()
)
NOW = int(RUN.start) + 10

SAME = [
    ("a  b\n", "a b"),
    ("<A object at 0x7f00aa11bb22>", "<A object at 0x7fffffff0000>"),
    ("Cell In[3], line 1", "Cell In[7], line 1"),
    ("ipykernel_12/345.py:1: Warning", "ipykernel_99/1.py:1: Warning"),
    ("0.30000000000000004", "0.3"),
    (
        "CPU times: user 3 ms, sys: 1 ms, total: 4 ms\nWall time: 1.2 s",
        "CPU times: user 900 µs, sys: 0 ns, total: 1 ms\nWall time: 8 ms",
    ),
    ("12.3 ns ± 0.4 ns per loop (mean of 7 runs)", "15 ns ± 2 ns per loop (mean of 7 runs)"),
    ("done in 3.2 s", "done in 11 s"),
    ("at 2025-12-24 08:00:01.5", "at 2026-03-04 12:30:20.25"),
    ("2025-12-24T08:00:01", "2026-03-04T12:30:59"),
    ("datetime.datetime(2025, 1, 2, 3, 4)", "datetime.datetime(2026, 3, 4, 12, 30, 20, 15)"),
    ("1700000000.25", f"{NOW}.75"),
]
OTHER = [
    ("a b", "a c"),
    ("a\nb", "a b"),
    ("12", "13"),
    ("0.3", "0.30001"),
    ("3", "3.0"),
    ("2025-12-24 08:00", "2025-12-25 08:00"),
    ("08:00:00", "03:17:00"),
    ("a period of 3.2 s", "a period of 3.3 s"),
    ("1, 2", "1, 2, 3"),
    ("Array(3)", "Array[3]"),
]


@pytest.mark.parametrize(("before", "after"), SAME)
def test_the_same_result_is_a_difference(before: str, after: str) -> None:
    assert text.difference(before, after, RUN) == ""


@pytest.mark.parametrize(("before", "after"), OTHER)
def test_another_result_is_no_difference(before: str, after: str) -> None:
    assert text.difference(before, after, RUN)


def test_a_difference_shows_more_or_other_lines_than_differ() -> None:
    assert text.difference("a\nb\nc\n", "a\nx\nc\n", RUN) == "- b\n+ x"
    assert text.difference("a\nb\nc\n", "a\nc\n", RUN) == "- b"
    assert text.difference("a\n", "a\nb\n", RUN) == "+ b"
    long = text.difference("\n".join(map(str, range(50))), "\n".join(f"{n}!" for n in range(50)), RUN)
    assert long.splitlines()[-1] == "  … 88 more lines"
    assert len(text.difference("x" * 9000, "y" * 9000, RUN)) < 1000


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_compared_without_an_error(before: str, after: str) -> None:
    assert text.difference(before, before, RUN) == ""
    if text.difference(before, after, RUN):
        assert before != after


# -- tables ------------------------------------------------------------------------------------------------------------

TABLE = (
    "<style>.{id} {{}}</style><table id='{id}'><tr><th></th><th>a</th></tr><tr><th>0</th><td>{cell}</td></tr></table>"
)


def test_a_table_is_read_with_its_looks() -> None:
    assert html_text(TABLE.format(id="T_1", cell="1.5 <b>m</b>")) == "| a\n0 | 1.5 m"
    assert (
        html_text("<p>a<br>b</p><script>plot('3f2a0000-1111-2222-3333-444455556666', [1])</script>")
        == "a\nb\nplot('id', [1])"
    )
    assert html_text("<td <!-- <![x <table") == "<td <!-- <![x <table"


def shown(before: Any, after: Any) -> list[str]:
    return [f"{one.what} {one.lines}".strip() for one in differences(before, after, RUN)]


def test_frames_differ_by_their_looks_or_not_by_their_values() -> None:
    def frame(mark: str, cell: str) -> Any:
        return value("a frame", text_html=TABLE.format(id=mark, cell=cell))

    assert shown([frame("T_1", "0.1")], [frame("T_2", "0.10000000000000001")]) == []
    assert shown([frame("T_1", "0.1")], [frame("T_2", "0.2")]) == ["It shows another table. - 0 | 0.1\n+ 0 | 0.2"]


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_pictures_differ_by_their_files_or_not_by_their_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    red = png((200, 0, 0), comment="a")
    almost, blue = png((203, 0, 0), comment="a longer one"), png((0, 0, 200))
    assert [pictures.difference(red, other) for other in (png((200, 0, 0)), almost)] == ["", ""]
    assert pictures.difference(red, blue) == "12 of its 12 pixels differ."
    assert pictures.difference(red, png((200, 0, 0), (5, 3))) == "It had 4 × 3 pixels, and has 5 × 3."
    assert pictures.difference(red, red[:40]) != ""
    assert pictures.difference(b"no picture", b"nor this") != ""
    same = png((200, 0, 0))
    monkeypatch.setitem(sys.modules, "PIL", None)  # as where it is not installed
    assert pictures.difference(red, same) == ""
    assert pictures.difference(red, blue) == "Its pixels differ."


# -- outputs -----------------------------------------------------------------------------------------------------------

JSON = [value("") | {"data": {"application/json": data}} for data in ({"b": 1, "a": [2]}, {"a": [2], "b": 1})]
WIDGET = {"application/vnd.jupyter.widget-view+json": '{"model_id": "1"}'}
OUTPUTS: list[tuple[list[Any], list[Any], list[str]]] = [
    ([value("3", 4)], [value("3", 9)], []),
    ([printed("a\n"), value("3"), printed("b\n")], [printed("a\nb\n"), value("3")], []),
    ([printed("50%\r100%\n")], [printed("10%\r90%\r100%\n")], []),
    ([printed("a")], [printed("b")], ["It prints something else. - a\n+ b"]),
    ([], [printed("w", "stderr")], ["It prints something else to stderr. + w"]),
    ([value("3")], [], ["It no longer shows all that stands here. - 3"]),
    ([], [value("3")], ["It shows more than stands here. + 3"]),
    ([value("x", text_html="<b>1</b>")], [value("y", text_html="<i>1</i>")], []),
    ([picture(png((9, 9, 9)))], [picture(png((9, 9, 9), comment="c"))], []),
    ([picture(png((9, 9, 9)))], [picture(png((99, 9, 9)))], ["It draws another picture. 12 of its 12 pixels differ."]),
    ([value("W()") | {"data": {**WIDGET, "text/plain": "W(1)"}}], [value("W(1)")], []),
    ([value("a") | {"data": {"text/latex": "$x$"}}], [value("a")], ["It shows text/plain instead of text/latex."]),
    (JSON[:1], JSON[1:], []),
    ([raised("ValueError", "no")], [], ["It raises something else. - ValueError: no"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "said"), OUTPUTS)
def test_outputs_are_compared_wrongly(before: list[Any], after: list[Any], said: list[str]) -> None:
    assert shown(before, after) == said
