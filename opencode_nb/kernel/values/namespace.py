"""The variables of the user's namespace."""

from __future__ import annotations

from typing import Any


def own(shell: Any) -> dict[str, object]:
    """Return the user's own variables in the order of their creation: not IPython's, none with a leading underscore."""
    hidden, copied = shell.user_ns_hidden, dict(shell.user_ns)  # a running cell may change it
    return {
        name: value
        for name, value in copied.items()
        if not name.startswith("_") and hidden.get(name, hidden) is not value
    }
