"""What sessions get of the kernel if nothing was chosen for them. The magics say where it comes from."""

from __future__ import annotations

from collections.abc import Callable

from opencode_nb.kernel.cells.place import CARD


class _Defaults:
    use: Callable[[], bool] = staticmethod(lambda: True)
    place: Callable[[], str] = staticmethod(lambda: CARD)


_defaults = _Defaults()


def default_use() -> bool:
    """Return whether agents have the kernel's tools now."""
    return _defaults.use()


def default_place() -> str:
    """Return where the agent's code is to stand now."""
    return _defaults.place()


def set_defaults(use: Callable[[], bool], place: Callable[[], str]) -> None:
    """Set where both come from; they are asked before each prompt."""
    _defaults.use, _defaults.place = use, place
