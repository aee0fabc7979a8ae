"""Takes what programs and C code write to the process's own standard output and error, past `sys.stdout`."""

from __future__ import annotations

import codecs
import contextlib
import os
import threading
from collections.abc import Callable, Iterator

DRAIN_TIMEOUT = 2.0
"""Maximum seconds until what was written before the end has been read."""

_CHUNK = 65_536


@contextlib.contextmanager
def redirected(write: Callable[[str, str], None]) -> Iterator[None]:
    """In the body, give what is written to the descriptors 1 and 2 to `write("stdout" or "stderr", text)`."""
    with _redirected(1, "stdout", write), _redirected(2, "stderr", write):
        yield


@contextlib.contextmanager
def _redirected(descriptor: int, kind: str, write: Callable[[str, str], None]) -> Iterator[None]:
    saved = os.dup(descriptor)
    reading, writing = os.pipe()
    reader = _Reader(reading, lambda text: write(kind, text))
    os.dup2(writing, descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
        os.write(writing, reader.end)
        os.close(writing)
        reader.drained.wait(DRAIN_TIMEOUT)


class _Reader:
    """Reads a pipe up to `end`; afterwards reads on and drops it: a program left running must not block or break."""

    def __init__(self, descriptor: int, write: Callable[[str], None]) -> None:
        self.end = os.urandom(16)
        self.drained = threading.Event()
        self._descriptor, self._write = descriptor, write
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        threading.Thread(target=self._read, name="opencode_nb output of programs", daemon=True).start()

    def _read(self) -> None:
        held = b""
        while chunk := os.read(self._descriptor, _CHUNK):
            if self.drained.is_set():
                continue
            text, end, _rest = (held + chunk).partition(self.end)
            keep = 0 if end else len(self.end) - 1  # a part of the end may have come
            held = text[max(0, len(text) - keep) :] if keep else b""
            self._give(text[: len(text) - len(held)])
            if end:
                self.drained.set()
        os.close(self._descriptor)

    def _give(self, data: bytes) -> None:
        if text := self._decode(data):
            self._write(text)
