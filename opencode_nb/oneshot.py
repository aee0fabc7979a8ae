"""One prompt in one call: `opencode_nb.ask("...")`."""

from __future__ import annotations

import threading
from typing import Any

from opencode_nb.session.blocking import Opencode, Session
from opencode_nb.session.turn import Turn
from opencode_nb.session.turns.options import TurnOptions

__all__ = ["ask"]

_OF_PROMPTS = {"files", "images", "mentions", "system", *TurnOptions.__annotations__}

_kept: list[Session] = []
"""The session to continue: one, or none."""

_lock = threading.Lock()


def ask(text: str, *, keep: bool = False, **options: Any) -> Turn:
    """Send one prompt, and return its turn when it has ended.

    With `keep=True` the session and its server stay: the next call continues there. The first one with `keep=False`
    is its last prompt, and ends it; so does the end of the process.
    Options are those of `Session.prompt` and, except while a session is kept, those of `Opencode`; errors as for
    `Session.prompt`. Raises ValueError for options of `Opencode` that come too late.
    """
    told = {name: options.pop(name) for name in list(options) if name in _OF_PROMPTS}
    session = _taken(options) or _new(options)
    try:
        return session.prompt(text, **told)
    finally:
        _let_go(session, keep)


def _taken(options: dict[str, Any]) -> Session | None:
    """Return the kept session, for this call alone until it is let go."""
    with _lock:
        if _kept and options:
            late = next(iter(options))
            raise ValueError(f"{late}= comes too late: a session is kept. ask(..., keep=False) ends it.")
        return _kept.pop() if _kept else None


def _new(options: dict[str, Any]) -> Session:
    ai = Opencode(**options)
    try:
        return ai.session()
    except BaseException:
        ai.close()
        raise


def _let_go(session: Session, keep: bool) -> None:
    """Keep the session if it is to be and no other thread keeps one; else end it."""
    with _lock:
        kept = keep and not _kept
        if kept:
            _kept.append(session)
    if not kept:
        session.owner.close()
