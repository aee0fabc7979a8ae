"""What a tool call is described by, before anybody shows it: a card with its line, and blocks of content.

Data only. tools.py makes it of a tool's part; cards.py, text.py and terminal.py show it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from opencode_nb.render.turn.phrases import shorten

Json = dict[str, Any]

Status = Literal["pending", "running", "completed", "error", "interrupted"]

LONG_PATH = 80
"""From how many characters on the middle of a path is left out in a line."""


@dataclass(slots=True, frozen=True)
class Output:
    """What a program printed, with its terminal's control sequences; `command` is what was typed."""

    text: str
    command: str = ""


@dataclass(slots=True, frozen=True)
class Code:
    """The content of a file; its name tells the language."""

    text: str
    path: str


@dataclass(slots=True, frozen=True)
class Change:
    """A changed file, `{file, patch, additions, deletions, status}`; for `columns` see `Context`."""

    diff: Json
    columns: int = 0


@dataclass(slots=True, frozen=True)
class Checklist:
    """Todos, `[{content, status, priority}]`."""

    todos: list[Json]


@dataclass(slots=True, frozen=True)
class Prose:
    """Markdown."""

    text: str


@dataclass(slots=True, frozen=True)
class Pairs:
    """Names and values of inputs."""

    items: list[tuple[str, str]]


@dataclass(slots=True, frozen=True)
class Link:
    """An address."""

    url: str


@dataclass(slots=True, frozen=True)
class Answers:
    """Questions, each with the answers that it got."""

    items: list[tuple[str, list[str]]]


@dataclass(slots=True, frozen=True)
class Problem:
    """What went wrong."""

    text: str


@dataclass(slots=True, frozen=True)
class Attachment:
    """A file that came with the result, `{mime, filename?, url}`."""

    mime: str
    name: str
    url: str


Block = Output | Code | Change | Checklist | Prose | Pairs | Link | Answers | Problem | Attachment


@dataclass(slots=True)
class Card:
    """A tool call: `name` and `about` make its line (with `counts` added and removed lines), `blocks` its content.

    `since` is when it began to run, in ms since the epoch, for as long as it does; one that `waits` for a person does
    not run.
    """

    tool: str
    status: Status
    glyph: str
    name: str
    about: str = ""
    counts: tuple[int, int] | None = None
    note: str = ""
    seconds: float | None = None
    since: float | None = None
    waits: bool = False
    open: bool = False
    blocks: list[Block] = field(default_factory=list)
    child_session: str = ""


@dataclass(slots=True, frozen=True)
class Context:
    """What a part itself doesn't say.

    Whether its turn has ended, the directory that paths are relative to, the sub-sessions that are shown themselves,
    the messages that a person sent while the turn was running, in how many columns changes stand, 0 where nobody can
    choose, and the calls that wait for a person's answer.
    """

    ended: bool = False
    directory: str = ""
    children: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    columns: int = 0
    waiting: frozenset[str] = frozenset()

    def path(self, path: str) -> str:
        """A path as short as it can be and still be understood."""
        root = self.directory.rstrip("/")
        return path[len(root) + 1 :] if root and path.startswith(root + "/") else path

    def short_path(self, path: str) -> str:
        """A path for a line: its middle left out if it's long."""
        return shorten(self.path(path), LONG_PATH)
