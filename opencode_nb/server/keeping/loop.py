"""One thread's loop over descriptors: whoever waits in it serves everything else meanwhile."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable


class Loop:
    """Calls the handler of each watched descriptor that can be read.

    `alarm`: when (as of `time.monotonic`) it has to look anew at what is waited for.
    """

    def __init__(self) -> None:
        self.alarm = math.inf
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `fd` can be read, at its end too."""
        self._handlers[fd] = handler
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Watch it no longer; before it is closed."""
        if self._handlers.pop(fd, None):
            self._poll.unregister(fd)

    def wait(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Serve every descriptor until `done()`, or for `seconds`; the last `done()`."""
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
