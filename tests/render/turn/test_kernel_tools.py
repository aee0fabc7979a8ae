"""Cards of the kernel's tools: what they show of code, output, tables, figures and errors, in every medium."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from opencode_nb.render.markdown.convert import to_html
from opencode_nb.render.turn import cards
from opencode_nb.render.turn.card_model import Context
from opencode_nb.render.turn.page import LiveTurn, turn_html, turn_markdown, turn_text
from opencode_nb.render.turn.terminal import turn_terminal
from opencode_nb.render.turn.tools import describe
from opencode_nb.transcript.state import TurnState
from tests.render.kernel_turns import CHANGES, CODE, SERVED, TABLE, blocks, call, figure, kernel_turn
from tests.render.page_model import Node, Page, parse
from tests.render.turns import tool, turn


def card(part: dict[str, Any], *shown: dict[str, Any], **more: Any) -> Node:
    context = Context(shown={"c": shown}, **more)
    (details,) = parse(cards.card_html(describe(part, context))).children
    assert isinstance(details, Node)
    return details


def line(details: Node) -> str:
    """A card's summary, without its glyph."""
    summary = details.children[0]
    assert isinstance(summary, Node)
    return " ".join(summary.text.split()).split(" ", 1)[1]


def printed(state: TurnState) -> str:
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(turn_terminal(state))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("python", {"code": "df.describe()"}, "Python df.describe()"),
        ("python", {"code": "\n# Look at it\ndf\n\ndf.head()\n"}, "Python Look at it (+2 lines)"),
        ("python", {"code": "a = 1\nb = 2"}, "Python a = 1 (+1 line)"),
        ("python", {}, "Python"),
        ("python", {"code": 3}, "Python"),
        ("inspect", {"name": "df"}, "Inspect df"),
        ("variables", {"filter": "d*", "page": 2}, "Variables d*"),
        ("variables", {}, "Variables"),
        ("figure", {}, "Figure the last shown"),
        ("history", {"count": 3}, "History"),
        ("progress", {}, "Progress what the kernel is doing"),
        ("run_cell", {"id": "c1"}, "Run cell c1"),
    ],
)
def test_a_card_names_the_tool_and_its_subject(name: str, given: dict[str, Any], expected: str) -> None:
    details = card(call(name, input=given))
    assert line(details) == expected
    assert details.attrs["data-tool"] == name


@pytest.mark.parametrize(
    ("tool", "title", "expected"),
    [
        ("edit_cell", "Cell 2", "Edit cell 2"),
        ("move_cell", "Cell 3 \u2192 1", "Move cell 3 \u2192 1"),
        ("insert_cell", "New code cell at 4", "Insert cell new code cell at 4"),
        ("run_cell", None, "Run cell c-1"),
    ],
)
def test_a_card_names_a_cell_as_people_count_it(tool: str, title: Any, expected: str) -> None:
    block = {"kind": "cell", "title": title, "before": "a", "after": "b"}
    assert line(card(call(tool, input={"id": "c-1"}), block)) == expected


def test_the_served_name_stands_nowhere() -> None:
    """Not on cards, in errors, or where a subagent calls what it does not have."""
    state = kernel_turn()
    parts = [
        *state.parts,
        call("python", "error", "c9", error=f"{SERVED}_python: timed out"),
        tool(
            "invalid", input={"tool": f"{SERVED}_python", "error": f"tried to call unavailable tool '{SERVED}_python'"}
        ),
    ]
    for form in (turn_html, turn_markdown, turn_text, printed):
        shown = form(turn(*parts, shown=state.shown))
        assert SERVED not in shown
        assert "python" in shown
    assert "subagents do not have them" in turn_text(turn(*parts))


def test_blocks_are_in_the_order_in_which_they_came_about() -> None:
    part = call("python", input={"code": CODE}, output="for the model", attachments=[figure()])
    details = card(part, *blocks({"kind": "error", "text": "KeyError: 'x'"}))
    shown = "".join(
        "[figure]" if node.tag == "img" else node.text
        for node in details.children[1].walk()
        if node.tag in ("img", "pre", "td", "span")  # type: ignore[union-attr]
    )
    order = ["import pandas", "299 passenger", "FutureWarning", "Index(", "Braund", "KeyError", "[figure]", CHANGES]
    places = [shown.index(text) for text in order]
    assert places == sorted(places)
    assert "for the model" not in shown


def test_without_what_was_shown_the_output_is_shown() -> None:
    """As after a reload, and in a session that was opened elsewhere."""
    details = card(call("python", input={"code": "f()"}, output="\x1b[31mred\x1b[0m", attachments=[figure()]))
    assert "red" in details.text
    assert [node.attrs["alt"] for node in details.walk() if node.tag == "img"] == ["Figure"]


def test_a_figure_is_seen_without_unfolding() -> None:
    plain = call("python", input={"code": "1"}, output="1")
    assert "open" not in card(plain).attrs
    assert "open" in card(call("python", input={"code": "1"}, attachments=[figure()])).attrs
    withheld = card(plain, {"kind": "image", "png": "iVBORw0KGgo="})
    assert "open" in withheld.attrs
    (picture,) = [node for node in withheld.walk() if node.tag == "img"]
    assert picture.attrs["src"] == "data:image/png;base64,iVBORw0KGgo="
    both = card(call("python", attachments=[figure()]), {"kind": "image", "png": "iVBORw0KGgo="})
    assert [node.attrs["src"] for node in both.walk() if node.tag == "img"] == [figure()["url"]]
    several = card(call("python", attachments=[figure(), figure()]))
    assert [node.attrs["alt"] for node in several.walk() if node.tag == "img"] == ["Figure 1", "Figure 2"]


def test_figures_are_where_the_code_drew_them() -> None:
    """Attached, or withheld from the model; what else is attached comes before the changes."""
    printed_between = [{"kind": "stdout", "text": "first"}, {"kind": "image", "png": "iVBORw0KGgo="}]
    printed_between += [{"kind": "stdout", "text": "second"}, {"kind": "image", "png": "iVBORw0KGgo="}]
    for attached in ([], [figure(), figure()], [figure()] * 3):
        details = card(call("python", attachments=attached), *printed_between, {"kind": "changes", "text": "df: new"})
        seen = [
            node.attrs["alt"] if node.tag == "img" else node.text
            for node in details.walk()
            if node.tag in ("img", "pre")
        ]
        assert seen == ["first", "Figure 1", "second", "Figure 2", *["Figure 3"] * (len(attached) == 3)]
        sources = {node.attrs["src"] for node in details.walk() if node.tag == "img"}
        assert sources == ({figure()["url"]} if attached else {"data:image/png;base64,iVBORw0KGgo="})
        assert details.text.endswith("Changed df: new")


def test_code_that_raised_is_a_failed_call() -> None:
    """However the server calls it: its error repeats the traceback."""
    error = {"kind": "error", "text": "Traceback (most recent call last):\nKeyError: 'x'"}
    for part in (call("python", output="KeyError"), call("python", "error", error="KeyError: told twice")):
        details = card(part, error)
        assert details.attrs["data-status"] == "error"
        assert "open" in details.attrs
        assert details.text.count("KeyError") == 1
    stopped = card(call("python", "error", metadata={"interrupted": True}), error)
    assert stopped.attrs["data-status"] == "interrupted"
    assert "KeyError" in stopped.text
    assert "no longer answers" in card(call("python", "error", error="The kernel no longer answers.")).text


def test_a_running_call_shows_its_code_unless_it_waits() -> None:
    running = call("python", "running", input={"code": "f()"})
    assert "open" in card(running).attrs
    assert "open" not in card(call("inspect", "running", input={"name": "df"})).attrs


def test_a_table_has_aligned_numbers_types_and_a_size() -> None:
    details = card(call("inspect", input={"name": "titanic"}), TABLE)
    (table,) = [node for node in details.walk() if node.tag == "table"]
    head, *rows = [node for node in table.walk() if node.tag == "tr"]
    assert [cell.text for cell in head.children if isinstance(cell, Node)][:3] == ["", "passengerint64", "survivedbool"]
    cells = [cell for cell in rows[0].children if isinstance(cell, Node)]
    right = [cell.text for cell in cells if "text-align:right" in str(cell.attrs["style"])]
    assert right[:3] == ["1", "3", "7.25"]
    assert cells[0].tag == "th"
    (box,) = [node for node in details.walk() if "oc-scrolled" in str(node.attrs.get("class"))]
    assert (box.attrs["tabindex"], box.attrs["aria-label"]) == ("0", "Table, 891 rows, 12 columns")
    assert "<b>Bradley</b>" in table.text


def test_a_table_is_one_in_markdown_and_aligned_in_a_terminal() -> None:
    state = turn(call("inspect", input={"name": "t"}, attachments=[figure()]), shown={"c": [TABLE]})
    html = parse(to_html(turn_markdown(state)))
    cells = [node.text for node in html.walk() if node.tag == "td"]
    assert "Cumings, Mrs. John <b>Bradley</b>" in cells
    lines = printed(turn(call("python", attachments=[figure()]), shown={"c": [TABLE]})).splitlines()
    (first,) = [text for text in lines if "Braund" in text]
    (second,) = [text for text in lines if "Cumings" in text]
    assert len(first) <= 80
    assert first.index("Braund") == second.index("Cumings")
    assert any("[Figure" in text for text in lines)


def test_a_wide_or_long_table_is_cut_to_a_head() -> None:
    many = {
        "kind": "table",
        "columns": [f"c{i}" for i in range(500)],
        "rows": [["1"] * 500] * 500,
        "index": ["0"] * 500,
    }
    details = card(call("inspect"), many)
    cells = [node for node in details.walk() if node.tag in ("td", "th")]
    assert len(cells) == 61 * 41
    assert "here 60 rows, 40 columns" in details.text


@pytest.mark.parametrize(
    "block",
    [
        {"kind": "table"},
        {"kind": "table", "columns": [], "rows": []},
        {"kind": "table", "columns": ["a", "b"], "rows": [["1"], ["1", "2", "3"], None, "x"], "index": ["0"]},
        {"kind": "table", "columns": "ab", "rows": 3, "dtypes": {}},
        {"kind": "table", "columns": [1, None], "dtypes": [], "rows": [[None, 2.5]]},
        {"kind": "stdout"},
        {"kind": "error", "text": None},
        {"kind": "image", "png": 'x" onerror="alert(1)'},
        {"kind": "image"},
        {"kind": "html", "text": "<script>alert(1)</script>"},
        {},
    ],
)
def test_any_malformed_block_leaves_a_card(block: dict[str, Any]) -> None:
    state = turn(call("python", input={"code": "1"}), shown={"c": [block, {"kind": "stdout", "text": "printed"}]})
    assert "script" not in parse(turn_html(state)).text
    assert not [node for node in parse(turn_html(state)).walk() if node.tag == "img"]
    assert "printed" in turn_html(state)
    assert "printed" in turn_markdown(state)
    assert "printed" in printed(state)
    turn_text(state)


def test_what_is_shown_arrives_on_the_page_in_place() -> None:
    part = call("python", "running", input={"code": "1"})
    state = turn(part, status="running")
    live = LiveTurn(state)
    page = Page(live.open())
    page.apply(live.update(None))
    state.shown["c"] = [TABLE]
    page.apply(live.update({"prt_000"}))
    assert "Braund" in page.root.text
    assert Page(live.snapshot()).html(keys=True) == page.html(keys=True)


@pytest.mark.parametrize("form", [turn_html, turn_markdown, turn_text, printed])
def test_what_left_the_kernel_is_told_in_every_form(form: Any) -> None:
    told = " ".join(form(kernel_turn()).replace("\\", "").split())
    assert "Sent from the kernel" in told
    assert "titanic (schema, 412 tokens)" in told
    assert "python (full, 1.3k tokens, 1 image)" in told
    assert "Sent from the kernel" not in form(turn())


def test_a_function_of_the_user_s_shows_its_arguments_and_how_far_it_is() -> None:
    running = call("look_up", "running", input={"city": "Graz", "days": 3})
    shown = card(running, {"kind": "progress", "text": "1 of 2: half"})
    assert line(shown).startswith("Look up Graz")
    assert "1 of 2: half" in line(shown)
    assert "days 3" in " ".join(shown.text.split())
