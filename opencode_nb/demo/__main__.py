"""`python -m opencode_nb.demo [--port N] [--pace SECONDS]`: run the demo model alone until stdin closes or a signal."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from types import FrameType

from opencode_nb.demo.endpoint import PACE_S, DemoModel


def main() -> None:
    """Serve, print the base URL, and wait for the end of standard input, SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m opencode_nb.demo", description="A scripted model, not an AI.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one (default: 0)")
    parser.add_argument("--pace", type=float, default=PACE_S, help="seconds between two words (default: %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    with DemoModel(port=options.port, pace=options.pace) as model, contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(f"{model.url}\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            pass


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
