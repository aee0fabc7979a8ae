"""List the kernel's variables, and turn `@name` in a prompt into prompt parts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

from IPython.core.getipython import get_ipython

from opencode_nb.kernel.values.describe import describe
from opencode_nb.kernel.values.kinds import kind
from opencode_nb.kernel.values.namespace import own
from opencode_nb.transcript.state import Json

MOST = 10
"""Maximum number of variables described per text."""

_MENTION = re.compile(r"(?:^|(?<=[\s(\[{\"']))@([^\W\d]\w*)(?:\.(\w+))?(?![\w/\\-])")


def names() -> list[str]:
    """Return the names of the user's own variables, in the order of their creation."""
    return list(_own())


async def mentioned(text: str) -> list[Json]:
    """Return parts that describe to the model the variables that a text names as `@name`.

    Safe on any thread: the values' own code runs in a separate thread, for a bounded time.
    """
    found = list(_named(text, _own()))[:MOST]
    return await asyncio.to_thread(lambda: [_part(name, value) for name, value in found]) if found else []


def _part(name: str, value: object) -> Json:
    shown = {"variable": name, "kind": kind(value)}
    return {"type": "text", "synthetic": True, "text": describe(name, value).text, "metadata": {"opencode_nb": shown}}


def _named(text: str, own: dict[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the named variables. `@data.head()` names one, but `@data.csv` is a path if the value has no `csv`."""
    named = [(match[1], match[2]) for match in _MENTION.finditer(text) if match[1] in own]
    fits = [name for name, attribute in named if not attribute or attribute in dir(type(own[name]))]
    for name in dict.fromkeys(fits):
        yield name, own[name]


def _own() -> dict[str, object]:
    shell = get_ipython()
    return own(shell) if shell is not None else {}
