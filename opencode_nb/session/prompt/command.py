"""What a slash command of ours is: its definition, the session that it acts on, and the result that a view shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from opencode_nb.transcript.state import Json
from opencode_nb.transcript.transcript import Transcript
from opencode_nb.transcript.usage import Context

if TYPE_CHECKING:
    from opencode_nb.changes.diff import Diff
    from opencode_nb.changes.undo_result import Undone


class File(NamedTuple):
    """A file to save where the user is: `kind` is its format and the end of its name."""

    name: str
    kind: str
    content: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did: `text` tells it, in a cell or a terminal.

    `session` is the one to go on with. `opens` names what a page opens instead of showing `text`. `file` is to be saved
    and `diff` to be reviewed where the user is.
    """

    text: str = ""
    session: Any = None
    opens: str = ""
    file: File | None = None
    diff: Diff | None = None


class Lists(Protocol):
    """What commands use of the agent that opened the session: a part of session/owner.py."""

    directory: Path
    version: str
    name: str
    mcp: Any
    policy: Any
    budget: Any
    turn_limits: Mapping[str, float]
    timeout: float | None

    @property
    def client(self) -> Any:
        """Client for every operation of the server's API."""

    def need(self, feature: str) -> None:
        """Raise OpencodeError if the agent has no such feature."""

    async def session(self, title: str | None = None, *, id: str | None = None) -> Any:
        """Open a session."""

    async def sessions(
        self, *, search: str | None = None, limit: int | None = None, archived: bool = False
    ) -> list[Json]:
        """Return the sessions of the directory, newest first."""

    async def find_session(self, wanted: str) -> Json:
        """Return the session with this id, start of an id, or title. Raises OpencodeError."""

    async def models_detail(self) -> list[Json]:
        """Return the available models and their capabilities."""

    async def model_choice(self, model: str | None = None, agent: str | None = None) -> Any:
        """Return the model that a prompt would use. Raises ModelError if there is none."""

    async def agents(self) -> list[Json]:
        """Return the agents that can answer prompts."""

    async def default_agent(self) -> str:
        """Return the default agent for prompts."""

    async def commands(self) -> list[Json]:
        """Return the server's own slash commands."""


class Subject(Protocol):
    """The session that a command acts on: a part of session/session.py."""

    transcript: Transcript
    model: str | None
    agent: str | None
    variant: str | None
    budget: Any

    @property
    def effort(self) -> str | None:
        """The default effort."""

    @property
    def permission(self) -> object:
        """Who answers its permission requests; None as for its owner."""

    @property
    def owner(self) -> Lists:
        """The agent that opened it."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def title(self) -> str:
        """Its title."""

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""

    @property
    def shared_url(self) -> str:
        """The public link, or ""."""

    @property
    def cost(self) -> float:
        """Total cost in USD."""

    async def context(self) -> Context:
        """Return how full the model's context is."""

    async def undo(self) -> Undone:
        """Undo the last turn."""

    async def redo(self) -> Undone:
        """Redo the first undone turn."""

    async def compact(self) -> Any:
        """Summarize the conversation."""

    async def fork(self) -> Any:
        """Copy the session."""

    async def rename(self, title: str) -> None:
        """Change the title."""

    async def share(self) -> str:
        """Publish the session, and return the link."""

    async def unshare(self) -> None:
        """Remove the published copy."""

    async def export(self, format: str = "md") -> str:
        """Return the whole session as text."""

    async def diff(self) -> Diff:
        """Return what the session changed."""

    def choose(self, **choice: str | None) -> None:
        """Set the model, agent, variant or effort of the next prompts."""


Act = Callable[[Subject, str], Awaitable[Result]]
"""Carries a command out on a session, with what was written after its name."""


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command of ours. `takes` names what may be written after it; "" means that it takes nothing."""

    name: str
    act: Act
    about: str
    aliases: tuple[str, ...] = ()
    takes: str = ""
