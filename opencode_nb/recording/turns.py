"""What a recording keeps of a turn, and the events that make a transcript show the same turn again. Pure.

Keeps the finished messages, not the stream: a secret that came in two pieces is whole in them, and can be masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from opencode_nb.transcript.messages import created
from opencode_nb.transcript.state import BY_APPROVAL, ELSEWHERE, Decision, Json, Message, Span, TurnState

_TICKS_PER_MS = 0x1000
_LOW_48_BITS = (1 << 48) - 1


def over_strings(value: Any, function: Callable[[str], str]) -> Any:
    """Return the JSON value with a function applied to each string in it."""
    if isinstance(value, str):
        return function(value)
    if isinstance(value, dict):
        return {function(key): over_strings(item, function) for key, item in value.items()}
    return [over_strings(item, function) for item in value] if isinstance(value, list | tuple) else value


# Keeping


def as_json(turn: TurnState) -> Json:
    """Return all that is known of an ended turn and its sub-sessions."""
    return {
        "id": turn.id,
        "session": turn.session_id,
        "status": turn.status,
        "error": turn.error,
        "messages": [_message(message) for message in (turn.prompt, *turn.steps.values()) if message],
        "decisions": [_decision(made) for made in turn.decisions],
        "approved": list(turn.approved),
        "waits": {request: list(span) for request, (_call, span) in turn.waits.items()},
        "todos": list(turn.todos),
        "shown": dict(turn.shown),
        "sent": list(turn.sent),
        "kernel": turn.kernel,
        "children": {session: list(map(as_json, turns)) for session, turns in turn.children.items()},
    }


def _message(message: Message) -> Json:
    return {"info": message.info, "parts": list(message.parts.values())}


def _decision(made: Decision) -> Json:
    return {"request": made.request, "reply": made.reply, "by": made.by, "message": made.message}


# Playing


def events(kept: Json, lines: list[str], *, after: float = 0.0) -> Iterator[Json]:
    """Yield the events of a kept turn, in an order in which a transcript of its session can apply them.

    `lines` are shown below it: that it is a replay. `after` is the time of the session's last message, in ms: a turn
    that was recorded before it is moved behind it, as a transcript is in the order of time.
    """
    turn = _moved(kept, after)
    yield _own("prompted", turn, messageID=turn["id"])
    yield _own("replayed", turn, messageID=turn["id"], lines=lines)
    yield from _messages(turn)
    yield from _requests(turn, set())
    yield from _rest(turn)


def _moved(kept: Json, after: float) -> Json:
    begun = created(kept["messages"][0]["info"]) if kept["messages"] else 0.0
    moved: Json = _later(kept, int(after + 1 - begun)) if begun <= after else kept
    return moved


def _later(value: Any, delay: int, name: str = "") -> Any:
    """Add to every time in it, in ms."""
    if isinstance(value, dict):
        return {key: _later(item, delay, "time" if name == "time" else key) for key, item in value.items()}
    if isinstance(value, list):
        return [_later(item, delay) for item in value]
    return value + delay if name == "time" and isinstance(value, int | float) else value


def _event(kind: str, **properties: Any) -> Json:
    return {"type": kind, "properties": properties}


def _own(kind: str, turn: Json, **properties: Any) -> Json:
    return _event(f"client.{kind}", sessionID=turn["session"], **properties)


def _messages(turn: Json) -> Iterator[Json]:
    """Yield the messages of a turn, then those of its sub-sessions, whose task is known by then."""
    for message in turn["messages"]:
        yield _event("message.updated", info=message["info"])
        yield from (_event("message.part.updated", part=part) for part in message["parts"])
    for session, children in turn["children"].items():
        yield _event("session.created", info={"id": session, "parentID": turn["session"]})
        for child in children:
            yield from _messages(child)


def _requests(turn: Json, answered: set[str]) -> Iterator[Json]:
    """Yield each request with its answer. A sub-session's are also its parent's: those are answered once."""
    made = [*turn["decisions"], *({"request": one, "reply": "once", "by": BY_APPROVAL} for one in turn["approved"])]
    for decision in made:
        request = {name: value for name, value in decision["request"].items() if name != "call"}
        if request["id"] in answered:
            continue
        answered.add(request["id"])
        kind = "question" if "questions" in request else "permission"
        yield _event(f"{kind}.asked", **request)
        if decision["by"] == ELSEWHERE:
            yield _replied(kind, request, turn["waits"].get(request["id"]), decision["reply"])
        else:
            yield _own("decided", turn, **{**decision, "request": request})
    yield from (item for child in _children(turn) for item in _requests(child, answered))
    for request_id, span in turn["waits"].items():
        yield _replied("permission", {"id": request_id, "sessionID": turn["session"]}, span, "")


def _replied(kind: str, request: Json, span: Span | None, reply: str) -> Json:
    """Return the server's word that a request was answered. Its id tells when: see `ids.made_at`."""
    told = _event(f"{kind}.replied", sessionID=request["sessionID"], requestID=request["id"], reply=reply)
    return told if span is None else {**told, "id": f"evt_{int(span[1] * _TICKS_PER_MS) & _LOW_48_BITS:012x}"}


def _rest(turn: Json) -> Iterator[Json]:
    """Yield what the messages do not say, of the sub-sessions first, and the end."""
    for child in _children(turn):
        yield from _rest(child)
    if turn["todos"]:
        yield _event("todo.updated", sessionID=turn["session"], todos=turn["todos"])
    for call, blocks in turn["shown"].items():
        yield _own("shown", turn, callID=call, blocks=blocks)
    if turn["sent"]:
        yield _own("sent", turn, messageID=turn["id"], entries=turn["sent"])
    if turn["kernel"]:
        yield _own("kernel", turn, messageID=turn["id"], changes=turn["kernel"])
    if turn["error"] is None:
        yield _own("noted", turn, messageID=turn["id"])
    else:
        yield _own("failed", turn, messageID=turn["id"], error=turn["error"], status=turn["status"])


def _children(turn: Json) -> Iterator[Json]:
    return (child for children in turn["children"].values() for child in children)
