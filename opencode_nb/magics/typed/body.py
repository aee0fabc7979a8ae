"""Parse the body of a %%prompt cell: a shell command, or what the session reads. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Body(NamedTuple):
    """`text` is the prompt, the shell command, or what follows the command `name`: the server's, or ours ("own")."""

    kind: Literal["prompt", "own", "command", "shell"]
    text: str
    name: str = ""


def parse(text: str) -> Body:
    """Recognise `!command` at the very start; after a leading space, it is a plain prompt.

    Only the server knows which `/name` is a command: see `session.prompt.commands`.
    """
    whole = text.rstrip()
    return Body("shell", whole[1:].strip()) if whole.startswith("!") else Body("prompt", text)
