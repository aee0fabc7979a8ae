"""End the command early: turn signals and a closed stdout into one kind of interrupt.

An interrupt stops the turn wherever this package waits for one, so that no turn outlives the command.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

OVER_LIMIT = 3
"""Exit code of `ask` if a limit of cost, tokens, steps or tools stopped the turn."""
INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells report it."""
TIMED_OUT = 124
"""Exit code of a command that took too long, as `timeout` reports it."""
PIPE_CLOSED = 141
"""Exit code of a command killed by SIGPIPE, as shells report it."""

_SIGNALS = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Ended(KeyboardInterrupt):
    """Ends the command with exit `code`, printing `reason` unless empty."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Unwritable(Ended):
    """stdout can no longer be written."""


@contextmanager
def ending_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise Ended on the main thread inside the block, instead of killing the process."""
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, _end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    raise Ended(128 + number)


@contextmanager
def writing() -> Iterator[None]:
    """Wrap writes to stdout: if they fail, raise Unwritable and silence stdout for good."""
    try:
        yield
    except OSError as error:
        _silence()
        if isinstance(error, BrokenPipeError):
            raise Unwritable(PIPE_CLOSED) from error
        reason = f"The answer could not be written ({error}): free disk space, or write it elsewhere."
        raise Unwritable(1, reason) from error


def _silence() -> None:
    """Point stdout at the null device: the flush at exit would report the same error again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
