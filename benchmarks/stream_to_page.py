"""Compare streaming a long answer to a page with rendering it once: ratios of bytes and kernel CPU.

    python benchmarks/stream_to_page.py [CHARACTERS [DELTAS]]

Measures the kernel's work per batch (render, encode) without a server or browser; both in the same run, so that the
ratios do not depend on the machine. tests/e2e/test_stream.py covers the whole path, in a real JupyterLab.
"""

from __future__ import annotations

import json
import random
import sys
import time

from opencode_nb.render.turn.page import LiveTurn, Op, turn_html
from opencode_nb.transcript.state import Message, TurnState

BATCHES = (5_000, 500, 100)
"""How many batches the deltas are gathered into: one per delta; some; 25 per second for an answer of 4 seconds."""

REPEATS = 3
"""The fastest run counts: slower ones were disturbed."""

WORDS = (
    "an",
    "answer",
    "about",
    "*arrays*,",
    "**frames**",
    "and",
    "`code()`",
    "[links](https://e.org)",
    "ünïcödé",
    "😀",
)


def document(size: int) -> str:
    """Return `size` characters of prose, lists, tables and code in turn."""
    chance = random.Random(1)

    def say(count: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(count))

    def section() -> str:
        items = "".join(f"- {say(9)}\n" for _ in range(40))
        rows = "".join(f"| {n} | {say(3)} | `v{n}` |\n" for n in range(40))
        code = "".join(f"def f_{n}(x: int) -> int:\n    return x + {n}\n" for n in range(30))
        table = f"| n | words | code |\n|--:|---|---|\n{rows}"
        return f"## {say(4)}\n\n{say(80)}\n\n{items}\n{table}\n```python\n{code}```\n\n"

    text = ""
    while len(text) < size:
        text += section()
    return text[:size]


def turn() -> TurnState:
    """Return a running turn with one empty text part."""
    part = {"id": "prt_1", "type": "text", "text": "", "time": {"start": 1}}
    return TurnState("msg_1", "ses_1", steps={"msg_2": Message({"id": "msg_2"}, {"prt_1": part})}, status="running")


def stream(text: str, batches: int) -> tuple[int, float]:
    """Return the bytes sent to the page and the CPU seconds for streaming the text in so many batches."""
    state = turn()
    part = state.steps["msg_2"].parts["prt_1"]
    started = time.process_time()
    live = LiveTurn(state)
    sent = len(json.dumps({"n": 0, "html": live.snapshot()}))
    for number in range(1, batches + 1):
        part["text"] = text[: len(text) * number // batches]
        sent += _size(number, live.update({"prt_1"}))
    part["time"]["end"] = 2
    state.status = "completed"
    sent += _size(batches + 1, live.update({"prt_1", "turn"}))
    return sent, time.process_time() - started


def _size(number: int, ops: list[Op]) -> int:
    return len(json.dumps({"kind": "patch", "n": number, "ops": ops}, ensure_ascii=False).encode()) if ops else 0


def once(text: str) -> tuple[int, float]:
    """Return the bytes of the finished page and the CPU seconds for rendering the whole text once."""
    state = turn()
    state.steps["msg_2"].parts["prt_1"].update(text=text, time={"start": 1, "end": 2})
    state.status = "completed"
    started = time.process_time()
    size = len(turn_html(state).encode())
    return size, time.process_time() - started


def main(size: int = 100_000, deltas: int = 5_000) -> None:
    """Print the ratios."""
    text = document(size)
    page, once_seconds = min((once(text) for _ in range(REPEATS)), key=lambda run: run[1])
    print(f"{size} characters; rendered once: {page} bytes of HTML, {once_seconds * 1000:.0f} ms of CPU")
    for batches in sorted({deltas, *BATCHES}, reverse=True):
        sent, seconds = min((stream(text, batches) for _ in range(REPEATS)), key=lambda run: run[1])
        print(f"in {batches:>5} batches: {sent / page:5.2f} x the bytes, {seconds / once_seconds:5.2f} x the CPU")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
