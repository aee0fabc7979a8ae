"""How a long step is told on stderr: in one line that counts on a terminal, else in a line for each step."""

from __future__ import annotations

import sys
from typing import Self

_MEGABYTE = 1_000_000


class Progress:
    """What a download does, for as long as the `with` block lasts."""

    def __init__(self) -> None:
        self._step = ""

    def __enter__(self) -> Self:
        return self

    def tell(self, step: str, written: int) -> None:
        """Show `step`, and how many bytes were `written` so far."""
        if sys.stderr.isatty():
            print(f"\r{step}: {written // _MEGABYTE} MB\x1b[K", end="", file=sys.stderr, flush=True)
        elif step != self._step:
            print(step, file=sys.stderr, flush=True)
        self._step = step

    def __exit__(self, *_: object) -> None:
        if self._step and sys.stderr.isatty():
            print(file=sys.stderr)
