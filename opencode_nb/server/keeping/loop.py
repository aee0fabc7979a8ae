"""A single-threaded loop over descriptors: a wait in it serves everything else meanwhile."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable


class Loop:
    """Calls the handler of each readable watched descriptor.

    `alarm`: time (by `time.monotonic`) at which to check the waits' conditions again.
    """

    def __init__(self) -> None:
        self.alarm = math.inf
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `fd` is readable, also at end of file."""
        self._handlers[fd] = handler
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Stop watching `fd`; call this before closing it."""
        if self._handlers.pop(fd, None):
            self._poll.unregister(fd)

    def wait(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Serve every descriptor until `done()`, at most for `seconds`; return the last `done()`."""
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        while not done():
            now = time.monotonic()
            if now >= deadline:
                return False
            if now >= self.alarm:
                self.alarm = math.inf
            else:
                self._serve(min(deadline, self.alarm) - now)
        return True

    def _serve(self, seconds: float) -> None:
        for fd, _ in self._poll.poll(None if seconds == math.inf else seconds * 1000 + 1):
            if handler := self._handlers.get(fd):  # an earlier handler may have let go of it
                handler()
