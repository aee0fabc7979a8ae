"""Transcript: one session, folded from the server's events. The only writer of `TurnState`.

`Folding` handles messages and parts, `Progress` the status of turns; this class combines them. Pure: no I/O, no clock,
no threads. It never raises on anything a server sends: unknown events and parts are ignored, missing fields change
nothing. What this package itself learns (a prompt was sent, who answered a request, the server died, history was
fetched) arrives as "client.*" events too, so that there is only one way in.

Sub-sessions (of the task tool) are transcripts below their parent. A change in one shows up as a change of the task's
part in the parent's turn, and its open requests as the parent's.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from opencode_nb.transcript.halves import whole
from opencode_nb.transcript.lifecycle import Progress
from opencode_nb.transcript.messages import Change, created
from opencode_nb.transcript.state import OWN_QUESTION, Json, Message, TurnState

__all__ = ["Change", "Transcript"]

REMEMBERED_EVENTS = 4096
"""Event ids kept to recognise repeats. Limits memory; far more than are ever in flight."""


class Transcript(Progress):
    """One session. Read its attributes freely; change it only with `apply`.

    `cursor` fetches the messages before the first turn; "" if there are none.
    """

    def __init__(self, session_id: str, parent: Transcript | None = None) -> None:
        super().__init__(session_id)
        self.children: dict[str, Transcript] = {}
        self._answers = parent._answers if parent else {}
        self.connected = True
        self.cursor = ""
        self._parent = parent
        self._tasks: dict[str, tuple[TurnState, str]] = {}  # the turn and part that opened each sub-session, once known
        self._seen: OrderedDict[str, None] = OrderedDict()

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether the server is working on this session."""
        return self.status.get("type") != "idle"

    @property
    def has_earlier(self) -> bool:
        """Whether there are turns before the first one loaded."""
        return bool(self.cursor)

    @property
    def visible_turns(self) -> list[TurnState]:
        """The visible turns. Undone ones are hidden until redone; the next prompt removes them."""
        undone = {turn.id for turn in self.undone_turns}
        return [turn for turn in list(self.turns.values()) if turn.id not in undone]

    @property
    def undone_turns(self) -> list[TurnState]:
        """The undone turns, which can be redone until the next prompt."""
        cut = str((self.info.get("revert") or {}).get("messageID") or "")
        if not cut or (cut not in self._messages and not self.has_earlier):  # then the server hides nothing either
            return []
        return self.turns_from(cut)

    def undone_after(self, message_id: str) -> str | None:
        """Return the message of the undone turn after this one; None after the last."""
        undone = [turn.id for turn in self.undone_turns]
        return next(iter(undone[undone.index(message_id) + 1 :]), None)

    def is_passed_by(self, turn: TurnState) -> bool:
        """Whether the server never answers our prompt: its clock was set back, and sorts it among earlier messages."""
        return turn.prompt is not None and turn.prompt.at < self._ours.get(turn.id, 0.0)

    def turn_of(self, message_id: str) -> TurnState | None:
        """Return the turn a message belongs to."""
        known = self._messages.get(message_id)
        return known[0] if known else None

    def turns_from(self, message_id: str) -> list[TurnState]:
        """Return the turns from this message on; all of them if the message precedes what is loaded."""
        places = {key: place for place, key in enumerate(self._messages)}
        cut = places.get(message_id, 0)
        return [turn for turn in list(self.turns.values()) if places.get(turn.id, len(places)) >= cut]

    @property
    def last_ids(self) -> tuple[str, ...]:
        """The ids of the last message and the last turn, whose prompt may not have reached the server yet."""
        return (*([self.newest.id] if self.newest else []), *itertools.islice(reversed(self.turns), 1))

    @property
    def newest(self) -> Message | None:
        """The last message, or None."""
        return next((message for _turn, message in reversed(self._messages.values())), None)

    @property
    def sub_sessions(self) -> set[str]:
        """The sub-sessions opened by the tasks of these turns."""
        parts = (part for turn in list(self.turns.values()) for part in turn.parts if part.get("type") == "tool")
        opened = (((part.get("state") or {}).get("metadata") or {}).get("sessionId") for part in parts)
        return {str(session_id) for session_id in opened if session_id}

    def find(self, session_id: str) -> Transcript | None:
        """Return this transcript or the descendant with that id."""
        if session_id == self.id:
            return self
        return next((found for child in list(self.children.values()) if (found := child.find(session_id))), None)

    # -- writing ---------------------------------------------------------------------------------------------------

    def apply(self, event: Json) -> list[Change]:
        """Fold in one event and return what changed. Applying an event twice changes nothing the second time."""
        if self._is_repeat(event.get("id")):
            return []
        kind, properties = event.get("type"), event.get("properties")
        if not isinstance(kind, str) or not isinstance(properties, dict):
            return []
        owner = self._owner(kind, properties)
        if owner is None:
            return []
        handler = _HANDLERS.get(kind)
        owner.event_id = str(event.get("id") or "")
        if kind != "message.part.delta":  # the other half of a character may follow in the next one
            properties = whole(properties)
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
        """Return the transcript an event belongs to; a sub-session's first event creates its transcript."""
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
        """Translate a sub-session's changes for its ancestors: to changes of the task's part and of their requests."""
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
            for child_turn in list(child.turns.values()):
                mine.update(getattr(child_turn, theirs))
        return [Change("request", turn.id, "turn"), *([Change("part", turn.id, part)] if part else [])]

    def _task_of(self, child_id: str) -> tuple[TurnState | None, str]:
        """Return the turn and the task part that opened a sub-session; the latest turn until a part names it."""
        if child_id not in self._tasks:
            for turn in reversed(self.turns.values()):
                opened = next((part for part in turn.parts if _opens(part, child_id)), None)
                if opened is not None:
                    self._tasks[child_id] = (turn, str(opened["id"]))
                    break
            else:
                return next(reversed(self.turns.values()), None), ""
        return self._tasks[child_id]

    # -- what this package itself reports ----------------------------------------------------------------------------

    def _prompted(self, properties: Json) -> Iterable[Change]:
        """client.prompted {messageID}: a prompt is about to be sent; create its turn."""
        last = self.newest
        turn = self._turn(str(properties["messageID"]))
        self._ours[turn.id] = last.at if last else 0.0
        yield Change("turn", turn.id, "turn")

    def _failed(self, properties: Json) -> Iterable[Change]:
        """client.failed {error, status?, messageID?}: end one turn, or every open one, without word from the server."""
        only = properties.get("messageID")
        if only is None:  # overrides the server's last status, until its next one
            self.status = {"type": "idle"}
        for turn in self._open_turns():
            if only is None or turn.id == only:
                yield from self._end(turn, properties.get("status", "error"), properties["error"])

    def _stopping(self, properties: Json) -> Iterable[Change]:
        """client.stopping {messageID, error}: we are aborting this turn, and know the reason better than the server."""
        turn = self.turns.get(str(properties["messageID"]))
        if turn is not None and not turn.ended:
            turn.error = properties["error"]
            self._stopped.add(turn.id)
            yield Change("turn", turn.id, "turn")

    def _kernel(self, properties: Json) -> Iterable[Change]:
        """client.kernel {messageID, changes}: code of this turn has changed the kernel's memory."""
        turn = self.turns.get(str(properties["messageID"]))
        if turn is not None:
            turn.kernel = properties["changes"]
            yield Change("turn", turn.id, "turn")

    def _connection(self, properties: Json) -> Iterable[Change]:
        """client.connection {connected}: the event stream was connected or lost."""
        self.connected = bool(properties["connected"])
        yield Change("connection", "", "connection")

    def _noted(self, properties: Json) -> Iterable[Change]:
        """client.noted {messageID}: the server has stored a prompt that it should not answer."""
        turn = self.turns.get(str(properties["messageID"]))
        if turn is not None and not turn.ended:
            yield from self._end(turn)

    def _shown(self, properties: Json) -> Iterable[Change]:
        """client.shown {callID, blocks}: a tool of the kernel has shown something. The server does not keep it."""
        call = str(properties["callID"])
        calls = ((turn, part) for turn in reversed(self.turns.values()) for part in reversed(turn.parts))
        turn, part = next((known for known in calls if known[1].get("callID") == call), (None, {}))
        if turn is not None:
            turn.shown[call] = properties["blocks"]
            yield Change("part", turn.id, str(part["id"]))

    def _sent(self, properties: Json) -> Iterable[Change]:
        """client.sent {messageID, entries}: this left the kernel in a turn, too: `{about, level, tokens, images}`."""
        turn = self.turns.get(str(properties["messageID"]))
        if turn is not None:
            turn.sent = [*turn.sent, *properties["entries"]]
            yield Change("turn", turn.id, "turn")

    def _replayed(self, properties: Json) -> Iterable[Change]:
        """client.replayed {messageID, lines}: this turn comes from a recording."""
        turn = self.turns.get(str(properties["messageID"]))
        if turn is not None:
            turn.replay = list(properties["lines"])
            yield Change("turn", turn.id, "turn")

    def _recalled(self, properties: Json) -> Iterable[Change]:
        """client.recalled {turns}: who answered in earlier turns, by turn, as attributes. Comes before the history."""
        self._answers.update(properties["turns"])
        return ()

    def _loaded(self, properties: Json) -> Iterable[Change]:
        """client.loaded {info, messages, cursor, status, permissions, questions, todos}: merge with what was streamed.

        `messages` are the latest ones; `cursor` fetches those before them.
        """
        yield from self._session_info(properties)
        messages, cursor = properties.get("messages") or [], str(properties.get("cursor") or "")
        for gone in self._gone(messages, cursor):
            yield from self._message_removed({"messageID": gone})
        yield from self._take(messages)
        if messages and next(iter(self._messages)) == messages[0]["info"]["id"]:  # else earlier ones are loaded already
            self.cursor = cursor
        self.todos = properties.get("todos", self.todos)
        yield from self._loaded_requests(properties)
        status = properties.get("status") or {"type": "idle"}
        yield from self._end_over(idle=status.get("type") == "idle")
        yield from self._session_status({"status": status})

    def _gone(self, messages: list[Json], cursor: str) -> list[str]:
        """Return the known messages missing from a page of the server's list: they were removed meanwhile."""
        if not messages:
            return []
        listed = {message["info"]["id"] for message in messages}
        first = created(messages[0]["info"]) if cursor else 0.0
        last = created(messages[-1]["info"])
        return [key for key, (_, known) in self._messages.items() if key not in listed and first <= known.at < last]

    def _earlier(self, properties: Json) -> Iterable[Change]:
        """client.earlier {messages, cursor}: add what precedes the first turn."""
        self.cursor = str(properties.get("cursor") or "")
        known = dict(self.turns)
        changes = list(self._take(properties.get("messages") or []))
        for turn in known.values():
            if turn.id in self.turns:  # else it was merged into an earlier turn when its prompt arrived
                before = self._before(turn)
                if before is None:
                    break
                changes += self._continue_turn(turn, before)
        for turn in [turn for turn in self._open_turns() if turn.id not in known]:
            changes += self._end(turn)
        yield from (change for change in changes if change.turn in known)
        yield Change("earlier", "", "earlier")

    def _let_go(self, properties: Json) -> Iterable[Change]:
        """client.let_go {messageID, cursor}: drop what precedes this message; `cursor` can fetch it again.

        Keeps everything while one of these turns runs, or while turns are undone: a redo needs them.
        """
        first = self.turn_of(str(properties["messageID"]))
        old = list(itertools.takewhile(lambda turn: turn is not first, self.turns.values()))
        if first is None or not old or self.info.get("revert") or not all(turn.ended for turn in old):
            return
        self.cursor = str(properties["cursor"])
        for turn in old:
            self._forget(turn)
        yield Change("earlier", "", "earlier")

    def _forget(self, turn: TurnState) -> None:
        for message_id in (turn.id, *turn.steps):
            self._messages.pop(message_id, None)
        del self.turns[turn.id]
        self._ours.pop(turn.id, None)
        self._stopped.discard(turn.id)
        kept = {name: getattr(turn, name) for name in _ONLY_HERE}
        if any(kept.values()):
            self._answers[turn.id] = kept
        for child_id in turn.children:
            if not any(child_id in other.children for other in list(self.turns.values())):
                self.children.pop(child_id, None)
                self._tasks.pop(child_id, None)

    def _take(self, messages: list[Json]) -> Iterable[Change]:
        """Fold in a page of the server's list. Order comes first, because the meaning of a part may depend on it."""
        for message in messages:
            yield from self._take_message(message["info"])
        self._order([message["info"]["id"] for message in messages])
        for message in messages:
            for part in message["parts"]:
                yield from self._part_updated({"part": part})
            self._order_parts(message["info"]["id"], [part["id"] for part in message["parts"]])

    def _end_over(self, *, idle: bool) -> Iterable[Change]:
        """End the turns that a loaded history shows to be over: all if the session is idle, else those before the last
        one that began. A prompt of our own may still be on its way."""
        turns = list(self.turns.values())
        for turn in turns:
            yield from self._reconsider(turn)
        begun = [number for number, turn in enumerate(turns) if turn.steps]
        for turn in turns if idle else turns[: begun[-1] if begun else 0]:
            if not turn.ended and (turn.steps or turn.id not in self._ours) and not self.is_due(turn):
                yield from self._end(turn)

    def _loaded_requests(self, properties: Json) -> Iterable[Change]:
        for table in ("permissions", "questions"):
            listed = {request["id"]: request for request in properties.get(table, [])}
            for turn in list(self.turns.values()):
                mine = [key for key, request in getattr(turn, table).items() if request.get("sessionID") == self.id]
                for gone in [key for key in mine if key not in listed and not key.startswith(OWN_QUESTION)]:
                    del getattr(turn, table)[gone]
                    yield Change("request", turn.id, "turn")
            for request in listed.values():
                yield from self._asked(request, table)


_ONLY_HERE = ("decisions", "approved", "waits", "shown", "sent", "kernel", "replay", "warnings")
"""What the server does not keep of a turn."""


def _opens(part: Json, child_id: str) -> bool:
    """Return whether a part is the task call that opened this sub-session."""
    metadata = (part.get("state") or {}).get("metadata") or {}
    return part.get("type") == "tool" and metadata.get("sessionId") == child_id


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
    "client.kernel": Transcript._kernel,
    "client.expected": Transcript._expected,
    "client.failed": Transcript._failed,
    "client.connection": Transcript._connection,
    "client.noted": Transcript._noted,
    "client.shown": Transcript._shown,
    "client.sent": Transcript._sent,
    "client.replayed": Transcript._replayed,
    "client.warned": Transcript._warned,
    "client.recalled": Transcript._recalled,
    "client.loaded": Transcript._loaded,
    "client.earlier": Transcript._earlier,
    "client.let_go": Transcript._let_go,
}
