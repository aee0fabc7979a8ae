"""A user's comment on a line of a file, sent to the agent with the next prompt. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on `line` (from 1) of `file`. `old`: of the version before the change; `quoted`: the line's text."""

    file: str
    line: int
    text: str
    old: bool = False
    quoted: str = ""

    @property
    def at(self) -> str:
        """Side and line number in short form: `n12`, `o12`."""
        return f"{'o' if self.old else 'n'}{self.line}"

    @property
    def prompt(self) -> str:
        """The comment as sent to the agent. It begins with the same words as in OpenCode's own clients."""
        where = f"line {self.line}{' (as it was before)' if self.old else ''} of {self.file}"
        quoted = f"\n> {self.quoted}" if self.quoted.strip() else ""
        return f"The user made the following comment regarding {where}: {self.text}{quoted}"
