"""Question: an `input()` that another thread can end when the question is answered elsewhere."""

from __future__ import annotations

import _thread
import signal
import threading
import time

ARRIVAL_TIMEOUT = 1.0
"""Maximum seconds for an interrupt to reach the main thread."""


class Question:
    """Asks one question at a time, on the thread that calls `ask`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether the last question was ended by `end`."""
        return self._ended

    def ask(self, prompt: str) -> str | None:
        """Return the typed text; None if input is not available or `end` was called."""
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
        """Turn `end` into a no-op, and wait for an interrupt that it may already have sent."""
        with self._lock:
            self._thread = None
        if self._ended:
            time.sleep(ARRIVAL_TIMEOUT)

    def end(self) -> None:
        """End the current question, if possible. Call from another thread.

        Works only for a question on the main thread, and only with Python's default SIGINT handler.
        """
        with self._lock:
            if self._thread != threading.main_thread().ident:
                return
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                self._ended = True
                _interrupt_main()


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):  # also ends a blocking read from the terminal
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _input(prompt: str) -> str | None:
    try:
        return input(prompt).strip()
    except (EOFError, NotImplementedError, OSError):  # NotImplementedError: the front end does not support input
        return None
