"""The variables of the kernel that a widget lives in, as a message may name them.

Reads names and types only: anything else would run the user's code beside the main thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from IPython.core.getipython import get_ipython

from opencode_nb.conversation.state import Json

_MENTION = re.compile(r"(?:^|(?<=[\s(\[{\"']))@([^\W\d]\w*)")


def names() -> list[str]:
    """The user's own variables, in the order in which they were made."""
    return list(_own())


def mentioned(text: str) -> list[Json]:
    """Parts that tell the model what the variables are that a text names as `@name`."""
    own = _own()
    return [
        {"type": "text", "synthetic": True, "text": f"`{name}` is {_kind(own[name])} in the notebook's kernel."}
        for name in dict.fromkeys(_MENTION.findall(text))
        if name in own
    ]


def _own() -> dict[str, Any]:
    return dict(_items())


def _items() -> Iterator[tuple[str, Any]]:
    shell = get_ipython()
    if shell is None:
        return
    hidden = shell.user_ns_hidden
    for name, value in dict(shell.user_ns).items():  # a copy: a running cell changes it
        if not name.startswith("_") and hidden.get(name, hidden) is not value:
            yield name, value


def _kind(value: Any) -> str:
    kind = type(value)
    module = kind.__module__.partition(".")[0]
    return f"a `{kind.__qualname__}`" if module == "builtins" else f"a `{module}.{kind.__qualname__}`"
