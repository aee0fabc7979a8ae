"""Set the privacy level of the session that a prompt goes to, and say what the level does not cover."""

from __future__ import annotations

from opencode_nb.kernel.context.session_context import SessionContext
from opencode_nb.tools.privacy import NOT_COVERED, Level

EARLIER = "What earlier turns sent stays with the provider: --new starts a session without it."


def set_level(context: SessionContext, chosen: str | None, *, sent: bool) -> list[str]:
    """Set the level that was chosen for this prompt, else earlier in the session, else the default.

    Return lines to print if it becomes stricter; `sent` says whether the session has turns.
    """
    before = context.gate.level
    level = context.settle(Level.of(chosen) if chosen else None)
    if level >= before:
        return []
    told = f"Privacy level: {level.name.lower()}. Not covered: {NOT_COVERED}."
    return [told, EARLIER] if sent else [told]
