"""How the command ends early: signals, and a reader of its output that went away, as one kind of interrupt.

An interrupt stops the turn wherever this package waits for one, so that nothing goes on behind a command that ended.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""What shells report for a command that Ctrl-C ended."""
TIMED_OUT = 124
"""What `timeout` reports for a command that took too long."""
PIPE_CLOSED = 141
"""What shells report for a command whose output nobody reads any more."""

_SIGNALS = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Ended(KeyboardInterrupt):
    """Ends the command with the exit `code`; `reason` is told where there is one."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Unwritable(Ended):
    """Nothing more can be written to stdout."""


@contextmanager
def ending_signals() -> Iterator[None]:
    """Within the block, on the main thread: a signal to end raises Ended there, rather than killing the process."""
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
    """Writing to stdout: where that is no longer possible, raises Unwritable, and nothing is written there again."""
    try:
        yield
    except OSError as error:
        _silence()
        if isinstance(error, BrokenPipeError):
            raise Unwritable(PIPE_CLOSED) from error
        reason = f"The answer could not be written ({error}): make room, or write it elsewhere."
        raise Unwritable(1, reason) from error


def _silence() -> None:
    """Have the interpreter flush into nothing when it exits: it would report the same error again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
