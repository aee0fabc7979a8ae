"""Costs: keeps what steps used on disk, for all of this user's kernels together. See records.py for the files.

Writing is done on a thread of its own. What cannot be written, on a full disk for example, stays in memory, is told
once, and is written later.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Iterable
from datetime import date, timedelta

from opencode_nb.spending import records
from opencode_nb.spending.records import KEPT_MONTHS, Entry, folder

__all__ = ["KEPT_MONTHS", "Entry", "delete", "entries", "folder", "keep", "problem"]

log = logging.getLogger("opencode_nb")

EXIT_TIMEOUT = 2.0
"""Seconds that the end of the process waits for the writing thread."""


class _Keeper:
    """Entries that wait to be written, and the thread that writes them."""

    def __init__(self) -> None:
        self.problem = ""
        self.waiting: list[Entry] = []
        self._changed = threading.Condition()
        self._writing = False

    def keep(self, entries: Iterable[Entry]) -> None:
        """Write these soon, and those that could not be written before."""
        with self._changed:
            self.waiting += entries
            if self._writing or not self.waiting:
                return
            self._writing = True
        try:
            threading.Thread(target=self._write, name="opencode_nb costs", daemon=True).start()
        except RuntimeError:  # the interpreter is ending: `finish` writes them
            self._writing = False

    def _write(self) -> None:
        while batch := self._next():
            try:
                records.append(batch)
            except OSError as error:
                self._failed(error)
                return
            with self._changed:
                del self.waiting[: len(batch)]
                self.problem = ""

    def _next(self) -> list[Entry]:
        """Return what waits now; if nothing does, the writing has ended."""
        with self._changed:
            self._writing = bool(self.waiting)
            self._changed.notify_all()
            return list(self.waiting)

    def _failed(self, error: OSError) -> None:
        problem = (
            f"Costs cannot be written to {folder()}: {error.strerror or error}. They are in memory until they can."
        )
        with self._changed:
            is_new, self.problem = not self.problem, problem
            self._writing = False
            self._changed.notify_all()
        if is_new:
            log.warning("%s", problem)

    def finish(self) -> None:
        """Write what is left, at the end of the process."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._writing, EXIT_TIMEOUT) or not self.waiting:
                return
            self._writing = True
        self._write()

    def forget(self) -> None:
        """Drop what is not written yet."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing, EXIT_TIMEOUT)
            self.waiting.clear()


_keeper = _Keeper()
atexit.register(_keeper.finish)


def keep(entries: Iterable[Entry]) -> None:
    """Keep these on disk. Returns at once and never raises: see `problem`."""
    _keeper.keep(entries)


def entries(days: int = 30) -> list[Entry]:
    """Return what all kernels have kept of the last days, today included, oldest first, each step once.

    Also what is not written yet, which is tried again. Raises OSError if the files cannot be read.
    """
    since = date.today() - timedelta(days=days - 1)
    waiting = {entry.step: entry for entry in list(_keeper.waiting) if entry.day >= since}
    _keeper.keep(())
    return sorted((records.read(since) | waiting).values(), key=lambda entry: entry.at)


def delete() -> None:
    """Delete all that was kept, of all kernels. Raises OSError."""
    _keeper.forget()
    records.delete()


def problem() -> str:
    """Return why costs cannot be written now, or ""."""
    return _keeper.problem
