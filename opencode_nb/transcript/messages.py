"""Folding: turns messages and parts into turns as they arrive. Pure; base of `Progress` and `Transcript`.

Every step of the model is a message; a turn is a prompt and the messages that answer it. The server writes some prompts
itself in the middle of a turn: they continue that turn.

Messages are in the server's order: that of its list, and by the server's creation time for messages that arrive before
the list or after it. Ids say nothing about order: they wrap every 795 days, and each client has its own clock.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

from opencode_nb.transcript.halves import split_end
from opencode_nb.transcript.results import is_late
from opencode_nb.transcript.state import Json, Message, TurnState

USER_SHELL = "The following tool was executed by the user"
"""The prompt that the server writes for a user's own shell command."""


class Change(NamedTuple):
    """What an event changed. `turn` is the turn's id ("" for the session); `key` is a part id, a message id or "turn".

    `kind` is one of part, delta, message, removed, turn, ended, request, todos, session, connection, or earlier (older
    turns were loaded or dropped). `delta` is the appended text if `kind` is "delta".
    """

    kind: str
    turn: str
    key: str
    delta: str = ""


class Folding:
    """The turns of one session. Read its attributes freely; only `Transcript.apply` changes it."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.turns: dict[str, TurnState] = {}
        self._messages: dict[str, tuple[TurnState, Message]] = {}  # in the server's order
        self._homeless: dict[str, Message] = {}  # parts that arrived before their message
        self._early: dict[str, Json] = {}  # deltas that arrived before their part: part id -> {field: text}
        self._cut: dict[tuple[str, str], str] = {}  # half characters at the end of a delta, by part id and field
        self._ours: dict[str, float] = {}  # prompts we sent, with the position of the message before
        self._answers: dict[str, Json] = {}  # of turns not loaded, as attributes: the server does not keep them

    # -- messages --------------------------------------------------------------------------------------------------

    def _turn(self, turn_id: str) -> TurnState:
        turn = self.turns.get(turn_id)
        if turn is None:
            turn = self.turns[turn_id] = TurnState(turn_id, self.id, **self._answers.pop(turn_id, {}))
        return turn

    def _message_updated(self, properties: Json) -> Iterable[Change]:
        info = properties.get("info")
        if not isinstance(info, dict) or not isinstance(info.get("id"), str):
            return
        is_new = info["id"] not in self._messages
        changes = list(self._take_message(info))
        if is_new:
            self._place(*self._messages[info["id"]])
        yield from changes

    def _take_message(self, info: Json) -> Iterable[Change]:
        """Fold in a message. A new one goes last until `_place` moves it."""
        message_id = info["id"]
        turn_id = str(info.get("parentID") or message_id) if info.get("role") == "assistant" else message_id
        known = self._messages.get(message_id)
        turn = known[0] if known else self._turn(self._continued(turn_id))
        message = known[1] if known else self._homeless.pop(message_id, Message(info))
        message.info = info
        self._messages[message_id] = (turn, message)
        if info.get("role") == "assistant":
            if turn.status == "queued" or (turn.status == "completed" and not turn.steps):  # it looked like a note
                turn.status = "running"
            turn.steps[message_id] = message
        elif message_id == turn.id:
            turn.prompt = message
        yield Change("message", turn.id, message_id)
        if not known:
            _ignore_late(turn, message)
            yield from (Change("part", turn.id, part_id) for part_id in message.parts)

    def _place(self, turn: TurnState, message: Message) -> None:
        """Move the last message before those that the server created later."""
        before = itertools.islice(reversed(self._messages.values()), 1, None)
        message.at = created(message.info) or max((other.at for _, other in before), default=0.0)
        before = itertools.islice(reversed(self._messages.values()), 1, None)
        later = [other.id for _, other in itertools.takewhile(lambda known: known[1].at > message.at, before)]
        for message_id in reversed(later):
            self._messages[message_id] = self._messages.pop(message_id)
        if later or (message is turn.prompt and turn.id != next(reversed(self.turns))):
            self._arrange()

    def _order(self, listed: list[str]) -> None:
        """Sort all messages, these in this order: it is the server's list, or a page of it."""
        at = 0.0
        for message_id in listed:
            message = self._messages[message_id][1]
            message.at = at = max(at, created(message.info))
        known = {message_id: self._messages[message_id] for message_id in [*listed, *self._messages]}
        self._messages = dict(sorted(known.items(), key=lambda entry: entry[1][1].at))
        self._arrange()

    def _arrange(self) -> None:
        """Sort turns and steps by their messages; prompts not yet on the server go last."""
        places = {message_id: place for place, message_id in enumerate(self._messages)}
        for turn in self.turns.values():
            turn.steps = dict(sorted(turn.steps.items(), key=lambda step: places[step[0]]))
        first = {
            turn.id: next((places[key] for key in (turn.id, *turn.steps) if key in places), len(places))
            for turn in self.turns.values()
        }
        self.turns = dict(sorted(self.turns.items(), key=lambda entry: first[entry[0]]))

    def _continued(self, message_id: str) -> str:
        """Return the turn a message belongs to: a step's parent may itself continue an earlier prompt."""
        known = self._messages.get(message_id)
        return known[0].id if known else message_id

    def _message_removed(self, properties: Json) -> Iterable[Change]:
        message_id = str(properties.get("messageID"))
        turn, _message = self._messages.pop(message_id, (None, None))
        if turn is None:
            return
        if message_id == turn.id:
            self.turns.pop(turn.id, None)
        elif turn.id in self.turns:  # else its prompt was removed first, and holders of the undone turn still read it
            turn.steps.pop(message_id, None)
        yield Change("removed", turn.id, message_id)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _home(self, message_id: str) -> tuple[TurnState | None, Message]:
        known = self._messages.get(message_id)
        if known:
            return known
        return None, self._homeless.setdefault(message_id, Message({"id": message_id}))

    def _part_updated(self, properties: Json) -> Iterable[Change]:
        part = properties.get("part")
        if not isinstance(part, dict) or not isinstance(part.get("id"), str):
            return
        turn, message = self._home(str(part.get("messageID")))
        part_id = part["id"]
        known = part_id in message.parts
        before = message.parts.get(part_id) or self._early.pop(part_id, None)
        if (part.get("time") or {}).get("end"):
            self._cut.pop((part_id, "text"), None)
        message.parts[part_id] = _merge_part(before, part)
        if turn is None:
            return
        _ignore_late(turn, message)
        if part.get("type") == "step-start" and not known:
            yield from self._discard_attempt(turn, message)
        target = self._continued_by(turn, message, part)
        if target is not None:
            yield from self._continue_turn(turn, target)
        else:
            yield Change("part", turn.id, part_id)

    def _discard_attempt(self, turn: TurnState, message: Message) -> Iterable[Change]:
        """A step that restarts in its message after its stream broke: discard what it said so far."""
        for part in message.parts.values():
            if (
                part.get("type") in ("text", "reasoning")
                and part.get("text")
                and not (part.get("time") or {}).get("end")
            ):
                part["text"] = ""  # as the server stores it
                yield Change("part", turn.id, str(part["id"]))

    def _continued_by(self, turn: TurnState, message: Message, part: Json) -> TurnState | None:
        """Return the turn that a user message continues, if the server wrote it in the middle of that turn.

        When the context is full, the server writes a request to compact, and then either "continue" or the prompt
        again.
        """
        if message is not turn.prompt or turn.id in self._ours or next(iter(message.parts)) != part["id"]:
            return None
        before = self._previous(turn)
        if before is None or before.ended:
            return None
        return before if _is_continuation(part, before) else None

    def _previous(self, turn: TurnState) -> TurnState | None:
        backwards = iter(reversed(self.turns.values()))
        return next(backwards, None) if any(other is turn for other in backwards) else None

    def _before(self, turn: TurnState) -> TurnState | None:
        """Return the turn that this turn continues, now that earlier ones are loaded."""
        if turn.prompt is None or not turn.prompt.parts:
            return None
        return self._continued_by(turn, turn.prompt, next(iter(turn.prompt.parts.values())))

    def _continue_turn(self, turn: TurnState, target: TurnState) -> Iterable[Change]:
        """Append a turn's messages as steps to the turn before it."""
        assert turn.prompt is not None
        del self.turns[turn.id]
        target.steps = {**target.steps, turn.id: turn.prompt, **turn.steps}
        for message_id, (owner, message) in self._messages.items():
            if owner is turn:
                self._messages[message_id] = (target, message)
        self._arrange()
        yield Change("removed", turn.id, turn.id)
        yield from (Change("message", target.id, message_id) for message_id in [turn.id, *turn.steps])
        yield from (Change("part", target.id, part_id) for part_id in turn.prompt.parts)

    def _part_delta(self, properties: Json) -> Iterable[Change]:
        part_id, name, delta = (str(properties.get(key, "")) for key in ("partID", "field", "delta"))
        if not part_id or not name or not delta:
            return
        turn, message = self._home(str(properties.get("messageID")))
        part = message.parts.get(part_id)
        delta, cut = split_end(self._cut.pop((part_id, name), "") + delta)
        if cut:
            self._cut[part_id, name] = cut
        if part is None:  # the part itself has not arrived yet (opencode #26924)
            early = self._early.setdefault(part_id, {})
            early[name] = early.get(name, "") + delta
            return
        part[name] = str(part.get(name) or "") + delta
        if turn is not None and delta:
            yield Change("delta", turn.id, part_id, delta)

    def _order_parts(self, message_id: str, listed: list[str]) -> None:
        """Sort a message's parts as in the server's list; parts missing there go last."""
        message = self._messages[message_id][1]
        message.parts = {key: message.parts[key] for key in [*listed, *message.parts] if key in message.parts}

    def _part_removed(self, properties: Json) -> Iterable[Change]:
        turn, message = self._home(str(properties.get("messageID")))
        if message.parts.pop(str(properties.get("partID")), None) is not None and turn is not None:
            yield Change("removed", turn.id, str(properties["partID"]))


def _ignore_late(turn: TurnState, step: Message) -> None:
    """Mark what the model wrote after its result was accepted, as the server marks texts that are no answer."""
    written = [part for part in list(step.parts.values()) if part.get("type") in ("text", "reasoning")]
    if written and is_late(turn, step):
        for part in written:
            part["ignored"] = True


def is_own_shell(prompt: Message) -> bool:
    """Return whether a prompt is the one that the server writes for a user's own shell command."""
    return any(part.get("text") == USER_SHELL for part in prompt.parts.values())


def created(info: Json) -> float:
    """Return when the server created a message, in ms; 0 if unknown."""
    time = info.get("time")
    created = time.get("created") if isinstance(time, dict) else None
    return float(created) if isinstance(created, int | float) else 0.0


def _merge_part(before: Json | None, part: Json) -> Json:
    """Return the new part, but keep streamed text until the server stores the text, at its end."""
    merged = dict(part)
    if before and part.get("type") in ("text", "reasoning") and not (part.get("time") or {}).get("end"):
        ours, theirs = str(before.get("text") or ""), str(part.get("text") or "")
        if len(ours) > len(theirs):
            merged["text"] = ours
    return merged


def _is_continuation(part: Json, before: TurnState) -> bool:
    """Return whether a user message beginning with this part continues the turn before it.

    A compaction that the user asked for, and a user's own shell command, are turns of their own.
    """
    if part.get("type") == "compaction":
        return bool(part.get("auto"))
    if part.get("type") == "text" and part.get("synthetic"):
        return part.get("text") != USER_SHELL
    compacted = any(other.get("type") == "compaction" for other in before.parts)
    prompt = next(iter(before.prompt.parts.values()), {}) if before.prompt else {}
    return compacted and part.get("type") == "text" and part.get("text") == prompt.get("text")
