"""Updates: what is new for a reader with each change of a session, by kind. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from opencode_nb.transcript.messages import Change
from opencode_nb.transcript.state import Json, Message, TurnState
from opencode_nb.transcript.tool_call import ToolCall
from opencode_nb.transcript.transcript import Transcript

UpdateKind = Literal[
    "text", "reasoning", "tool", "todos", "permission", "question", "usage", "title", "mode", "turn_complete", "data"
]

SEPARATOR = "\n\n"
"""Between the texts of an answer, as in `Turn.text`."""

_WRITTEN: dict[str, UpdateKind] = {"text": "text", "reasoning": "reasoning"}


@dataclass(frozen=True, slots=True)
class Update:
    """One update. `turn` is the turn's id, "" for the session's own.

    `text` is the new piece of a text or reasoning, the session's title, or the agent's name (mode). `tool` is a tool
    call as it is now. `value` is a request, or the usage of a step (`{"cost", "tokens"}`); `todos` are all of them.
    `data` is the value so far of an answer with a schema, which only `stream` yields.
    """

    kind: UpdateKind
    turn: str
    text: str = ""
    tool: ToolCall | None = None
    value: Json = field(default_factory=dict)
    todos: tuple[Json, ...] = ()
    data: Any = None


class Updates:
    """Follows one session from now on. What a part had before is not told again."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._title, self._mode = str(transcript.info.get("title") or ""), ""
        self._said = {key: len(str(part.get("text") or "")) for key, part in self._parts()}
        self._begun: set[tuple[str, str]] = set()  # turns and kinds with a text that was told
        self._told: set[str] = set()  # requests, and steps whose usage was told

    def _parts(self) -> Iterator[tuple[str, Json]]:
        """Yield what is there. Copies each dict at once: another thread may change the transcript meanwhile."""
        for turn in list(self._transcript.turns.values()):
            for step in list(turn.steps.values()):
                yield from list(step.parts.items())

    def of(self, change: Change) -> Iterator[Update]:
        """Yield what a change brings, which may be nothing."""
        turn = self._transcript.turns.get(change.turn)
        if change.kind == "session":
            yield from self._of_session()
        elif turn is None:
            return
        elif change.kind in ("part", "delta"):
            yield from self._of_part(turn, change.key)
        elif change.kind == "message":
            yield from self._of_message(turn, change.key)
        elif change.kind == "request":
            yield from self._of_requests(turn)
        elif change.kind == "todos":
            yield Update("todos", turn.id, todos=tuple(turn.todos))
        elif change.kind == "ended":
            yield Update("turn_complete", turn.id)

    def _of_session(self) -> Iterator[Update]:
        title = str(self._transcript.info.get("title") or "")
        if title != self._title:
            self._title = title
            yield Update("title", "", title)

    def _of_part(self, turn: TurnState, key: str) -> Iterator[Update]:
        step, part = next(
            ((step, step.parts[key]) for step in reversed(turn.steps.values()) if key in step.parts),
            (None, dict[str, object]()),
        )
        kind = _WRITTEN.get(str(part.get("type")))
        if kind and step is not None and _is_shown(step, part):
            yield from self._written(turn, key, kind, str(part.get("text") or ""))
        elif part.get("type") == "tool":
            yield Update("tool", turn.id, tool=ToolCall.of(part, turn.ended))
        elif part.get("type") == "step-finish" and key not in self._told:
            self._told.add(key)
            yield Update("usage", turn.id, value={"cost": part.get("cost"), "tokens": part.get("tokens")})

    def _written(self, turn: TurnState, key: str, kind: UpdateKind, text: str) -> Iterator[Update]:
        """Yield what was appended. The server trims a text when it is complete: it may have become shorter."""
        said = self._said.get(key, 0)
        if len(text) <= said:
            return
        self._said[key] = len(text)
        is_next = not said and (turn.id, kind) in self._begun
        self._begun.add((turn.id, kind))
        yield Update(kind, turn.id, SEPARATOR * is_next + text[said:])

    def _of_message(self, turn: TurnState, key: str) -> Iterator[Update]:
        step = turn.steps.get(key)
        mode = str((step.info.get("agent") or step.info.get("mode") or "") if step else "")
        if mode and mode != self._mode:
            self._mode = mode
            yield Update("mode", turn.id, mode)

    def _of_requests(self, turn: TurnState) -> Iterator[Update]:
        kinds: tuple[tuple[UpdateKind, dict[str, Json]], ...] = (
            ("permission", turn.permissions),
            ("question", turn.questions),
        )
        for kind, open_ in kinds:
            for request_id in open_.keys() - self._told:
                self._told.add(request_id)
                yield Update(kind, turn.id, value=open_[request_id])


def _is_shown(step: Message, part: Json) -> bool:
    """Return whether a text is part of the answer, as `Turn.text` has it."""
    is_answer = step.info.get("role") != "user" and not step.info.get("summary")
    return is_answer and not part.get("synthetic") and not part.get("ignored")


class OneTurn:
    """Picks what a stream of one turn yields: the turn's own updates and, until it has ended, those of the session.

    The server may name a session, say, when its turn has just ended: `turn_complete` is still a stream's last update.
    """

    def __init__(self, turn: str) -> None:
        self._turn = turn
        self._complete = False

    def has(self, update: Update) -> bool:
        """Return whether the stream yields this update, the next one of the session."""
        own = update.turn == self._turn
        self._complete |= own and update.kind == "turn_complete"
        return own or not (update.turn or self._complete)
