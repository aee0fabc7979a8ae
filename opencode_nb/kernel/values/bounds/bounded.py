"""Run code that may hang, for a bounded time and muted: on the main thread under an alarm, else on a thread of its own.

An alarm interrupts Python code and most waits, and a thread that is late is told to end: neither stops a computation in
C that never looks.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from IPython.core.getipython import get_ipython

from opencode_nb.kernel.values.bounds.muted import muted

T = TypeVar("T")

AGAIN = 0.2
"""Seconds after which code that swallowed the alarm is interrupted again."""


class _Late(BaseException):
    """Raised in code that takes too long. Not an Exception: the user's code should not catch it."""


def within(seconds: float, look: Callable[[], T]) -> T:
    """Return what `look` returns, or raise what it raises. Raises TimeoutError after so many seconds."""
    here = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    return _under_alarm(seconds, look) if here else _in_thread(seconds, look)


def _under_alarm(seconds: float, look: Callable[[], T]) -> T:
    over = False

    def late(*_: Any) -> None:
        if not over:
            raise _Late

    previous = signal.signal(signal.SIGALRM, late)
    before = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        try:
            with muted(get_ipython()):
                return look()
        finally:
            over = True
    except _Late:
        raise TimeoutError from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if previous is None else previous)


def _in_thread(seconds: float, look: Callable[[], T]) -> T:
    found: Future[T] = Future()
    thread = threading.Thread(target=_run, args=(look, found), name="opencode_nb values", daemon=True)
    thread.start()
    try:
        return found.result(seconds)
    except TimeoutError:
        if thread.ident is not None and thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        raise


def _run(look: Callable[[], T], found: Future[T]) -> None:
    try:
        with muted(get_ipython()):
            found.set_result(look())
    except BaseException as error:  # the user's own code, which may raise anything
        if not found.done():
            found.set_exception(error)
