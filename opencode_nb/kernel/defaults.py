"""What sessions may know and use of the kernel if nothing was chosen for them. The magics say where it comes from."""

from __future__ import annotations

from collections.abc import Callable

from opencode_nb.tools.privacy import Level


class _Defaults:
    level: Callable[[], Level] = staticmethod(lambda: Level.FULL)
    use: Callable[[], bool] = staticmethod(lambda: True)


_defaults = _Defaults()


def default_level() -> Level:
    """Return the privacy level now: the settings may change it."""
    return _defaults.level()


def default_use() -> bool:
    """Return whether agents have the kernel's tools now."""
    return _defaults.use()


def set_defaults(level: Callable[[], Level], use: Callable[[], bool]) -> None:
    """Set where both come from; they are asked before each prompt."""
    _defaults.level, _defaults.use = level, use
