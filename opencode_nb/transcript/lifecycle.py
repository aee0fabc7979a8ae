"""Progress: whether a session and its turns are busy, waiting for an answer or ended, and why. Pure; base of
`Transcript`."""

from __future__ import annotations

from collections.abc import Iterable

from opencode_nb.transcript import ids
from opencode_nb.transcript.messages import Change, Folding, is_own_shell
from opencode_nb.transcript.results import accepted
from opencode_nb.transcript.state import (
    BY_APPROVAL,
    ELSEWHERE,
    STOPPED,
    Decision,
    Json,
    Message,
    TurnState,
    TurnStatus,
    call_id,
)

OVERTAKEN_MS = 5000
"""Maximum age by which a response can overtake an event. Anything older means that the clock was set back."""

CUT_OFF: Json = {
    "name": "CutOff",
    "data": {"message": "The answer was cut off: the server stopped or lost its model. Send the prompt again."},
}
"""The error of a turn whose last step never finished, if nothing else explains it."""


class Progress(Folding):
    """The turns of one session and their status. Read freely; only `Transcript.apply` changes it."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.info: Json = {}
        self.status: Json = {"type": "idle"}
        self.deleted = False
        self.todos: list[Json] = []
        self.event_id = ""  # of the event that is being applied: it holds the server's time
        self._busy_since_prompt: set[str] = set()
        self._stopped: set[str] = set()  # turns that this package stopped, with a known reason
        self._expecting: set[str] = set()  # turns of which this package expects a result: it ends them itself

    # -- status ----------------------------------------------------------------------------------------------------

    def _session_info(self, properties: Json) -> Iterable[Change]:
        info = properties.get("info")
        if isinstance(info, dict) and info.get("id") == self.id and not self._is_overtaken(info):
            self.info = info
            yield Change("session", "", "session")

    def _is_overtaken(self, info: Json) -> bool:
        """Whether this is older than what is known: a response may arrive before the events that preceded it."""
        return 0 < _updated(self.info) - _updated(info) < OVERTAKEN_MS

    def _session_deleted(self, properties: Json) -> Iterable[Change]:
        self.deleted, self.status = True, {"type": "idle"}
        yield from self._end_all("error", {"name": "SessionDeleted", "data": {"message": "The session was deleted."}})
        yield Change("session", "", "session")

    def _session_status(self, properties: Json) -> Iterable[Change]:
        status = properties.get("status")
        if not isinstance(status, dict):
            return
        self.status = status
        if status.get("type") == "idle":
            yield from self._idle(properties)
            return
        retry = status if status.get("type") == "retry" else None
        for turn in self._open_turns():
            if turn.id not in self._busy_since_prompt and turn.id not in self._stopped:
                turn.error = None
            self._busy_since_prompt.add(turn.id)
            turn.status, turn.retry = "running", retry
            yield Change("turn", turn.id, "turn")

    def _idle(self, properties: Json) -> Iterable[Change]:
        """End the turns that began. A turn that has not begun keeps waiting: this idle belongs to an earlier one."""
        self.status = {"type": "idle"}
        open_turns = self._open_turns()
        for turn in open_turns:
            if self.is_due(turn):
                continue
            if turn.steps or (turn.id in self._busy_since_prompt and not self._is_next(turn, open_turns)):
                yield from self._end(turn)
            self._busy_since_prompt.discard(turn.id)
        yield Change("session", "", "session")

    def is_due(self, turn: TurnState) -> bool:
        """Whether an idle session leaves a turn open: its result is expected, and nothing went wrong so far."""
        expected = turn.id in self._expecting and not turn.ended
        return expected and bool(turn.steps) and accepted(turn) is None and self._final_error(turn) is None

    def _is_next(self, turn: TurnState, open_turns: list[TurnState]) -> bool:
        """Whether this is our prompt that the busy server has yet to start: it answers the last prompt it has."""
        is_last, waited = turn is open_turns[-1], any(other.steps for other in open_turns)
        return is_last and waited and turn.id in self._ours and not turn.error

    def _session_error(self, properties: Json) -> Iterable[Change]:
        """Set the error of the latest open turn. If it has not begun, beginning clears it: it may be an earlier
        turn's."""
        error = properties.get("error")
        latest = next(reversed(self._open_turns()), None)
        if isinstance(error, dict) and latest is not None and latest.id not in self._stopped:
            latest.error = error
            yield Change("turn", latest.id, "turn")

    def _open_turns(self) -> list[TurnState]:
        return [turn for turn in self.turns.values() if not turn.ended]

    def _end(self, turn: TurnState, status: TurnStatus | None = None, error: Json | None = None) -> Iterable[Change]:
        turn.error = error or self._final_error(turn)
        turn.status = status or _outcome(turn.error)
        turn.retry = None
        turn.permissions.clear()  # after an abort the server keeps listing them, without an event (docs/server.md)
        turn.questions.clear()
        self._busy_since_prompt.discard(turn.id)
        self._expecting.discard(turn.id)
        yield Change("ended", turn.id, "turn")

    def _final_error(self, turn: TurnState) -> Json | None:
        """Return the error the turn ends with: our own reason to stop it, else its last step's, else the session's.

        A last step that completed outweighs an earlier error: the server compacts by itself after an overflow, and
        reports a wrong model a second time when the next turn may already be running.
        """
        last = next(reversed(turn.steps.values()), None)
        if accepted(turn) is not None:  # the abort that ended it is no error
            return None
        if turn.id in self._stopped or last is None:
            return turn.error
        of_step = last.info.get("error")
        if isinstance(of_step, dict):
            return of_step
        return None if _is_whole(turn, last) else turn.error or CUT_OFF

    def _message_updated(self, properties: Json) -> Iterable[Change]:
        """A step's end may arrive after the session went idle: then the turn was not cut off after all."""
        for change in super()._message_updated(properties):
            yield change
            if change.kind == "message" and (turn := self.turns.get(change.turn)):
                yield from self._reconsider(turn)

    def _reconsider(self, turn: TurnState) -> Iterable[Change]:
        if turn.error is CUT_OFF:
            turn.error = None
            turn.error = self._final_error(turn)
            turn.status = _outcome(turn.error)
            yield Change("turn", turn.id, "turn")

    def _expected(self, properties: Json) -> Iterable[Change]:
        """client.expected {messageID}: a result of this turn is expected; without one, this package ends the turn."""
        self._expecting.add(str(properties["messageID"]))
        return ()

    def _end_all(self, status: TurnStatus, error: Json) -> Iterable[Change]:
        for turn in self._open_turns():
            yield from self._end(turn, status, error)

    def _warned(self, properties: Json) -> Iterable[Change]:
        """client.warned {messageID, text}: there is something to tell of this turn, such as a budget's warning."""
        turn = self.turns.get(str(properties["messageID"]))
        if turn is not None:
            turn.warnings = [*turn.warnings, str(properties["text"])]
            yield Change("warned", turn.id, "turn")

    # -- requests --------------------------------------------------------------------------------------------------

    def _asked(self, properties: Json, table: str) -> Iterable[Change]:
        request_id = properties.get("id")
        turn = self._turn_of_request(properties)
        if isinstance(request_id, str) and turn is not None and not turn.ended:
            getattr(turn, table)[request_id] = properties
            yield Change("request", turn.id, "turn")

    def _permission_asked(self, properties: Json) -> Iterable[Change]:
        return self._asked(properties, "permissions")

    def _question_asked(self, properties: Json) -> Iterable[Change]:
        return self._asked(properties, "questions")

    def _turn_of_request(self, request: Json) -> TurnState | None:
        known = self._messages.get(str((request.get("tool") or {}).get("messageID")))
        return known[0] if known else next(reversed(self.turns.values()), None)

    def _replied(self, properties: Json) -> Iterable[Change]:
        request_id = str(properties.get("requestID") or properties.get("permissionID"))
        for turn in self.turns.values():
            request = turn.permissions.pop(request_id, None) or turn.questions.pop(request_id, None)
            if request is not None and not _answered(turn, request_id):
                reply = str(properties.get("reply") or ("answered" if "answers" in properties else "reject"))
                turn.decisions.append(Decision(request, reply, ELSEWHERE))
            if self._note_wait(turn, request_id) or request is not None:
                yield Change("request", turn.id, "turn")

    def _note_wait(self, turn: TurnState, request_id: str) -> bool:
        """Note how long a call waited for its answer, by the server's clock: that is not the tool's own time."""
        request = _answered(turn, request_id)
        begin, end = ids.made_at(request_id), ids.made_at(self.event_id)
        if request is None or begin is None or end is None or request_id in turn.waits:
            return False
        turn.waits[request_id] = (call_id(request), (begin, end))
        return True

    def _decided(self, properties: Json) -> Iterable[Change]:
        """client.decided {request, reply, by, message?}: we answered, and know on whose behalf.

        A sub-session learns it too, else its own event would name another client.
        """
        request_id = properties["request"]["id"]
        for turn in self.turns.values():
            asked = [one for one in turn.family if request_id in one.permissions or request_id in one.questions]
            for one in asked:
                _settle(one, properties)
            if asked:
                yield Change("request", turn.id, "turn")

    def _todo_updated(self, properties: Json) -> Iterable[Change]:
        todos = properties.get("todos")
        if not isinstance(todos, list):
            return
        self.todos = todos
        for turn in self._open_turns()[-1:]:
            turn.todos = todos
            yield Change("todos", turn.id, "turn")


def _answered(turn: TurnState, request_id: str) -> Json | None:
    """Return a request that is answered already, and known by whom."""
    known = [*(made.request for made in turn.decisions), *turn.approved]
    return next((request for request in known if request.get("id") == request_id), None)


def _settle(turn: TurnState, properties: Json) -> None:
    """Close a request with our answer; what an earlier "always" covers is recorded with that."""
    request = {**properties["request"], "call": turn.call_of(properties["request"])}
    turn.permissions.pop(request["id"], None)
    turn.questions.pop(request["id"], None)
    if properties["by"] == BY_APPROVAL:
        turn.approved.append(request)
        return
    earlier = [made for made in turn.decisions if made.request.get("id") != request["id"]]  # they did not arrive
    made = Decision(request, properties["reply"], properties["by"], properties.get("message", ""))
    turn.decisions = [*earlier, made]


def _is_whole(turn: TurnState, step: Message) -> bool:
    """Whether a step completed: the model gave a finish reason, or it is a shell command, which has no model."""
    shell = turn.prompt is not None and is_own_shell(turn.prompt)
    return bool(step.info.get("finish")) or (shell and "completed" in (step.info.get("time") or {}))


def _updated(info: Json) -> float:
    time = info.get("time")
    updated = time.get("updated") if isinstance(time, dict) else None
    return updated if isinstance(updated, int | float) else 0.0


def _outcome(error: Json | None) -> TurnStatus:
    if error is None:
        return "completed"
    return "aborted" if error.get("name") in STOPPED else "error"
