"""Tool cards: the content of each tool's card in every state, and how outputs are shown."""

from __future__ import annotations

from typing import Any

import pytest

from opencode_nb.render.chat.docks import todos_html
from opencode_nb.render.markup import ansi
from opencode_nb.render.turn import cards, layout
from opencode_nb.render.turn.card_model import Context, Problem
from opencode_nb.render.turn.page import turn_html, turn_markdown
from opencode_nb.render.turn.phrases import duration, shorten
from opencode_nb.render.turn.todos import progress
from opencode_nb.render.turn.tools import describe, elapsed, explored
from tests.render.page_model import Node, parse
from tests.render.turns import PDF, PICTURE, tool, turn

HERE = Context(directory="/project")


def card(name: str, status: str = "completed", context: Context = HERE, **state: Any) -> Node:
    return parse(cards.card_html(describe(tool(name, status, **state), context)))


CASES: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("bash", {"input": {"command": "ls -l"}, "output": "a\nb"}, "Shell ls -l", ["$ ls -l", "a\nb"]),
    ("bash", {"input": {"command": "x"}, "metadata": {"exit": 3}}, "Shell x exit 3", []),
    (
        "edit",
        {"input": {"filePath": "/project/a.py"}, "metadata": {"filediff": {"patch": "@@ -1 +1 @@\n-a\n+b\n"}}},
        "Edit a.py +1 −1",
        ["-a", "+b"],
    ),
    ("edit", {"input": {"filePath": "a", "oldString": "x\ny", "newString": "x\nz"}}, "Edit a +1 −1", ["-y", "+z"]),
    ("write", {"input": {"filePath": "/project/n.md", "content": "# n\n"}}, "Create n.md +1 −0", ["# n"]),
    ("write", {"input": {"filePath": "n", "content": "x"}, "metadata": {"exists": True}}, "Write n", ["x"]),
    (
        "apply_patch",
        {
            "metadata": {
                "files": [
                    {
                        "relativePath": "a",
                        "type": "add",
                        "patch": "@@ -0,0 +1 @@\n+x\n",
                        "additions": 1,
                        "deletions": 0,
                    },
                    {"relativePath": "b", "type": "delete", "patch": "", "additions": 0, "deletions": 2},
                ]
            }
        },
        "Patch 2 files +1 −2",
        ["a new file", "+x", "b deleted"],
    ),
    (
        "read",
        {"input": {"filePath": "/project/a.py", "offset": 5, "limit": 9}, "metadata": {"display": {"text": "code"}}},
        "Read a.py from line 5, 9 lines",
        ["code"],
    ),
    (
        "grep",
        {"input": {"pattern": "x", "path": "/project/src"}, "metadata": {"matches": 2}},
        "Grep x in src 2 found",
        [],
    ),
    (
        "glob",
        {"input": {"pattern": "*"}, "metadata": {"count": 0}, "output": "No files"},
        "Glob * 0 found",
        ["No files"],
    ),
    (
        "todowrite",
        {"metadata": {"todos": [{"content": "a", "status": "completed"}, {"content": "b", "status": "in_progress"}]}},
        "Todos 1 of 2 done",
        ["☑a", "◐b"],
    ),
    (
        "task",
        {
            "input": {"description": "Look", "prompt": "do *it*", "subagent_type": "explore"},
            "output": "<task_result>\n**Found**\n</task_result>",
        },
        "explore agent Look",
        ["do it", "Found"],
    ),
    ("webfetch", {"input": {"url": "https://x.org/a"}, "output": "text"}, "Fetch https://x.org/a", ["text"]),
    ("websearch", {"input": {"query": "cats"}}, "Web search cats", []),
    (
        "question",
        {"input": {"questions": [{"question": "Which?"}]}, "metadata": {"answers": [["A", "B"]]}},
        "Question Which?",
        ["A, B"],
    ),
    ("skill", {"metadata": {"name": "pdf"}}, "Skill pdf", []),
    ("invalid", {"input": {"tool": "bsh", "error": "no such tool"}}, "Unknown tool bsh failed", ["no such tool"]),
    ("kernel_run", {"input": {"code": "1+1", "n": 5}, "output": "2"}, "kernel_run 1+1", ["code 1+1", "n 5", "2"]),
]


@pytest.mark.parametrize(("name", "state", "line", "body"), CASES)
def test_the_content_of_a_card(name: str, state: dict[str, Any], line: str, body: list[str]) -> None:
    (details,) = card(name, **state).children
    summary, *rest = details.children
    assert " ".join(summary.text.split()).split(" ", 1)[1] == line
    text = "".join(node.text for node in rest)
    for piece in body:
        assert piece in text


@pytest.mark.parametrize("name", [*dict.fromkeys(case[0] for case in CASES), "unheard_of"])
@pytest.mark.parametrize(
    ("status", "ended", "expected"),
    [
        ("pending", False, "pending"),
        ("running", False, "running"),
        ("completed", True, "completed"),
        ("error", True, "error"),
        ("running", True, "interrupted"),
        ("pending", True, "interrupted"),
        ("nonsense", False, "pending"),
    ],
)
def test_every_tool_has_a_card_in_every_state(name: str, status: str, ended: bool, expected: str) -> None:
    state = {"error": "it broke"} if status == "error" else {}
    (details,) = card(name, status, Context(ended=ended), **state).children
    assert details.attrs["data-tool"] == name
    shown = "error" if name == "invalid" and expected == "completed" else expected
    assert details.attrs["data-status"] == shown
    if expected == "error":
        assert "open" in details.attrs
        assert "it broke" in details.text
    if expected == "interrupted":
        assert "interrupted" in details.text


@pytest.mark.parametrize("state", [None, [], "x", {"input": [], "metadata": "x", "time": 3, "attachments": {"a": 1}}])
@pytest.mark.parametrize("name", [*dict.fromkeys(case[0] for case in CASES), "unheard_of"])
def test_any_malformed_part_has_a_card(name: str, state: Any) -> None:
    describe({"type": "tool", "tool": name, "state": state})
    names = ["filePath", "command", "pattern", "content", "todos", "questions", "url", "query"]
    wrong: dict[str, Any] = {name: [{"x": None}, 3] for name in names}
    kinds = {
        "diagnostics": [1],
        "files": 3,
        "filediff": "x",
        "answers": {"a": 1},
        "todos": [1],
        "display": [],
        "exit": "x",
    }
    parse(cards.card_html(describe(tool(name, input=wrong, metadata=kinds, output={"a": [1]}))))


def test_an_error_marked_interrupted_is_shown_as_interrupted() -> None:
    stopped = describe(tool("bash", "error", error="Tool execution aborted", metadata={"interrupted": True}))
    assert stopped.status == "interrupted"


def test_at_most_three_diagnostics_and_only_errors() -> None:
    items = [{"message": f"bad {i}", "severity": 1, "range": {"start": {"line": i}}} for i in range(5)]
    items.insert(0, {"message": "a hint", "severity": 4})
    described = describe(tool("edit", metadata={"diagnostics": {"/project/a.py": items}}), HERE)
    (problem,) = [block for block in described.blocks if isinstance(block, Problem)]
    assert problem.text == "a.py:1 bad 0\na.py:2 bad 1\na.py:3 bad 2\nand 2 more"


def test_attachments_are_shown_as_pictures_or_names() -> None:
    files = [{"mime": "image/png", "filename": "p.png", "url": PICTURE}, {"mime": "application/pdf", "url": "data:x"}]
    nodes = list(card("read", attachments=files).walk())
    (picture,) = [node for node in nodes if node.tag == "img"]
    assert (picture.attrs["src"], picture.attrs["alt"]) == (PICTURE, "p.png")
    assert any(node.text == "application/pdf (application/pdf)" for node in nodes)


def test_an_embedded_pdf_unfolds() -> None:
    nodes = list(card("read", attachments=[{"mime": "application/pdf", "filename": "p.pdf", "url": PDF}]).walk())
    (shown,) = [node for node in nodes if node.tag == "object"]
    assert (shown.attrs["data"], shown.attrs["type"]) == (PDF, "application/pdf")
    assert shown.parent is not None
    assert shown.parent.tag == "details"
    assert "open" not in shown.parent.attrs
    elsewhere = card("read", attachments=[{"mime": "application/pdf", "url": "https://example.org/p.pdf"}]).walk()
    assert [node for node in elsewhere if node.tag == "object"] == []


LONG = "".join(f"line {i}\n" for i in range(300))


@pytest.mark.parametrize(
    ("name", "state", "label", "from_end"),
    [
        ("bash", {"input": {"command": "seq 300"}, "output": LONG}, "Output of seq 300", True),
        ("grep", {"input": {"pattern": "x"}, "output": LONG}, "Output", False),
        ("write", {"input": {"filePath": "/project/x", "content": LONG}}, "Content of x", False),
        ("read", {"input": {"filePath": "/project/x"}, "output": LONG}, "Content of x", False),
        ("kernel_run", {"input": {"code": "1"}, "output": "one line of " + "text " * 1000}, "Output", False),
    ],
)
def test_long_output_scrolls_in_its_card(name: str, state: dict[str, Any], label: str, from_end: bool) -> None:
    """By keys, too; on the live page, not in the saved notebook, all of it can be shown."""
    tree = parse(cards.card_html(describe(tool(name, **state), HERE), key="k"))
    (box,) = [node for node in tree.walk() if "oc-scrolled" in str(node.attrs.get("class"))]
    assert (box.attrs["tabindex"], box.attrs["role"], box.attrs["aria-label"]) == ("0", "group", label)
    assert ("oc-ending" in str(box.attrs["class"])) is from_end
    assert box.text.strip() == next(text.strip() for text in (state.get("output"), LONG) if text)
    (whole,) = [node for node in tree.walk() if "oc-whole" in str(node.attrs.get("class"))]
    assert str(whole.attrs["data-fold"]).startswith("kw")
    assert "Show all" in whole.text
    saved = parse(cards.card_html(describe(tool(name, **state), HERE)))
    assert "Show all" not in saved.text
    assert "max-height" in str(
        next(n for n in saved.walk() if "oc-scrolled" in str(n.attrs.get("class"))).attrs["style"]
    )


def test_short_output_does_not_scroll() -> None:
    assert "oc-scrolled" not in cards.output_html("line\n" * cards.SHORT)
    assert "Show all 21 lines" in cards.output_html("line\n" * (cards.SHORT + 1), key="k")


def test_the_card_of_a_subagent_says_that_it_has_no_kernel() -> None:
    task = tool("task", input={"subagent_type": "general", "description": "Look"})
    assert describe(task, Context(in_kernel=True)).note == "without the kernel"
    assert describe(task, Context()).note == ""
    sent = turn(task, sent=[{"about": "df", "level": "schema", "tokens": 12, "images": 0}])
    assert "without the kernel" in parse(turn_html(sent)).text


def test_a_running_output_shows_its_last_lines() -> None:
    growing = parse(cards.output_html(LONG, growing=True))
    assert growing.text.startswith("line 260\n")
    assert growing.text.endswith("line 299")


@pytest.mark.parametrize("ended", [False, True])
def test_the_users_own_shell_command_is_unfolded(ended: bool) -> None:
    listing = tool("bash", input={"command": "ls"}, output="a\nb")
    assert describe(listing, Context(ended=ended, typed=True)).open
    assert not describe(listing, Context(ended=ended)).open


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["completed", "in_progress"], "1 of 2 done"),
        (["completed", "cancelled", "pending"], "1 of 2 done, 1 cancelled"),
        (["cancelled", "cancelled"], "2 cancelled"),
        (["completed"], "1 of 1 done"),
    ],
)
def test_todo_counts_agree_in_every_form(statuses: list[str], expected: str) -> None:
    todos = [{"content": f"to do {i}", "status": status} for i, status in enumerate(statuses)]
    assert describe(tool("todowrite", metadata={"todos": todos})).about == expected
    assert expected in parse(todos_html(todos, busy=True)).text
    running = turn(status="running", todos=[*todos, {"content": "now", "status": "in_progress"}])
    assert progress(running.todos) in parse(layout.todos_html(running)).text


def test_cancelled_todos_are_neither_done_nor_open() -> None:
    todos = [{"content": "a", "status": "completed"}, {"content": "b", "status": "cancelled"}]
    assert todos_html(todos, busy=False) == ""
    state = turn(tool("todowrite", metadata={"todos": todos}))
    assert "- [x] a\n- ~~b~~ (cancelled)" in turn_markdown(state)


def test_shortened_lines_and_durations() -> None:
    assert shorten("a b\n  c", 10) == "a b c"
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert [duration(s) for s in (None, 0.25, 9.94, 9.96, 59.6, 125)] == [
        "",
        "0.2 s",
        "9.9 s",
        "10 s",
        "1 min 0 s",
        "2 min 5 s",
    ]
    assert elapsed({"start": 1000, "end": 3500}) == 2.5
    assert elapsed({"start": 1000}) is None
    assert explored(["read", "grep", "read", "glob"]) == "2 reads, 2 searches"
    assert Context(directory="/p/").path("/p/a") == "a"
    assert Context(directory="/p").path("/pq/a") == "/pq/a"


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("a\nb\n", "a\nb"),
        ("a\r\nb", "a\nb"),
        ("10%\r50%\r100%\n", "100%"),
        ("abc\rX", "Xbc"),
        ("abc\r\x1b[KX", "X"),
        ("abc\b\bX", "aXc"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[?25lx\x1b(By\x1b=z", "xyz"),
        ("\x9b32mgreen", "green"),
        ("x\x1b", "x"),
        ("\x1b[2Kabc\x1b[1Kd", "   d"),
        ("ab\r\x1b[31mX\x1b[0m", "Xb"),
        ("", ""),
    ],
)
def test_terminal_output_shows_its_final_state(printed: str, shown: str) -> None:
    assert ansi.plain(printed) == shown


@pytest.mark.parametrize(
    ("codes", "css"),
    [
        ("31", "color:light-dark(rgb(194,32,43),#ff7b72)"),
        ("1;4", "font-weight:600;text-decoration:underline"),
        ("38;5;196", "color:rgb(255,0,0)"),
        ("38;5;244", "color:rgb(128,128,128)"),
        ("38:2:1:2:3", "color:rgb(1,2,3)"),
        ("91", "color:light-dark(rgb(164,14,38),#ffa198)"),
        ("2;3", "opacity:.7;font-style:italic"),
        ("31;39", ""),
        ("1;22", ""),
        ("999", ""),
        ("38;9", ""),
    ],
)
def test_terminal_colours(codes: str, css: str) -> None:
    html = ansi.to_html(ansi.lines(f"\x1b[{codes}mx\x1b[0m"))
    assert html == (f'<span style="{css}">x</span>' if css else "x")


def test_text_on_a_background_is_readable_in_both_themes() -> None:
    for codes in ("44;37", "7", "7;31", "48;2;9;9;9"):
        assert "color:light-dark(rgb(255,255,255),#000)" in ansi.to_html(ansi.lines(f"\x1b[{codes}mx"))


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (tool("bash", "pending"), "Shell, waiting"),
        (tool("bash", "running", input={"command": "ls <a>"}), "Shell: ls <a>, running"),
        (tool("bash", input={"command": "ls"}), "Shell: ls, done"),
        (tool("bash", input={"command": "ls"}, metadata={"exit": 3}), "Shell: ls, exit 3"),
        (tool("edit", "error", input={"filePath": "/project/a.py"}, error="no"), "Edit: a.py, failed"),
        (tool("grep", input={"pattern": "x"}, metadata={"matches": 2}), "Grep: x, 2 found"),
    ],
)
def test_a_cards_accessible_name_has_its_subject_and_outcome(part: dict, name: str) -> None:
    """For screen readers: their users see no colours."""
    (details,) = [node for node in parse(cards.card_html(describe(part, HERE))).walk() if "data-tool" in node.attrs]
    assert details.attrs["aria-label"] == name
