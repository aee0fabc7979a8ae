"""Steps: finds what a session's model has used, in its transcript, each step once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from opencode_nb.transcript import usage
from opencode_nb.transcript.messages import is_own_shell
from opencode_nb.transcript.results import accepted
from opencode_nb.transcript.state import Json, Message, TurnState
from opencode_nb.transcript.transcript import Change, Transcript


@dataclass(frozen=True, slots=True)
class Spent:
    """What one step of a model used, or that it called tools. `key` is the same whenever it is read again.

    `cost` is in USD, as OpenCode reports it; `tokens` are by kind. `steps` is 1 for a step that came to its end, 0 for
    one that was cut off. `tools` is 1 for a step that calls tools, known before the step ends. `at` is when the step
    ended, in seconds since the epoch.
    """

    key: str
    session: str
    model: str
    cost: float = 0.0
    tokens: Json | None = None
    steps: int = 0
    tools: int = 0
    at: float = 0.0

    @property
    def total(self) -> int:
        """Tokens of all kinds, cached ones too."""
        return sum((self.tokens or {}).values())


class Found(NamedTuple):
    """What was spent, and the turn of the session in which it was."""

    turn: str
    spent: Spent


class Steps:
    """The steps of a session and its sub-sessions. Those that the transcript has already are not new."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._known: set[str] = set()
        self._skip()

    def new(self, changes: Iterable[Change]) -> list[Found]:
        """Return what was spent in the turns that changed, each step once. Replayed turns cost nothing."""
        changes = list(changes)
        if any(change.kind == "earlier" for change in changes):
            self._skip()
        changed = dict.fromkeys(change.turn for change in changes if change.kind != "delta")
        turns = [self._transcript.turns[turn_id] for turn_id in changed if turn_id in self._transcript.turns]
        found = [Found(turn.id, spent) for turn in turns for spent in self._unknown(turn)]
        return [one for one in found if not self._transcript.turns[one.turn].replay]

    def _skip(self) -> None:
        """Take what earlier turns spent as known: history was loaded."""
        for turn in self._transcript.turns.values():
            self._unknown(turn)

    def _unknown(self, turn: TurnState) -> list[Spent]:
        steps = (step for one in turn.family for step in _answers(one) if step.id not in self._known)
        found = [spent for step in steps for spent in _spent(step) if spent.key not in self._known]
        self._known.update(spent.key for spent in found)
        return found


def goes_on(turn: TurnState) -> bool:
    """Return whether the turn needs another step of the model, as far as is known."""
    last = next(reversed(_answers(turn)), None) if accepted(turn) is None else None
    return last is not None and (not _is_over(last) or last.info.get("finish") == "tool-calls")


def _answers(turn: TurnState) -> list[Message]:
    """Return the model's steps. A shell command of the user's own has none."""
    if turn.prompt is not None and is_own_shell(turn.prompt):
        return []
    return [step for step in list(turn.steps.values()) if step.info.get("role") == "assistant"]


def _spent(step: Message) -> Iterator[Spent]:
    """Yield what is known of a step: that it calls tools, and once it has ended, what it used."""
    session_id = str(step.info.get("sessionID") or "")
    model = f"{step.info.get('providerID', '')}/{step.info.get('modelID', '')}"
    if any(part.get("type") == "tool" for part in step.parts.values()):
        yield Spent(f"{step.id}/tools", session_id, model, tools=1)
    if _is_over(step):
        yield Spent(
            step.id,
            session_id,
            model,
            cost=float(step.info.get("cost") or 0),
            tokens=usage.flat(step.info.get("tokens")),
            steps=1 if step.info.get("finish") else 0,
            at=step.info["time"]["completed"] / 1000,
        )


def _is_over(step: Message) -> bool:
    """Whether a step has ended, and with it what it cost is known."""
    return "completed" in (step.info.get("time") or {})
