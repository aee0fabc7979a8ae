"""Whether sessions may use the kernel if nothing was chosen for them. The magics say where it comes from."""

from __future__ import annotations

from collections.abc import Callable


class _Defaults:
    use: Callable[[], bool] = staticmethod(lambda: True)


_defaults = _Defaults()


def default_use() -> bool:
    """Return whether agents have the kernel's tools now."""
    return _defaults.use()


def set_default_use(use: Callable[[], bool]) -> None:
    """Set where that comes from; it is asked before each prompt."""
    _defaults.use = use
