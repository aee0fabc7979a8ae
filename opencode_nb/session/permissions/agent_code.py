"""Knows what runs for an agent: code on the main thread, and functions anywhere. It cannot wait for its own session."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opencode_nb.errors import OpencodeError

_sessions: list[str] = []
"""The ids of the sessions whose code the main thread runs now, the innermost last."""

_calling: ContextVar[tuple[str, ...]] = ContextVar("opencode_nb_agent_code", default=())
"""The ids of the sessions that have called the function which this thread, or task, runs."""


@contextmanager
def calling(session: str) -> Iterator[None]:
    """Mark that this thread, or task, runs a function that this session's agent has called."""
    token = _calling.set((*_calling.get(), session))
    try:
        yield
    finally:
        _calling.reset(token)


@contextmanager
def running(session: str) -> Iterator[None]:
    """Mark that the main thread runs code of this session's agent. Call on the main thread."""
    _sessions.append(session)
    try:
        yield
    finally:
        _sessions.pop()


def is_running() -> bool:
    """Whether the main thread runs an agent's code now."""
    return bool(_sessions)


def refuse_waiting(session: str) -> None:
    """Raise OpencodeError in code of this session's agent: the session's turn waits for that code."""
    on_main = session in _sessions and threading.current_thread() is threading.main_thread()
    if on_main or session in _calling.get():
        raise OpencodeError(
            "Code that the agent runs cannot prompt the agent's own session: its turn waits for this code to end. "
            "Use another session, such as opencode_nb.Opencode().session()."
        )
