"""Turns as Markdown, plain text and in a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from opencode_nb.render.markdown.blocks import settled_length
from opencode_nb.render.markdown.convert import to_html
from opencode_nb.render.turn.page import turn_markdown, turn_text
from opencode_nb.render.turn.terminal import LiveTerminal, turn_terminal
from tests.render.page_model import parse
from tests.render.turns import NAMES, replay, tool, turn, turns

PATCH = "@@ -1 +1 @@\n-a\n+b\n"
STATE = turn(
    {"type": "reasoning", "text": "hm", "time": {"start": 0, "end": 3000}},
    {"type": "text", "text": "# Done\n\nSee `x`."},
    tool("bash", input={"command": "ls"}, output="\x1b[31ma*b\x1b[0m\n```"),
    tool("edit", input={"filePath": "a_b.py"}, metadata={"filediff": {"patch": PATCH}}),
    tool("read", "error", input={"filePath": "no"}, error="File not found: no"),
)


def printed(state: object, **options: object) -> str:
    out = io.StringIO()
    console = Console(file=out, width=80, color_system=None, **options)  # type: ignore[arg-type]
    console.print(turn_terminal(state))  # type: ignore[arg-type]
    return out.getvalue()


def test_a_turn_as_markdown() -> None:
    text = turn_markdown(STATE)
    assert "# Done\n\nSee `x`." in text
    assert "**Shell: ls**" in text
    assert "````\n$ ls\na*b\n```\n````" in text
    assert "**Edit: a\\_b.py · \\+1 −1**" in text
    assert f"```diff\n{PATCH}```" in text
    assert "> *Thought for 3.0 s*\n>\n> hm" in text
    assert "File not found: no" in text
    assert "$0.0123" in text
    html = parse(to_html(text)).text
    assert "Edit: a_b.py · +1 −1" in html


def test_a_turn_as_plain_text() -> None:
    text = turn_text(STATE)
    assert text.startswith("[Thought for 3.0 s]\n\n# Done")
    assert "$ Shell: ls" in text
    assert "→ Read: no · failed\nFile not found: no" in text
    assert "\x1b" not in text


def test_a_turn_in_a_terminal() -> None:
    text = printed(STATE)
    assert "Thought for 3.0 s" in text
    assert "Edit: a_b.py · +1 −1" in text
    assert "+b" in text
    assert "failed" in text
    assert "$0.0123" in text


@pytest.mark.parametrize("name", NAMES)
def test_recorded_turns_in_a_terminal(name: str) -> None:
    for state in turns(name):
        assert printed(state).strip()


@pytest.mark.parametrize("name", ["markdown", "edit_allowed", "bash_growing", "todo_tools", "subagent"])
def test_live_in_a_pipe_prints_each_part_once(name: str) -> None:
    """What is printed while streaming equals the whole turn, part by part."""
    out = io.StringIO()
    live = None
    for state, dirty in replay(name):
        live = live or LiveTerminal(state, Console(file=out, width=80, color_system=None))
        live.update(dirty)
    assert live
    before = out.getvalue()
    live.close()
    assert before.strip(), "nothing was printed before the end"
    assert out.getvalue().split() == printed(turns(name)[0]).split()


def test_live_on_a_terminal_shows_the_open_end() -> None:
    out = io.StringIO()
    state = turn({"type": "text", "text": "first block\n\nsecond is com"}, status="running")
    live = LiveTerminal(state, Console(file=out, width=80, force_terminal=True, color_system=None))
    live.update({"prt_000"})
    live.close()
    assert "first block" in out.getvalue()
    assert "second is com" in out.getvalue()


def test_the_length_of_finished_blocks() -> None:
    assert settled_length("a\n\nb\n\nc") == len("a\n\n")
    assert settled_length("a") == 0
    assert settled_length("- a\n- b\n") == 0
    assert settled_length("```\nx\n") == 0
