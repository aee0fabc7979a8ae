"""What a person says about a line of a file, to be told to the agent with the next prompt. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on `line` (from 1) of `file`; `old`: of the file as it was before. `quoted` is what stands there."""

    file: str
    line: int
    text: str
    old: bool = False
    quoted: str = ""

    @property
    def at(self) -> str:
        """Side and number in short: `n12`, `o12`."""
        return f"{'o' if self.old else 'n'}{self.line}"

    @property
    def prompt(self) -> str:
        """The comment as the agent reads it; the words of its beginning are those of OpenCode's own clients."""
        where = f"line {self.line}{' (as it was before)' if self.old else ''} of {self.file}"
        quoted = f"\n> {self.quoted}" if self.quoted.strip() else ""
        return f"The user made the following comment regarding {where}: {self.text}{quoted}"
