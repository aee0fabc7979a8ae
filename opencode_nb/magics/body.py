"""Parse the body of a %%prompt cell into a prompt, a slash command or a shell command. Pure."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_COMMAND = re.compile(r"/([A-Za-z][\w:-]*)(?:\s+(.*))?", re.DOTALL)
"""A name without a second slash: `/tmp/x is full` is a prompt."""


class Body(NamedTuple):
    """`text` is the prompt, the shell command, or the arguments of the command `name`."""

    kind: Literal["prompt", "command", "shell"]
    text: str
    name: str = ""


def parse(text: str) -> Body:
    """Recognise `/name arguments` or `!command` at the very start; after a leading space, it is a plain prompt."""
    whole = text.rstrip()
    if whole.startswith("!"):
        return Body("shell", whole[1:].strip())
    found = _COMMAND.fullmatch(whole)
    if found is not None:
        return Body("command", (found[2] or "").strip(), found[1])
    return Body("prompt", text)
