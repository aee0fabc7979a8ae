"""The model of a tool call: a card with a summary line and blocks of content, independent of any medium.

Data only. tools.py builds it from a tool part; cards.py, text.py and terminal.py show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from opencode_nb.render.markup.table import Table
from opencode_nb.render.turn.phrases import shorten

Json = dict[str, Any]

Status = Literal["pending", "running", "completed", "error", "interrupted"]

LONG_PATH = 80
"""Longer paths, in characters, are shortened in the middle in a line."""


@dataclass(slots=True, frozen=True)
class Output:
    """A program's output, with terminal control sequences; `command` is the command line, `title` a line above it."""

    text: str
    command: str = ""
    title: str = ""


@dataclass(slots=True, frozen=True)
class Code:
    """The content of a file; its name determines the language. `name` is its own, if it is no file."""

    text: str
    path: str
    name: str = ""


@dataclass(slots=True, frozen=True)
class Traceback:
    """How Python code failed, without terminal control sequences."""

    text: str


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
    """A URL."""

    url: str


@dataclass(slots=True, frozen=True)
class Answers:
    """Questions with their answers; `said` introduces each answer (`You answered`), "" as long as there are none."""

    items: list[tuple[str, list[str]]]
    said: str = ""

    def lines(self) -> list[tuple[str, str]]:
        """Return each question with a line that says how it was answered, "" as long as it was not."""
        answered = f"{self.said}: " if self.said else ""
        return [(asked, answered and answered + (", ".join(answers) or "nothing")) for asked, answers in self.items]


@dataclass(slots=True, frozen=True)
class Problem:
    """An error."""

    text: str


@dataclass(slots=True, frozen=True)
class Attachment:
    """A file attached to the result, `{mime, filename?, url}`."""

    mime: str
    name: str
    url: str


Block = Output | Code | Change | Checklist | Prose | Pairs | Link | Answers | Problem | Traceback | Table | Attachment


@dataclass(slots=True, frozen=True)
class Verdict:
    """How a request of a call was answered: a phrase (`You allowed once`), and whether that stopped the call."""

    text: str
    denied: bool = False


@dataclass(slots=True, frozen=True)
class Consent:
    """What people were asked about a call: whether it waits for an answer, the answers, and the seconds they took."""

    waits: bool = False
    verdicts: tuple[Verdict, ...] = ()
    seconds: float = 0.0


@dataclass(slots=True)
class Card:
    """A tool call: `name` and `about` (with `counts` of added and removed lines) make its summary, `blocks` its
    content.

    `seconds` is how long it ran, and `since` when it started, in ms since the epoch, while it runs: both without the
    time that people took to answer. A call that `waits` for the user is not running. `verdicts` are their answers.
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
    verdicts: tuple[Verdict, ...] = ()
    open: bool = False
    blocks: list[Block] = field(default_factory=list)
    child_session: str = ""


@dataclass(slots=True, frozen=True)
class Context:
    """What a part itself doesn't say.

    Whether its turn has ended, the directory that paths are relative to, the sub-sessions that are displayed, the
    messages that the user sent while the turn was running, the number of columns of changes (0 if it cannot be chosen),
    what people were asked about calls, by call, whether the turn is a shell command that the user typed, what calls of
    the kernel's tools show, by call, and whether the agent has the kernel, which its subagents have not.
    """

    ended: bool = False
    directory: str = ""
    children: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    columns: int = 0
    consents: Mapping[str, Consent] = field(default_factory=dict)
    typed: bool = False
    shown: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    in_kernel: bool = False

    def path(self, path: str) -> str:
        """Return a path relative to the directory if it is below it."""
        root = self.directory.rstrip("/")
        return path[len(root) + 1 :] if root and path.startswith(root + "/") else path

    def short_path(self, path: str) -> str:
        """Return a path for a line, shortened in the middle if it is long."""
        return shorten(self.path(path), LONG_PATH)
