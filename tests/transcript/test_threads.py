"""Turns are read on the user's thread while the loop's thread changes them: no reader may trip over that."""

from __future__ import annotations

import ast
import itertools
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from opencode_nb.session.turn import Turn
from opencode_nb.transcript.transcript import Transcript

PACKAGE = Path(__file__).resolve().parents[2] / "opencode_nb"
READERS = ("render/turn", "render/chat", "changes", "session/turn.py", "transcript/state.py", "transcript/usage.py")
CHANGING = ("parts", "steps", "children", "waits", "shown", "permissions", "questions", "turns")


ROUNDS = 1500
PARTS = 300


def iterated(path: Path) -> Iterator[ast.expr]:
    """Yield what the loops and comprehensions of a file iterate over."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.For | ast.comprehension):
            yield node.iter


def is_live(node: ast.expr) -> bool:
    """Tell whether this is a view of a dict that the loop's thread may change meanwhile."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "reversed":
        node = node.args[0]
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    return node.func.attr in ("values", "items") and isinstance(owner, ast.Attribute) and owner.attr in CHANGING


def test_readers_iterate_over_copies_only() -> None:
    found = [path for name in READERS for path in (PACKAGE / name, *(PACKAGE / name).rglob("*.py"))]
    files = sorted(path for path in found if path.is_file())
    live = [f"{file.relative_to(PACKAGE)}:{node.lineno}" for file in files for node in iterated(file) if is_live(node)]
    assert live == [], "wrap these in list(...): another thread may add to them"


def test_a_turn_is_read_while_it_grows() -> None:
    transcript = Transcript("ses_1")
    user = {"id": "msg_1", "sessionID": "ses_1", "role": "user", "time": {"created": 1}}
    answer = {**user, "id": "msg_2", "role": "assistant", "parentID": "msg_1", "time": {"created": 2}}
    for info in (user, answer):
        transcript.apply({"type": "message.updated", "properties": {"info": info}})
    turn = Turn(transcript.turns["msg_1"], None, Future())
    where = {"sessionID": "ses_1", "messageID": "msg_2"}
    enough = threading.Event()
    failed: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(ROUNDS):
                for name in ("text", "reasoning", "tools", "messages", "tokens", "cost", "duration", "provenance"):
                    getattr(turn, name)
        except BaseException as error:
            failed.append(error)
        finally:
            enough.set()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        reader = threading.Thread(target=read)
        reader.start()
        for number in itertools.takewhile(lambda _: not enough.is_set(), itertools.count()):
            kind = "message.part.updated" if number // PARTS % 2 == 0 else "message.part.removed"
            part = {"id": f"prt_{number % PARTS}", "type": "text", "text": "x", **where}
            transcript.apply({"type": kind, "properties": {"part": part, "partID": part["id"], **where}})
        reader.join()
    finally:
        sys.setswitchinterval(before)
    assert failed == []
