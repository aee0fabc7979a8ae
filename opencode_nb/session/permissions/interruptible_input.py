"""Question: `input()` that another thread can end, for a question that was answered elsewhere meanwhile."""

from __future__ import annotations

import _thread
import signal
import threading
import time

ARRIVAL_TIMEOUT = 1.0
"""Seconds in which an interrupt that was sent to the main thread arrives there."""


class Question:
    """Asks on the thread that calls `ask`; one question at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the last question was ended by `end`."""
        return self._ended

    def ask(self, prompt: str) -> str | None:
        """What is typed; None where nobody can answer after all, or need not any more."""
        with self._lock:
            self._thread, self._ended = threading.get_ident(), False
        try:
            reply = _input(prompt)
            self._close()
        except KeyboardInterrupt:
            if not self._ended:
                raise
            return None
        finally:
            self._thread = None
        return reply

    def _close(self) -> None:
        """From here on nothing is interrupted; what `end` has sent just before arrives in here."""
        with self._lock:
            self._thread = None
        if self._ended:
            time.sleep(ARRIVAL_TIMEOUT)

    def end(self) -> None:
        """From another thread: end what is being asked, as far as that can be done.

        Only the main thread can be interrupted, and only where an interrupt means what it usually does.
        """
        with self._lock:
            if self._thread != threading.main_thread().ident:
                return
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._ended = True
                _interrupt_main()


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):  # ends a read of the terminal, too
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _input(prompt: str) -> str | None:
    try:
        return input(prompt).strip()
    except (EOFError, NotImplementedError, OSError):  # NotImplementedError: the kernel's front-end takes no input
        return None
