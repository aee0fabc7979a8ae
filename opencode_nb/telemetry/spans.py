"""Spans: a turn, its model steps, tool calls and permissions as OpenTelemetry spans, from the turn's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from opencode_nb.transcript import usage
from opencode_nb.transcript.state import Decision, Json, Message, TurnState

NS_PER_MS = 1_000_000

Attributes = dict[str, Any]


class Spans:
    """Exports turns as spans. `content` adds texts, which may be private."""

    def __init__(self, tracer: Tracer, user: str | None, *, content: bool) -> None:
        self._tracer, self._content = tracer, content
        self._always: Attributes = {"enduser.id": user} if user else {}

    def export(self, state: TurnState, parent: Context, asked: Mapping[str, int], answered: Mapping[str, int]) -> None:
        """Export one turn with all that belongs to it. `asked` and `answered`: when each request was, in ns."""
        begun, ended = _span_of(state)
        span = self._start(f"invoke_agent {_agent(state)}".strip(), parent, begun, of_turn(state))
        within = set_span_in_context(span, parent)
        if self._content:
            span.set_attributes({"opencode_nb.prompt": _text(state.prompt), "opencode_nb.answer": _answer(state)})
        for step in _steps(state):
            self._step(state, step, within, ended)
        for made in state.decisions:
            self._permission(made, within, asked, answered, ended)
        _fail(span, state.error)
        span.end(ended)

    def _step(self, state: TurnState, step: Message, within: Context, turn_ended: int) -> None:
        info = step.info
        begun = _ns(info, "created") or turn_ended
        model = str(info.get("modelID") or "")
        span = self._start(f"chat {model}".strip(), within, begun, of_step(info), kind=SpanKind.CLIENT)
        inside = set_span_in_context(span, within)
        for part in list(step.parts.values()):
            if part.get("type") == "tool":
                self._tool(state, part, inside, turn_ended)
        _fail(span, info.get("error"))
        span.end(_ns(info, "completed") or turn_ended)

    def _tool(self, state: TurnState, part: Json, within: Context, turn_ended: int) -> None:
        call = part.get("state") or {}
        begun = _ns(call, "start") or turn_ended
        name = str(part.get("tool") or "")
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": str(part.get("callID") or ""),
        }
        if self._content:
            attributes |= {"opencode_nb.input": str(call.get("input") or ""), "opencode_nb.output": _output(call)}
        span = self._start(f"execute_tool {name}", within, begun, attributes)
        child = str((call.get("metadata") or {}).get("sessionId") or "")
        for turn in state.children.get(child, ()):
            self.export(turn, set_span_in_context(span, within), {}, {})
        if call.get("status") == "error":
            message = str(call.get("error") or "") if self._content else ""
            span.set_attribute("error.type", "tool_error")
            span.set_status(Status(StatusCode.ERROR, message))
        span.end(_ns(call, "end") or turn_ended)

    def _permission(
        self, made: Decision, within: Context, asked: Mapping[str, int], answered: Mapping[str, int], turn_ended: int
    ) -> None:
        key = str(made.request.get("id"))
        if key not in asked:
            return
        name = str(made.request.get("permission") or "question")
        attributes = {
            "opencode_nb.permission": name,
            "opencode_nb.reply": made.reply,
            "opencode_nb.answered_by": made.by,
        }
        span = self._start(f"permission {name}", within, asked[key], attributes)
        span.end(answered.get(key, turn_ended))

    def _start(
        self, name: str, parent: Context, begun: int, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL
    ) -> Span:
        given = {**self._always, **attributes}
        return self._tracer.start_span(name, parent, kind, attributes=given, start_time=begun)


def of_turn(state: TurnState) -> Attributes:
    """Return the attributes of a turn: who answered, what it used, how it ended."""
    steps = [step.info for step in _steps(state)]
    tokens = [usage.flat(info.get("tokens")) for info in steps]
    last = steps[-1] if steps else {}
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": _agent(state),
        "gen_ai.conversation.id": state.session_id,
        "gen_ai.provider.name": str(last.get("providerID") or ""),
        "gen_ai.request.model": str(last.get("modelID") or ""),
        "gen_ai.usage.input_tokens": sum(one["input"] for one in tokens),
        "gen_ai.usage.output_tokens": sum(one["output"] for one in tokens),
        "opencode_nb.cost": float(sum(info.get("cost") or 0 for info in steps)),
        "opencode_nb.turn": state.id,
        "opencode_nb.status": state.status,
    }


def of_step(info: Json) -> Attributes:
    """Return the attributes of a model step."""
    tokens = usage.flat(info.get("tokens"))
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": str(info.get("providerID") or ""),
        "gen_ai.request.model": str(info.get("modelID") or ""),
        "gen_ai.response.finish_reasons": [str(info["finish"])] if info.get("finish") else [],
        "gen_ai.usage.input_tokens": tokens["input"],
        "gen_ai.usage.output_tokens": tokens["output"],
        "opencode_nb.cost": float(info.get("cost") or 0),
    }


def _steps(state: TurnState) -> list[Message]:
    return [step for step in list(state.steps.values()) if step.info.get("role") == "assistant"]


def _agent(state: TurnState) -> str:
    return next((str(step.info.get("agent") or "") for step in reversed(_steps(state))), "")


def _span_of(state: TurnState) -> tuple[int, int]:
    """Return when a turn began and ended, in ns since the epoch, by the server's clock."""
    messages = [*([state.prompt] if state.prompt else []), *_steps(state)]
    times = [_ns(message.info, name) for message in messages for name in ("created", "completed")]
    known = [at for at in times if at]
    return (min(known), max(known)) if known else (0, 0)


def _ns(owner: Json, name: str) -> int:
    at = (owner.get("time") or {}).get(name)
    return int(at * NS_PER_MS) if at else 0


def _fail(span: Span, error: Json | None) -> None:
    if error:
        span.set_attribute("error.type", str(error.get("name") or "error"))
        span.set_status(Status(StatusCode.ERROR, str(error.get("name") or "")))


def _text(message: Message | None) -> str:
    return message.text if message else ""


def _answer(state: TurnState) -> str:
    return "\n\n".join(text for step in _steps(state) if (text := step.text))


def _output(call: Json) -> str:
    return str(call.get("output") or call.get("error") or "")
