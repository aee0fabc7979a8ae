"""The saved form of a turn stays within a limit, and says where the rest is."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from opencode_nb.render.turn.bounded import bounded
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import TurnState
from tests.render.kernel_turns import TABLE, call, kernel_turn
from tests.render.turns import PICTURE, tool, turn

HUGE = 8_000_000
CAP = 5_000_000
"""Characters of all three forms together."""
LINE = "x" * HUGE
PATCH = f"@@ -1 +1 @@\n-a\n+{LINE}\n"
FILE = {"file": "a.txt", "patch": PATCH, "additions": 1, "deletions": 1, "status": "modified"}


def saved(state: TurnState) -> dict[str, str]:
    done: Future[None] = Future()
    done.set_result(None)
    return Turn(state, None, done)._repr_mimebundle_()[0]


TABLES = {f"c{i}": [{**TABLE, "rows": TABLE["rows"] * 20, "index": TABLE["index"] * 20}] for i in range(300)}

LONG: dict[str, Any] = {
    "answer": lambda: turn({"type": "text", "text": LINE}),
    "answer in a block of code": lambda: turn({"type": "text", "text": f"```\n{LINE}\n```\n\nafter"}),
    "many answers": lambda: turn(*({"type": "text", "text": "x" * 190_000} for _ in range(60))),
    "reasoning": lambda: turn({"type": "reasoning", "text": LINE, "time": {}}),
    "output": lambda: turn(tool("bash", input={"command": "x"}, output=LINE, metadata={"output": LINE})),
    "coloured output": lambda: turn(tool("bash", output="\x1b[31mx\x1b[32my" * (HUGE // 20))),
    "moving output": lambda: turn(tool("bash", output="\x1b[9999Cx\n" * (HUGE // 20))),
    "command": lambda: turn(tool("bash", input={"command": LINE})),
    "content": lambda: turn(tool("write", input={"filePath": "a", "content": LINE})),
    "edit": lambda: turn(tool("edit", input={"filePath": "a.txt"}, metadata={"filediff": FILE})),
    "patched files": lambda: turn(tool("apply_patch", metadata={"files": [FILE] * 40})),
    "inputs": lambda: turn(tool("mcp_x", input={"a": {"b": [LINE]}, "many": ["y"] * 300_000})),
    "error": lambda: turn(tool("read", "error", error=LINE)),
    "failure": lambda: turn(status="error", error={"name": "APIError", "data": {"message": LINE}}),
    "todos": lambda: turn(tool("todowrite", input={"todos": [{"content": LINE, "status": "pending"}]})),
    "pictures": lambda: turn({"type": "file", "mime": "image/png", "url": PICTURE + "A" * HUGE, "filename": "a.png"}),
    "printed by the kernel": lambda: turn(call("python"), shown={"c": [{"kind": "stdout", "text": LINE}]}),
    "pictures of the kernel": lambda: turn(call("python"), shown={"c": [{"kind": "image", "png": "A" * HUGE + "AA"}]}),
    "tables": lambda: turn(*(call("python", call_id=f"c{i}") for i in range(300)), shown=TABLES),
    "a long table": lambda: turn(call("python"), shown={"c": [{**TABLE, "rows": TABLE["rows"] * 100_000}]}),
    "many calls": lambda: turn(*(tool("bash", input={"command": "ls"}, output="a") for _ in range(5_000))),
    "unknown": lambda: turn({"type": "new", "data": LINE}),
}


@pytest.mark.parametrize("what", LONG)
def test_a_saved_turn_stays_within_the_limit(what: str) -> None:
    forms = saved(LONG[what]())
    assert sum(map(len, forms.values())) < CAP, {form: len(text) for form, text in forms.items()}
    for form, text in forms.items():
        assert "characters are left out here" in text, form
        assert "opencode export md" in text.replace("\\", ""), form


def test_the_changes_of_a_saved_turn_are_cut_too() -> None:
    state = turn({"type": "text", "text": "done"})
    assert state.prompt is not None
    state.prompt.info["summary"] = {"diffs": [FILE] * 30}
    assert sum(map(len, saved(state).values())) < CAP


def test_the_end_of_an_output_is_kept() -> None:
    text = saved(turn(tool("bash", input={"command": "x"}, output=f"{LINE}\nits end", metadata={"exit": 1})))
    assert "its end" in text["text/html"]


def test_a_short_turn_is_not_cut() -> None:
    state = turn({"type": "text", "text": "short"}, tool("bash", output="a"), {"type": "file", "url": PICTURE})
    assert bounded(state) is state


def test_what_nobody_sees_takes_no_room_from_what_is_shown() -> None:
    """What the model was told is not on the card of a call that shows something."""
    state = turn(call("python", output=LINE), shown={"c": [{"kind": "stdout", "text": "the end"}]})
    assert "the end" in saved(state)["text/html"]
    assert "left out" not in saved(state)["text/html"]
    assert bounded(kernel_turn()).shown == kernel_turn().shown


def test_the_turn_itself_is_not_cut() -> None:
    state = turn({"type": "text", "text": LINE})
    saved(state)
    assert state.parts == [{**state.parts[0], "text": LINE}]
