"""The kernel's variables, as a prompt may name them: which there are, and `@name` in a text -> prompt parts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

from IPython.core.getipython import get_ipython

from opencode_nb.kernel.describe import describe, kind
from opencode_nb.transcript.state import Json

MOST = 10
"""How many variables of one text are described."""

_MENTION = re.compile(r"(?:^|(?<=[\s(\[{\"']))@([^\W\d]\w*)(?:\.(\w+))?(?![\w/\\-])")


def names() -> list[str]:
    """The user's own variables, in the order in which they were made."""
    return list(_own())


async def mentioned(text: str) -> list[Json]:
    """Parts that show the model the variables that a text names as `@name`.

    Safe on any thread: what runs the values' own code does so on a thread beside it, and for a bounded time.
    """
    found = list(_named(text, _own()))[:MOST]
    return await asyncio.to_thread(lambda: [_part(name, value) for name, value in found]) if found else []


def _part(name: str, value: object) -> Json:
    shown = {"variable": name, "kind": kind(value)}
    return {"type": "text", "synthetic": True, "text": describe(name, value), "metadata": {"opencode_nb": shown}}


def _named(text: str, own: dict[str, object]) -> Iterator[tuple[str, object]]:
    """`@data.head()` names the variable, but `@data.csv` is a path, as no such value has a `csv`."""
    named = [(match[1], match[2]) for match in _MENTION.finditer(text) if match[1] in own]
    fits = [name for name, attribute in named if not attribute or attribute in dir(type(own[name]))]
    for name in dict.fromkeys(fits):
        yield name, own[name]


def _own() -> dict[str, object]:
    shell = get_ipython()
    if shell is None:
        return {}
    hidden = shell.user_ns_hidden
    copied = dict(shell.user_ns)  # a running cell changes it
    return {
        name: value
        for name, value in copied.items()
        if not name.startswith("_") and hidden.get(name, hidden) is not value
    }
