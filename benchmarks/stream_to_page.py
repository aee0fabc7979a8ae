"""What it costs to stream a long answer to a page, beside rendering it once: bytes and kernel CPU, as ratios.

    python benchmarks/stream_to_page.py [CHARACTERS [DELTAS]]

Measures what the kernel does for each batch (render, encode) without a server or browser; both ways in the same run, so
that the ratios say more than the machine. The whole way, in a real JupyterLab, is tests/e2e/test_stream.py.
"""

from __future__ import annotations

import json
import random
import sys
import time

from opencode_nb.render.turn.page import LiveTurn, Op, turn_html
from opencode_nb.transcript.state import Message, TurnState

BATCHES = (5_000, 500, 100)
"""How many batches the deltas are gathered into: one each; some; 25 a second of an answer that takes 4 seconds."""

REPEATS = 3
"""The fastest run counts: what is slower was disturbed."""

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
    """Prose, lists, tables and code in turn, `size` characters of them."""
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
    """A running turn with one empty text."""
    part = {"id": "prt_1", "type": "text", "text": "", "time": {"start": 1}}
    return TurnState("msg_1", "ses_1", steps={"msg_2": Message({"id": "msg_2"}, {"prt_1": part})}, status="running")


def stream(text: str, batches: int) -> tuple[int, float]:
    """Bytes sent to the page, and seconds of CPU, for the text in so many batches."""
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
    """Bytes of the finished page, and seconds of CPU, for the text rendered when it is all there."""
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
