"""Subscribers: functions that are called with each change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Generic, ParamSpec

P = ParamSpec("P")

log = logging.getLogger("opencode_nb")


class Subscribers(Generic[P]):
    """Functions to call with each change. One that raises is logged, and the others are called all the same."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._callbacks: dict[object, Callable[P, object]] = {}  # by what tells two of the same function apart

    def add(self, callback: Callable[P, object]) -> Callable[[], None]:
        """Call this one too; return a function that stops it."""
        key = object()
        self._callbacks[key] = callback

        def remove() -> None:
            self._callbacks.pop(key, None)

        return remove

    def call(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all of them."""
        for callback in self:
            try:
                callback(*args, **kwargs)
            except Exception:  # user code: a turn must learn of its end all the same
                log.exception("A subscriber of %s failed", self._name)

    def __iter__(self) -> Iterator[Callable[P, object]]:
        return iter(list(self._callbacks.values()))
