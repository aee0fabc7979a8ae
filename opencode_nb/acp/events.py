"""Events: turns what an agent tells of one session into the events that `Transcript.apply` knows. Pure.

A turn is our prompt and one answer: the protocol tells chunks of text, calls and plans, not the steps of the model. A
new part begins where the kind of chunk, or the message it names, changes. Unknown updates and fields change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from opencode_nb.acp import auth, calls
from opencode_nb.transcript.state import Json

_CHUNKS = {"agent_message_chunk": "text", "agent_thought_chunk": "reasoning"}
_FINISHES = {"max_tokens": "length", "refusal": "content-filter"}
_TOKENS = {"input": "inputTokens", "output": "outputTokens", "reasoning": "thoughtTokens"}
_CACHED = {"read": "cachedReadTokens", "write": "cachedWriteTokens"}

STOPPED: Json = {"name": "MessageAbortedError", "data": {"message": "The turn was stopped."}}


class Events:
    """What an agent tells of one session, as events. Keeps what later updates refer to: the turn, its parts and calls.

    `clock` returns the time in ms since the epoch. `info` is the session's, `options` and `commands` are what the agent
    offers in it. `model` is the "provider/model" that answers, `mode` the agent's name for how; "" if it does not say.
    """

    def __init__(self, session_id: str, directory: str, clock: Callable[[], float]) -> None:
        self.info: Json = {"id": session_id, "directory": directory, "title": ""}
        self.options: list[Json] = []
        self.commands: list[Json] = []
        self._id, self._clock = session_id, clock
        self._mode = ""
        self._loading = False
        self._loaded = 0  # turns of the history, to name those whose messages have no names
        self._turn = ""
        self._answer: Json = {}
        self._count = 0  # parts of the answer, to name the next one
        self._open: Json = {}  # the text that chunks are added to
        self._said_in = ""  # the message of the agent that it belongs to
        self._calls: dict[str, Json] = {}
        self._parts: dict[str, Json] = {}
        self._times: dict[str, Json] = {}
        self._printed: dict[str, str] = {}  # by terminal
        self._cost = 0.0  # of the session before this turn
        self._spent = 0.0

    # -- a turn ----------------------------------------------------------------------------------------------------

    def prompted(self, message_id: str, parts: list[Json]) -> Iterator[Json]:
        """Tell that a prompt is on its way to the agent, which works from now on."""
        yield from self._begin(message_id, {"created": self._clock()})
        for number, part in enumerate(parts):
            own = {"id": f"{message_id}_p{number}", "messageID": message_id, "sessionID": self._id}
            yield _event("message.part.updated", part={**part, **own})
        yield self._status("busy")

    def _begin(self, turn: str, time: Json) -> Iterator[Json]:
        self._turn, self._answer, self._count, self._open = turn, {}, 0, {}
        self._calls, self._parts, self._times, self._cost = {}, {}, {}, self._spent
        self._printed = {}
        info = {"id": turn, "sessionID": self._id, "role": "user", "time": time}
        yield _event("message.updated", info=info)

    def ended(self, response: Json) -> Iterator[Json]:
        """Tell how a prompt ended, as the agent answered it."""
        reason, usage = str(response.get("stopReason") or ""), response.get("usage")
        tokens = _tokens(usage) if isinstance(usage, dict) else None
        told = {"tokens": tokens} if tokens else {}
        cost = {"cost": self._spent - self._cost} if self._spent else {}
        failed = {"error": STOPPED} if reason == "cancelled" else {"finish": _FINISHES.get(reason, "stop")}
        yield from self._close()
        yield from self._answered()
        if told:
            yield from self._part({"type": "step-finish", **told, **cost})
        self._answer |= {**failed, **told, **cost, "time": {**self._answer["time"], "completed": self._clock()}}
        yield _event("message.updated", info=self._answer)
        yield self._status("idle")

    def failed(self, code: int, message: str, data: Any) -> Iterator[Json]:
        """Tell that the agent answered a prompt with an error."""
        named = data.get("errorName") if isinstance(data, dict) else None
        name = "ProviderAuthError" if code == auth.REQUIRED else str(named or "AgentError")
        yield from self._close()
        yield _event("session.error", sessionID=self._id, error={"name": name, "data": {"message": message}})
        yield self._status("idle")

    def _status(self, kind: str) -> Json:
        return _event("session.status", sessionID=self._id, status={"type": kind})

    # -- history ---------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Take what follows as the session's history: the agent repeats the prompts, too."""
        self._loading, self._loaded, self._turn = True, 0, ""

    def loaded(self) -> Iterator[Json]:
        """Tell that the history is complete: its turns are over."""
        yield from self._past()
        self._loading, self._cost = False, self._spent
        yield self._status("idle")

    def _past(self) -> Iterator[Json]:
        """End the answer of an earlier turn: how it ended is not told."""
        yield from self._close()
        if self._answer:
            self._answer = {**self._answer, "finish": "stop"}
            yield _event("message.updated", info=self._answer)

    def _prompt_chunk(self, update: Json) -> Iterator[Json]:
        if not self._loading:  # an echo of ours
            return
        message = str(update.get("messageId") or "")
        if self._answer or not self._turn or (message and message != self._turn):
            yield from self._past()
            self._loaded += 1
            yield from self._begin(message or f"{self._id}_{self._loaded}", {})
        part = _part_of(update.get("content"))
        if part is not None:
            self._count += 1
            own = {"id": f"{self._turn}_p{self._count}", "messageID": self._turn, "sessionID": self._id}
            yield _event("message.part.updated", part={**part, **own})

    # -- updates ---------------------------------------------------------------------------------------------------

    def update(self, update: Json) -> Iterator[Json]:
        """Yield the events of one `session/update`."""
        kind = str(update.get("sessionUpdate"))
        if kind in _CHUNKS:
            yield from self._chunk(_CHUNKS[kind], update)
        elif (handler := _HANDLERS.get(kind)) is not None:
            yield from handler(self, update)

    def _chunk(self, kind: str, update: Json) -> Iterator[Json]:
        part, message = _part_of(update.get("content")), str(update.get("messageId") or "")
        if part is None or not self._turn or part.get("text") == "":
            return
        if part["type"] != "text":
            yield from self._close()
            yield from self._part(part)
            return
        if self._open.get("type") != kind or message != self._said_in:
            yield from self._close()
            time = {} if self._loading else {"time": {"start": self._clock()}}
            yield from self._part({"type": kind, "text": "", **time})
            self._open, self._said_in = self._last, message
        self._open["text"] += part["text"]
        named = {"messageID": self._open["messageID"], "partID": self._open["id"], "sessionID": self._id}
        yield _event("message.part.delta", field="text", delta=part["text"], **named)

    def _close(self) -> Iterator[Json]:
        """End the text that is open."""
        if self._open:
            part, self._open = self._open, {}
            end = self._clock()
            yield _event(
                "message.part.updated", part={**part, "time": {"start": end, **part.get("time", {}), "end": end}}
            )

    def _part(self, part: Json) -> Iterator[Json]:
        """Add a part to the answer."""
        yield from self._answered()
        self._count += 1
        own = {"id": f"{self._answer['id']}_{self._count}", "messageID": self._answer["id"], "sessionID": self._id}
        self._last = {**part, **own}
        yield _event("message.part.updated", part=dict(self._last))

    def _answered(self) -> Iterator[Json]:
        """Begin the answer, if it has not begun."""
        if self._answer:
            return
        provider, _slash, model = self.model.partition("/")
        self._answer = {
            "id": f"{self._turn}_answer",
            "sessionID": self._id,
            "role": "assistant",
            "parentID": self._turn,
            "time": {} if self._loading else {"created": self._clock()},
            "path": {"cwd": self.info["directory"]},
            **({"providerID": provider, "modelID": model} if model else {"modelID": provider} if provider else {}),
            **({"agent": self.mode} if self.mode else {}),
        }
        yield _event("message.updated", info=self._answer)

    def _call(self, update: Json) -> Iterator[Json]:
        call_id = update.get("toolCallId")
        if not isinstance(call_id, str) or not self._turn:
            return
        told = {name: value for name, value in update.items() if value is not None}
        call = self._calls[call_id] = {**self._calls.get(call_id, {}), **told}
        if call_id not in self._parts:
            yield from self._close()
            yield from self._part(self._called({"type": "tool", "callID": call_id, "tool": calls.tool_of(call)}, call))
            self._parts[call_id] = self._last
        else:
            yield _event("message.part.updated", part=self._called(self._parts[call_id], call))

    def _called(self, part: Json, call: Json) -> Json:
        """Return a call's part with its state, and when it began and ended as far as this was seen."""
        state = calls.state_of(part["tool"], calls.with_output(call, self._printed))
        if not self._loading and state["status"] != "pending":
            time = self._times.setdefault(part["callID"], {"start": self._clock()})
            if state["status"] != "running":
                time.setdefault("end", self._clock())
            state["time"] = dict(time)
        return {**part, "state": state}

    def is_pending(self, call_id: str) -> bool:
        """Return whether a call has not begun: its input may not be told yet."""
        return str(self._calls.get(call_id, {}).get("status") or "pending") == "pending"

    def open_calls(self, tools: Collection[str]) -> Iterator[Json]:
        """Yield the calls of these tools that have not ended, the latest first."""
        for call_id, part in reversed(self._parts.items()):
            call = self._calls[call_id]
            if part["tool"] in tools and call.get("status", "pending") in ("pending", "in_progress"):
                yield call

    def printed(self, terminal_id: str, text: str) -> Iterator[Json]:
        """Tell what a command has printed so far, on the cards of the calls that show it."""
        self._printed[terminal_id] = text
        for call_id, call in self._calls.items():
            if terminal_id in calls.terminals_of(call):
                yield _event("message.part.updated", part=self._called(self._parts[call_id], call))

    def asked(self, request_id: str, call: Json) -> Iterator[Json]:
        """Tell that the agent asks for permission for a call: what it is called with is known then."""
        call_id = str(call.get("toolCallId") or "")
        known = self._calls.get(call_id, {})
        new = {
            name: call[name] for name in ("rawInput", "content", "locations") if call.get(name) and not known.get(name)
        }
        if new or self.is_pending(call_id):
            yield from self._call({**(known or call), **new, "toolCallId": call_id, "status": "in_progress"})
        yield _event(
            "permission.asked",
            id=request_id,
            sessionID=self._id,
            tool={"messageID": self._answer.get("id", ""), "callID": call_id},
            **calls.asked(call, known),
        )

    def questioned(self, request_id: str, questions: list[Json], call_id: str) -> Json:
        """Return the event that the agent has questions for its user, for a call if it names one."""
        tool = {"tool": {"messageID": self._answer.get("id", ""), "callID": call_id}} if call_id else {}
        return _event("question.asked", id=request_id, sessionID=self._id, questions=questions, **tool)

    def answered(self, request_id: str, answers: list[list[str]]) -> Iterator[Json]:
        """Tell that questions were answered elsewhere."""
        yield _event("question.replied", sessionID=self._id, requestID=request_id, answers=answers)

    def _plan(self, update: Json) -> Iterator[Json]:
        entries = update.get("entries")
        if isinstance(entries, list):
            yield _event("todo.updated", sessionID=self._id, todos=[one for one in entries if isinstance(one, dict)])

    def _usage(self, update: Json) -> Iterator[Json]:
        cost = update.get("cost")
        amount = cost.get("amount") if isinstance(cost, dict) and cost.get("currency") == "USD" else None
        if isinstance(amount, int | float):
            self._spent = float(amount)
            yield from self.learned(cost=self._spent)

    def _session(self, update: Json) -> Iterator[Json]:
        if isinstance(update.get("title"), str):
            yield from self.learned(title=update["title"])

    def learned(self, **told: Any) -> Iterator[Json]:
        """Tell what is new about the session."""
        self.info = {**self.info, **told}
        yield _event("session.updated", info=self.info)

    def _offered(self, update: Json) -> Iterator[Json]:
        """Take over what the agent offers; it changes nothing in a transcript."""
        if isinstance(update.get("configOptions"), list):
            self.options = [option for option in update["configOptions"] if isinstance(option, dict)]
        if isinstance(update.get("availableCommands"), list):
            self.commands = [command for command in update["availableCommands"] if isinstance(command, dict)]
        if isinstance(update.get("currentModeId"), str):
            self._mode = update["currentModeId"]
        return iter(())

    def offered(self, answer: Json) -> None:
        """Take over what the agent offers, as it answered a request."""
        modes = answer.get("modes")
        for _event_of_it in self._offered({**answer, **(modes if isinstance(modes, dict) else {})}):
            pass

    def option(self, category: str) -> Json:
        """Return a setting of the session, such as its model, with its `currentValue` and `options`; {} without."""
        found = (one for one in self.options if category in (one.get("category"), one.get("id")))
        return next(found, {})

    @property
    def model(self) -> str:
        """The model that answers; "" if the agent does not say."""
        return str(self.option("model").get("currentValue") or "")

    @property
    def mode(self) -> str:
        """How the agent works, in its own words; "" if it does not say."""
        return str(self.option("mode").get("currentValue") or self._mode)


def _event(kind: str, **properties: Any) -> Json:
    return {"type": kind, "properties": properties}


def _tokens(usage: Json) -> Json:
    counts = {name: int(usage.get(theirs) or 0) for name, theirs in _TOKENS.items()}
    return {**counts, "cache": {name: int(usage.get(theirs) or 0) for name, theirs in _CACHED.items()}}


def _part_of(content: Any) -> Json | None:
    """Return a block of content as a part; None for one of an unknown kind."""
    block = content if isinstance(content, dict) else {}
    kind = block.get("type")
    if kind == "text":
        return {"type": "text", "text": str(block.get("text") or "")}
    if kind in ("image", "audio"):
        mime = str(block.get("mimeType") or "")
        return {"type": "file", "mime": mime, "url": f"data:{mime};base64,{block.get('data') or ''}"}
    if kind == "resource_link":
        named = {"mime": str(block.get("mimeType") or ""), "filename": str(block.get("name") or "")}
        return {"type": "file", "url": str(block.get("uri") or ""), **named}
    inner = block.get("resource")
    if kind == "resource" and isinstance(inner, dict) and isinstance(inner.get("text"), str):
        return {"type": "text", "text": inner["text"]}
    return None


_HANDLERS: dict[str, Callable[[Events, Json], Iterator[Json]]] = {
    "user_message_chunk": Events._prompt_chunk,
    "tool_call": Events._call,
    "tool_call_update": Events._call,
    "plan": Events._plan,
    "usage_update": Events._usage,
    "session_info_update": Events._session,
    "available_commands_update": Events._offered,
    "config_option_update": Events._offered,
    "current_mode_update": Events._offered,
}
