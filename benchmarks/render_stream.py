"""Measure the cost of streaming Markdown to the page, as ratios: `python benchmarks/render_stream.py`.

Streams a 100 KB answer with prose, code, tables and long lists in 5,000 deltas, once with an update per delta, and once
with updates coalesced as for a page (about 40 ms of a fast model). Prints bytes sent / bytes of the final HTML (at most
3), streaming time / time of rendering once, and the cost of twice the text. Exits with 1 if a limit is exceeded.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from opencode_nb.render.markdown.convert import to_html
from opencode_nb.render.markdown.stream import MarkdownStream
from opencode_nb.render.markup import highlight
from tests.render.markdown.corpus import long_document

SIZE = 100_000
DELTAS = 5_000
MAX_BYTES_RATIO = 3.0
MAX_GROWTH = 2.6


def forget_colours() -> None:
    """Clear the highlighting cache, so that each measurement highlights its own code."""
    highlight.highlight.cache_clear()


def once(text: str) -> float:
    """Return the seconds of rendering the whole document once."""
    forget_colours()
    start = time.perf_counter()
    to_html(text)
    return time.perf_counter() - start


def streamed(text: str, updates: int) -> tuple[float, int, float]:
    """Return the total seconds, the bytes of all messages, and the seconds of the slowest update."""
    forget_colours()
    stream, sent, slowest, total = MarkdownStream("t1"), 0, 0.0, 0.0
    step = max(1, len(text) // updates)
    for end in [*range(step, len(text), step), len(text)]:
        start = time.perf_counter()
        ops = stream.update(text[:end], final=end == len(text))
        took = time.perf_counter() - start
        total, slowest = total + took, max(slowest, took)
        sent += len(json.dumps(ops, ensure_ascii=False).encode()) if ops else 0
    return total, sent, slowest


def main() -> int:
    text = long_document(SIZE)
    final, single = len(to_html(text).encode()), once(text)
    print(f"document: {len(text):,} characters, {final:,} bytes of HTML, rendered once in {single * 1000:.0f} ms")
    worst = 0.0
    for updates in (DELTAS, DELTAS // 10):
        seconds, sent, slowest = streamed(text, updates)
        worst = max(worst, sent / final)
        print(
            f"{updates:>5} updates: bytes sent / final HTML {sent / final:.2f}, streamed / once {seconds / single:.2f}"
            f" ({seconds / updates * 1000:.2f} ms an update, slowest {slowest * 1000:.0f} ms)"
        )
    half = text[: SIZE // 2]
    growth = streamed(text, DELTAS)[0] / streamed(half, DELTAS // 2)[0]
    print(f"twice the text in deltas of the same size: time x {growth:.2f}")
    return int(worst > MAX_BYTES_RATIO or growth > MAX_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
