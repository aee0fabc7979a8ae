"""Mute one thread: what it prints is dropped, and what others print still appears."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_muted: set[int] = set()

_STREAMS = ("stdout", "stderr")


class _Filter:
    """A stream that drops what muted threads write, and is otherwise the stream that it stands for."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() in _muted else int(self.stream.write(text) or 0)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def muted(shell: Any = None) -> Iterator[None]:
    """Drop what this thread prints and, where the shell can tell threads apart, displays."""
    publisher = getattr(shell, "display_pub", None)
    _mute()
    if publisher is not None and hasattr(publisher, "register_hook"):
        publisher.register_hook(_drop)
    try:
        yield
    finally:
        if publisher is not None and hasattr(publisher, "unregister_hook"):
            publisher.unregister_hook(_drop)
        _unmute()


def _drop(_message: object) -> None:
    """Tell the publisher that a message needs no sending."""


def _mute() -> None:
    with _lock:
        _muted.add(threading.get_ident())
        for name in _STREAMS:
            if not isinstance(getattr(sys, name), _Filter):
                setattr(sys, name, _Filter(getattr(sys, name)))


def _unmute() -> None:
    with _lock:
        _muted.discard(threading.get_ident())
        for name in _STREAMS if not _muted else ():
            if isinstance(stream := getattr(sys, name), _Filter):
                setattr(sys, name, stream.stream)
