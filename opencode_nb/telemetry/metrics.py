"""Metrics: tokens, cost and durations of turns and tools, with as few labels as tell them apart."""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry.metrics import Meter

from opencode_nb.transcript import usage
from opencode_nb.transcript.state import Json, TurnState

MS_PER_SECOND = 1000

Labels = dict[str, str]


class Metrics:
    """The instruments, and what a turn adds to them. Subagents count as their turn."""

    def __init__(self, meter: Meter, user: str | None) -> None:
        self._always: Labels = {"enduser.id": user} if user else {}
        self._turns = meter.create_counter("opencode_nb.turns", "{turn}", "Turns by status and model")
        self._cost = meter.create_counter("opencode_nb.cost", "USD", "Cost by the provider's price list")
        self._tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens of a model step, by type")
        self._steps = meter.create_histogram("gen_ai.client.operation.duration", "s", "Duration of a model step")
        self._tools = meter.create_histogram("opencode_nb.tool.duration", "s", "Duration of a tool call, by status")

    def record(self, state: TurnState) -> None:
        """Record a turn that has ended."""
        last: Json = {}
        for turn in state.family:
            for step in list(turn.steps.values()):
                if step.info.get("role") == "assistant":
                    last = step.info if turn is state else last
                    self._step(step.info)
                    for part in list(step.parts.values()):
                        self._tool(part)
        self._turns.add(1, {**self._labels(last), "opencode_nb.status": state.status})

    def _labels(self, info: Json) -> Labels:
        model, provider = str(info.get("modelID") or ""), str(info.get("providerID") or "")
        return {**self._always, "gen_ai.request.model": model, "gen_ai.provider.name": provider}

    def _step(self, info: Json) -> None:
        labels = self._labels(info)
        self._cost.add(float(info.get("cost") or 0), labels)
        for kind, count in usage.flat(info.get("tokens")).items():
            if count:
                self._tokens.record(count, {**labels, "gen_ai.token.type": kind})
        for seconds in _seconds(info, "created", "completed"):
            self._steps.record(seconds, labels)

    def _tool(self, part: Json) -> None:
        if part.get("type") != "tool":
            return
        call = part.get("state") or {}
        labels = {
            **self._always,
            "gen_ai.tool.name": str(part.get("tool")),
            "opencode_nb.status": str(call.get("status")),
        }
        for seconds in _seconds(call, "start", "end"):
            self._tools.record(seconds, labels)


def _seconds(owner: Json, begin: str, end: str) -> Iterator[float]:
    times = owner.get("time") or {}
    if begin in times and end in times:
        yield (times[end] - times[begin]) / MS_PER_SECOND
