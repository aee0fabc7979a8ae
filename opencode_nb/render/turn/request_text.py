"""Render a permission request as plain text, for a console: the counterpart of requests.py."""

from __future__ import annotations

from collections.abc import Iterator

from opencode_nb.render.diff.box import patch_text
from opencode_nb.render.markup.escape import reveal, reveal_line
from opencode_nb.render.turn.request_model import COMMAND, Asked, File

_INDENT = "    "
"""Indentation of everything the agent provides: no line of it can look like one of ours."""


def request_text(asked: Asked) -> str:
    """Render everything relevant to the decision: nothing cut, invisible characters marked."""
    head = f"{asker_text(asked.asker)} asks for permission to {reveal_line(asked.wants)}:"
    trust = f" ({asked.trust})" if asked.trust else ""
    always = [f"Allow always: {reveal_line(asked.covers)}{trust}"] if asked.always else []
    turn = [f"Accept all in this turn: {asked.turn}"] if asked.turn else []
    return "\n".join([head, *_facts(asked), *_files(asked.files), *turn, *always])


def asker_text(asker: str) -> str:
    """Return who asks, at the beginning of a sentence."""
    return reveal_line(f"{asker[:1].upper()}{asker[1:]}" if asker else "The agent")


def _facts(asked: Asked) -> Iterator[str]:
    for name, value in asked.facts:
        if not name:
            yield f"  ! {reveal_line(value)}"
        elif "\n" in value:
            yield f"  {reveal_line(name)}:\n{_indented(value)}"
        else:
            yield reveal_line(value) if name == COMMAND else f"  {reveal_line(name)}: {reveal_line(value)}"


def _files(files: list[File]) -> Iterator[str]:
    """Yield every file, and then, if there are several, each one's change below its name."""
    if len(files) > 1:
        yield from (f"  {_name(file)}" for file in files)
    for file in files:
        yield f"  {_name(file)}{':' if file.patch else ''}"
        if patch := patch_text({"patch": file.patch}):
            yield _indented(patch)


def _name(file: File) -> str:
    return ", ".join([reveal_line(file.path), *map(reveal_line, file.notes)])


def _indented(text: str) -> str:
    return "\n".join(f"{_INDENT}{line}" for line in reveal(text.rstrip("\n")).split("\n"))
