"""Refuses what code would have done in a notebook that is being verified: there, it only reads from OpenCode.

Every request passes `refuse_request`. What prepares something first, or sends no request, calls `refuse_acts`.
"""

from __future__ import annotations

import os

from opencode_nb.errors import OpencodeError

VERIFYING = "OPENCODE_NB_VERIFYING"
"""Environment variable of a kernel that runs a notebook to verify it."""

_OF_OWN_SESSIONS = ("session.abort", "session.delete", "session.update")
"""Operations on the sessions that were created there."""

_own_sessions: set[str] = set()


class VerifyingError(OpencodeError):
    """Something that is not done, as the notebook is being verified."""


def is_verifying() -> bool:
    """Whether this kernel runs a notebook to verify it."""
    return bool(os.environ.get(VERIFYING))


def own_session(session_id: str) -> None:
    """Note a session that was created in this process."""
    if is_verifying():
        _own_sessions.add(session_id)


def refuse_acts(*, playing: object = None) -> None:
    """Raise VerifyingError in such a kernel, unless a recording is played."""
    if is_verifying() and not playing:
        raise VerifyingError(_REFUSED)


_REFUSED = "The notebook is being verified: there, only prompts with --replay are run, and all else only reads."


def refuse_request(method: str, operation: str = "", subject: object = "", *, typed: bool = False) -> None:
    """Raise VerifyingError in such a kernel, but for requests that read, and for new sessions.

    `subject` is what the operation is about, the first part of its path; `typed`: what is typed is sent to a program.
    """
    own = operation in _OF_OWN_SESSIONS and subject in _own_sessions
    if (method != "GET" or typed) and operation != "session.create" and not own:
        refuse_acts()
