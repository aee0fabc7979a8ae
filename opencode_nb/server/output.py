"""Hand on what a server writes, line by line, from its log: the keeper has the pipe."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from opencode_nb.server.logs import plain

POLL_SECONDS = 0.1  # between looks at the log
MOST_BYTES = 1 << 20  # of one look

Callback = Callable[[str], object]

_log = logging.getLogger(__name__)


class OutputFollower:
    """Calls `callback(line)` on a thread of its own with what is written from now on, until `gone` is set.

    `log` returns the path of the log, "" while it is not known; another one is read from its start. `joined`: skip what
    other users' server has written before.
    """

    def __init__(self, log: Callable[[], str], gone: threading.Event, callback: Callback, *, joined: bool) -> None:
        self._log, self._gone, self._callback, self._skip = log, gone, callback, joined
        self._path = ""
        self._position = 0
        self._rest = b""  # of a line that is not complete
        threading.Thread(target=self._run, name="opencode-output", daemon=True).start()

    def _run(self) -> None:
        while not self._gone.wait(POLL_SECONDS):
            self._look()
        self._look()

    def _look(self) -> None:
        try:
            self._read(self._log())
        except OSError:  # the log is gone, or not there yet
            return

    def _read(self, path: str) -> None:
        if not path:
            return
        size = Path(path).stat().st_size
        if path != self._path:
            self._path, self._position, self._skip = path, size if self._skip else 0, False
        if size < self._position:  # the keeper truncated it
            self._position = 0
        with Path(path).open("rb") as log:
            log.seek(self._position)
            data = log.read(MOST_BYTES)
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(plain(line.decode(errors="replace")))

    def _tell(self, line: str) -> None:
        try:
            self._callback(line)
        except Exception:  # foreign code: the next line must still be read
            _log.exception("A callback for the server's output failed")
