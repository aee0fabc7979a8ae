"""Transcript: one session, folded from the server's events. The only writer of `TurnState`.

Pure: no I/O, no clock, no threads. It never raises on what a server sends: unknown events and parts pass, missing
fields leave things as they were. What this package itself learns (a prompt was sent, who answered a request, the
server died, history was fetched) arrives as events too, of type "client.*", so that there is one way in.

Sub-sessions (the task tool's) are transcripts of their own below their parent; what happens in one shows up as a
change of the task's part in the parent's turn, and their open requests as the parent's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from opencode_nb.conversation.folding import Change, Folding
from opencode_nb.conversation.state import STOPPED, Decision, Json, TurnState, TurnStatus

__all__ = ["Change", "Transcript"]

REMEMBERED_EVENTS = 4096
"""How many event ids are kept to recognise one that comes twice; a bound on memory, far above what is in flight."""

OVERTAKEN_MS = 5000
"""How old an event can be that an answer has overtaken; what is older yet tells of a clock that was set back."""


class Transcript(Folding):
    """One session as it stands. Read its attributes freely; change it only by `apply`.

    `cursor` is where the messages before the first turn can be fetched from, "" where there are none.
    """

    def __init__(self, session_id: str, parent: Transcript | None = None) -> None:
        super().__init__(session_id)
        self.info: Json = {}
        self.status: Json = {"type": "idle"}
        self.todos: list[Json] = []
        self.children: dict[str, Transcript] = {}
        self.connected = True
        self.cursor = ""
        self._parent = parent
        self._busy_since_prompt: set[str] = set()
        self._tasks: dict[str, tuple[TurnState, str]] = {}  # what opened a sub-session, once known
        self._stopped: set[str] = set()  # turns that were stopped from here, for a reason that is known
        self._seen: OrderedDict[str, None] = OrderedDict()

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether the server works on this session."""
        return self.status.get("type") != "idle"

    @property
    def has_earlier(self) -> bool:
        """Whether there are turns before the first one here."""
        return bool(self.cursor)

    @property
    def visible_turns(self) -> list[TurnState]:
        """The turns that count: those at and after an undo are hidden until redone (they go with the next prompt)."""
        cut = self._undone_from
        return [turn for turn in self.turns.values() if not cut or turn.id < cut]

    @property
    def undone_turns(self) -> list[TurnState]:
        """The turns that were undone, and can be redone until the next prompt."""
        cut = self._undone_from
        return [turn for turn in self.turns.values() if cut and turn.id >= cut]

    def turn_of(self, message_id: str) -> TurnState | None:
        """The turn that a message belongs to."""
        known = self._messages.get(message_id)
        return known[0] if known else None

    @property
    def newest(self) -> str:
        """The id of the last message, "" where there is none."""
        return max(self._messages, default="")

    @property
    def _undone_from(self) -> str:
        return str((self.info.get("revert") or {}).get("messageID") or "")

    @property
    def sub_sessions(self) -> set[str]:
        """The sub-sessions that the tasks of the turns here have opened."""
        parts = (part for turn in self.turns.values() for part in turn.parts if part.get("type") == "tool")
        opened = (((part.get("state") or {}).get("metadata") or {}).get("sessionId") for part in parts)
        return {str(session_id) for session_id in opened if session_id}

    def find(self, session_id: str) -> Transcript | None:
        """This transcript or the one below it with that id."""
        if session_id == self.id:
            return self
        return next((found for child in self.children.values() if (found := child.find(session_id))), None)

    # -- writing ---------------------------------------------------------------------------------------------------

    def apply(self, event: Json) -> list[Change]:
        """Fold one event in and say what changed. Applying the same event twice changes nothing the second time."""
        if self._is_repeat(event.get("id")):
            return []
        kind, properties = event.get("type"), event.get("properties")
        if not isinstance(kind, str) or not isinstance(properties, dict):
            return []
        owner = self._owner(kind, properties)
        if owner is None:
            return []
        handler = _HANDLERS.get(kind)
        changes = list(handler(owner, properties)) if handler else []
        return owner._bubble(changes, upto=self)

    def _is_repeat(self, event_id: Any) -> bool:
        if not isinstance(event_id, str):
            return False
        if event_id in self._seen:
            return True
        self._seen[event_id] = None
        if len(self._seen) > REMEMBERED_EVENTS:
            self._seen.popitem(last=False)
        return False

    def _owner(self, kind: str, properties: Json) -> Transcript | None:
        """The transcript an event is about; a sub-session's first event makes its transcript."""
        info = properties.get("info")
        if kind.startswith("session.") and isinstance(info, dict) and info.get("parentID"):
            parent = self.find(str(info["parentID"]))
            child_id = str(info.get("id"))
            if parent is not None and child_id not in parent.children:
                parent.children[child_id] = Transcript(child_id, parent)
        session_id = properties.get("sessionID") or (info or {}).get("sessionID") or (info or {}).get("id")
        if session_id is None:
            part = properties.get("part")
            session_id = part.get("sessionID") if isinstance(part, dict) else None
        if session_id is None:
            return self if kind.startswith("client.") else None
        return self.find(str(session_id))

    def _bubble(self, changes: list[Change], upto: Transcript) -> list[Change]:
        """Tell a sub-session's changes in its ancestors' terms: its task's part, and its requests as theirs."""
        node = self
        while node is not upto and node._parent is not None and changes:
            parent = node._parent
            changes = parent._child_changed(node, changes)
            node = parent
        return changes

    def _child_changed(self, child: Transcript, changes: list[Change]) -> list[Change]:
        turn, part = self._task_of(child.id)
        if turn is None:
            return []
        turn.children[child.id] = list(child.turns.values())
        if not any(change.kind == "request" for change in changes):
            return [Change("part", turn.id, part)] if part else []
        for mine, theirs in ((turn.permissions, "permissions"), (turn.questions, "questions")):
            for key in [k for k, request in mine.items() if request.get("sessionID") == child.id]:
                del mine[key]
            for child_turn in child.turns.values():
                mine.update(getattr(child_turn, theirs))
        return [Change("request", turn.id, "turn"), *([Change("part", turn.id, part)] if part else [])]

    def _task_of(self, child_id: str) -> tuple[TurnState | None, str]:
        """The turn and the task part that opened a sub-session; before the part names it, the latest turn."""
        if child_id not in self._tasks:
            for turn in reversed(self.turns.values()):
                opened = next((part for part in turn.parts if _opens(part, child_id)), None)
                if opened is not None:
                    self._tasks[child_id] = (turn, str(opened["id"]))
                    break
            else:
                return next(reversed(self.turns.values()), None), ""
        return self._tasks[child_id]

    # -- status ----------------------------------------------------------------------------------------------------

    def _session_info(self, properties: Json) -> Iterable[Change]:
        info = properties.get("info")
        if isinstance(info, dict) and info.get("id") == self.id and not self._is_overtaken(info):
            self.info = info
            yield Change("session", "", "session")

    def _is_overtaken(self, info: Json) -> bool:
        """Whether this was true before what is known: the answer to an act comes before the events ahead of it."""
        return 0 < _updated(self.info) - _updated(info) < OVERTAKEN_MS

    def _session_deleted(self, properties: Json) -> Iterable[Change]:
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
        """The session rests: what began has ended. A turn that has not begun waits on: this idle is another's."""
        self.status = {"type": "idle"}
        for turn in self._open_turns():
            if turn.steps or turn.id in self._busy_since_prompt:
                yield from self._end(turn)
        yield Change("session", "", "session")

    def _session_error(self, properties: Json) -> Iterable[Change]:
        """Of the latest open turn. One that has not begun keeps it only until it does: it may be an earlier turn's."""
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
        turn.permissions.clear()  # an abort leaves them listed on the server without a word (SERVER_FACTS)
        turn.questions.clear()
        self._busy_since_prompt.discard(turn.id)
        yield Change("ended", turn.id, "turn")

    def _final_error(self, turn: TurnState) -> Json | None:
        """The error that the turn ends with: our own reason to stop it, else its last step's, else the session's.

        A last step that came to a good end outweighs an error reported on the way: the server compacts by itself after
        an overflow, and explains a wrong model a second time when the next turn may already run.
        """
        last = next(reversed(turn.steps.values()), None)
        if turn.id in self._stopped or last is None:
            return turn.error
        of_step = last.info.get("error")
        if isinstance(of_step, dict):
            return of_step
        return None if "completed" in (last.info.get("time") or {}) else turn.error

    def _end_all(self, status: TurnStatus, error: Json) -> Iterable[Change]:
        for turn in self._open_turns():
            yield from self._end(turn, status, error)

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
            if request is not None:
                if not any(decision.request.get("id") == request_id for decision in turn.decisions):
                    reply = str(properties.get("reply") or ("answered" if "answers" in properties else "reject"))
                    turn.decisions.append(Decision(request, reply, "another client"))
                yield Change("request", turn.id, "turn")

    def _decided(self, properties: Json) -> Iterable[Change]:
        """client.decided {request, reply, by, message?}: we answered, and know who did."""
        request = properties["request"]
        for turn in self.turns.values():
            mine = turn.permissions.pop(request["id"], None) or turn.questions.pop(request["id"], None)
            if mine is not None:
                decision = Decision(request, properties["reply"], properties["by"], properties.get("message", ""))
                turn.decisions.append(decision)
                yield Change("request", turn.id, "turn")

    def _todo_updated(self, properties: Json) -> Iterable[Change]:
        todos = properties.get("todos")
        if not isinstance(todos, list):
            return
        self.todos = todos
        for turn in self._open_turns()[-1:]:
            turn.todos = todos
            yield Change("todos", turn.id, "turn")

    # -- what this package itself reports ----------------------------------------------------------------------------

    def _prompted(self, properties: Json) -> Iterable[Change]:
        """client.prompted {messageID}: a prompt is about to be sent; its turn exists from now on."""
        turn = self._turn(str(properties["messageID"]))
        self._ours.add(turn.id)
        yield Change("turn", turn.id, "turn")

    def _failed(self, properties: Json) -> Iterable[Change]:
        """client.failed {error, status?, messageID?}: a turn, or every open one, ended without the server's word."""
        only = properties.get("messageID")
        if only is None:  # whatever the server said last; what it says next counts again
            self.status = {"type": "idle"}
        for turn in self._open_turns():
            if only is None or turn.id == only:
                yield from self._end(turn, properties.get("status", "error"), properties["error"])

    def _stopping(self, properties: Json) -> Iterable[Change]:
        """client.stopping {messageID, error}: we abort this turn, and know the reason better than the server will."""
        turn = self.turns.get(str(properties["messageID"]))
        if turn is not None and not turn.ended:
            turn.error = properties["error"]
            self._stopped.add(turn.id)
            yield Change("turn", turn.id, "turn")

    def _connection(self, properties: Json) -> Iterable[Change]:
        """client.connection {connected}."""
        self.connected = bool(properties["connected"])
        yield Change("connection", "", "connection")

    def _noted(self, properties: Json) -> Iterable[Change]:
        """client.noted {messageID}: the server has a prompt that it is not to answer."""
        turn = self.turns.get(str(properties["messageID"]))
        if turn is not None and not turn.ended:
            yield from self._end(turn)

    def _loaded(self, properties: Json) -> Iterable[Change]:
        """client.loaded {info, messages, cursor, status, permissions, questions, todos}: merged into what streamed.

        `messages` are the latest ones, `cursor` leads to those before them.
        """
        yield from self._session_info(properties)
        messages = properties.get("messages") or []
        listed = [message["info"]["id"] for message in messages]
        if not self._messages or (listed and min(listed) < min(self._messages)):
            self.cursor = str(properties.get("cursor") or "")
        for gone in [m for m in self._messages if m not in listed and listed and m < max(listed) and m >= min(listed)]:
            yield from self._message_removed({"messageID": gone})
        yield from self._take(messages)
        self.todos = properties.get("todos", self.todos)
        yield from self._loaded_requests(properties)
        status = properties.get("status") or {"type": "idle"}
        yield from self._end_over(idle=status.get("type") == "idle")
        yield from self._session_status({"status": status})

    def _earlier(self, properties: Json) -> Iterable[Change]:
        """client.earlier {messages, cursor}: what comes before the first turn here."""
        self.cursor = str(properties.get("cursor") or "")
        known = dict(self.turns)
        first = next(iter(known), "")
        changes = list(self._take(properties.get("messages") or []))
        for turn in known.values():
            if turn.id in self.turns:  # else it went on with an earlier one as soon as its prompt was there
                before = self._before(turn)
                if before is None:
                    break
                changes += self._continue_turn(turn, before)
        for turn in [turn for turn in self._open_turns() if turn.id < first]:
            changes += self._end(turn)
        yield from (change for change in changes if change.turn in known)
        yield Change("earlier", "", "earlier")

    def _take(self, messages: list[Json]) -> Iterable[Change]:
        for message in messages:
            yield from self._message_updated({"info": message["info"]})
            for part in message["parts"]:
                yield from self._part_updated({"part": part})

    def _end_over(self, *, idle: bool) -> Iterable[Change]:
        """End what a loaded history shows to be over: all turns of a session that rests, else those before the last
        that was begun; a prompt of our own may still be on its way."""
        turns = list(self.turns.values())
        begun = [number for number, turn in enumerate(turns) if turn.steps]
        for turn in turns if idle else turns[: begun[-1] if begun else 0]:
            if not turn.ended and (turn.steps or turn.id not in self._ours):
                yield from self._end(turn)

    def _loaded_requests(self, properties: Json) -> Iterable[Change]:
        for table in ("permissions", "questions"):
            listed = {request["id"]: request for request in properties.get(table, [])}
            for turn in self.turns.values():
                mine = [key for key, request in getattr(turn, table).items() if request.get("sessionID") == self.id]
                for gone in [key for key in mine if key not in listed]:
                    del getattr(turn, table)[gone]
                    yield Change("request", turn.id, "turn")
            for request in listed.values():
                yield from self._asked(request, table)


def _opens(part: Json, child_id: str) -> bool:
    """Whether a part is the call of the task tool that opened this sub-session."""
    metadata = (part.get("state") or {}).get("metadata") or {}
    return part.get("type") == "tool" and metadata.get("sessionId") == child_id


def _updated(info: Json) -> float:
    time = info.get("time")
    updated = time.get("updated") if isinstance(time, dict) else None
    return updated if isinstance(updated, int | float) else 0.0


def _outcome(error: Json | None) -> TurnStatus:
    if error is None:
        return "completed"
    return "aborted" if error.get("name") in STOPPED else "error"


_HANDLERS: dict[str, Callable[[Transcript, Json], Iterable[Change]]] = {
    "message.updated": Transcript._message_updated,
    "message.removed": Transcript._message_removed,
    "message.part.updated": Transcript._part_updated,
    "message.part.delta": Transcript._part_delta,
    "message.part.removed": Transcript._part_removed,
    "session.created": Transcript._session_info,
    "session.updated": Transcript._session_info,
    "session.deleted": Transcript._session_deleted,
    "session.status": Transcript._session_status,
    "session.idle": Transcript._idle,
    "session.error": Transcript._session_error,
    "permission.asked": Transcript._permission_asked,
    "permission.replied": Transcript._replied,
    "question.asked": Transcript._question_asked,
    "question.replied": Transcript._replied,
    "question.rejected": Transcript._replied,
    "todo.updated": Transcript._todo_updated,
    "client.prompted": Transcript._prompted,
    "client.decided": Transcript._decided,
    "client.stopping": Transcript._stopping,
    "client.failed": Transcript._failed,
    "client.connection": Transcript._connection,
    "client.noted": Transcript._noted,
    "client.loaded": Transcript._loaded,
    "client.earlier": Transcript._earlier,
}
