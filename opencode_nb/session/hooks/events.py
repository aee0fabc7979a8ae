"""What hooks are called with: one event each, with the id of its session. Pure.

`subjects` of an event are what a hook's `match` is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opencode_nb.session.permissions.policy import PermissionRequest
from opencode_nb.session.permissions.rules import PERMISSION_OF, names
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.tool_call import ToolCall


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a session."""

    session: str

    @property
    def subjects(self) -> Sequence[str]:
        """What `match` is compared with."""
        return (self.session,)


@dataclass(frozen=True, slots=True)
class PromptEvent(Event):
    """A prompt, before it is sent, with the comments on lines of a diff, and the names of the `files` attached to it.

    A command's `text` is "/name arguments".
    """

    text: str
    files: tuple[str, ...] = ()

    @property
    def subjects(self) -> Sequence[str]:
        """The text."""
        return (self.text,)


@dataclass(frozen=True, slots=True)
class ToolEvent(Event):
    """A tool call of a turn, or of its subagents."""

    turn: Turn
    call: ToolCall

    @property
    def subjects(self) -> Sequence[str]:
        """The tool's name, that of the permission that it needs, and those of the kernel's tool that it is."""
        tool = self.call.tool
        return tuple(filter(None, (*names(tool), PERMISSION_OF.get(tool))))


@dataclass(frozen=True, slots=True)
class PermissionEvent(Event):
    """A permission request; once answered, also `reply` (once, always, turn, edited, reject), `by`, and `message`."""

    turn: Turn
    request: PermissionRequest
    reply: str = ""
    by: str = ""
    message: str = ""

    @property
    def subjects(self) -> Sequence[str]:
        """The permission's names."""
        return names(self.request.permission)


@dataclass(frozen=True, slots=True)
class QuestionEvent(Event):
    """Questions of the agent, as the server has them: `[{question, header, options, multiple}]`."""

    turn: Turn
    questions: tuple[Json, ...]

    @property
    def subjects(self) -> Sequence[str]:
        """The questions' texts."""
        return [str(question.get("question") or "") for question in self.questions]


@dataclass(frozen=True, slots=True)
class FileEvent(Event):
    """A file that a turn changed. `tool` reported it; "" if only the server's snapshots show it, as for a shell's."""

    turn: Turn
    path: Path
    tool: str = ""

    @property
    def subjects(self) -> Sequence[str]:
        """The path."""
        return (str(self.path),)


@dataclass(frozen=True, slots=True)
class TurnEvent(Event):
    """A turn that has ended; `turn.error` says what went wrong."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class SessionEvent(Event):
    """A session that was opened here, or was deleted or let go."""

    title: str
    directory: Path

    @property
    def subjects(self) -> Sequence[str]:
        """Its id and its title."""
        return (self.session, self.title)
