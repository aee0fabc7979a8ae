"""A string that does not show itself: not in `vars()`, not in a debugger, not in a traceback that shows locals."""

from __future__ import annotations

MASK = "••••••••"
"""What stands where a secret stood."""


class Secret(str):
    """A password or what holds one. It is the string itself wherever it is used; only its repr is masked."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)
