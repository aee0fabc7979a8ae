"""Recorded: one turn of a recording, as it would have run in another directory. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencode_nb.diffs.change import Change
from opencode_nb.recording import files
from opencode_nb.recording.turns import over_strings
from opencode_nb.tools.names import own_tool
from opencode_nb.transcript.state import Json


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded turn.

    `prompt` is its own text, `key` stands for all that was asked, for the `occurrence`-th time. `time` is when it was
    recorded, `title` that of its session, `opencode` the server's version. It ran in `directory`; the paths of its
    changed `files` start at `root`, relative to that. `turn` is what `turns.as_json` keeps.
    """

    prompt: str
    key: str
    occurrence: int
    time: str
    title: str
    opencode: str
    directory: str
    root: str
    turn: Json
    files: tuple[Json, ...] = ()

    @classmethod
    def of(cls, line: Json) -> Recorded:
        """Read a line of the file. Raises KeyError or TypeError for one that lacks something."""
        return cls(**{name: line[name] for name in cls.__slots__ if name != "files"}, files=tuple(line["files"]))

    def turn_in(self, directory: Path, session: str) -> Json:
        """Return the turn as it would be in this directory and session."""
        moved, own = _moved(self.directory, self.root, directory), str(self.turn["session"])
        kept: Json = over_strings(self.turn, lambda text: session if text == own else moved(text))
        return kept

    def root_in(self, directory: Path) -> Path:
        """Return where the paths of its changes start."""
        return Path(os.path.normpath(directory / self.root))

    @property
    def changes(self) -> list[Change]:
        """What it changed on disk."""
        return [files.from_json(kept) for kept in self.files]

    @property
    def ran_code(self) -> bool:
        """Whether the agent ran code in the kernel."""
        return any(own_tool(str(part.get("tool"))) == "python" for part in self.parts())

    def parts(self, turn: Json | None = None) -> Iterator[Json]:
        """Yield all parts of its messages, and of those of its sub-sessions."""
        turn = self.turn if turn is None else turn
        yield from (part for message in turn["messages"] for part in message["parts"])
        for children in turn["children"].values():
            for child in children:
                yield from self.parts(child)


def _moved(before: str, root: str, after: Path) -> Callable[[str], str]:
    """Return what replaces the directory in a text; the repository's too, if it is as many folders up."""
    old, new = before, str(after)
    above = Path(os.path.normpath(Path(before) / root))
    if Path(before).is_relative_to(above):
        inside = Path(before).relative_to(above)
        if after.parts[len(after.parts) - len(inside.parts) :] == inside.parts:
            old, new = str(above), str(Path(*after.parts[: len(after.parts) - len(inside.parts)]))
    pattern = re.compile(rf"(?<!\w){re.escape(old)}(?![\w-]|\.\w)")
    return lambda text: pattern.sub(lambda _found: new, text) if old in text else text


def time_of(line: Any) -> str:
    """Return "2026-11-30 14:05 UTC" for an ISO time in UTC."""
    return f"{str(line)[:16].replace('T', ' ')} UTC"
