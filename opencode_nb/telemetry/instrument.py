"""Instrument: notes what only passing events tell, and exports each turn when it has ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opencode_nb._version import __version__
from opencode_nb.errors import OpencodeError
from opencode_nb.session.opencode import AsyncOpencode
from opencode_nb.session.session import AsyncSession
from opencode_nb.transcript.state import TurnState
from opencode_nb.transcript.transcript import Change

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from opencode_nb.session.blocking import Opencode
    from opencode_nb.telemetry.metrics import Metrics
    from opencode_nb.telemetry.spans import Spans

log = logging.getLogger("opencode_nb")

NAME = "opencode_nb"


@dataclass(slots=True)
class Seen:
    """What was noted of a running turn: the caller's context, and when each permission was asked and answered, in ns.

    `answered` is 0 while a request is open.
    """

    context: Context
    asked: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)


def instrument(
    ai: Opencode | AsyncOpencode,
    *,
    user: str | None = None,
    content: bool = False,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Callable[[], None]:
    """Trace and measure the turns of all open sessions of an agent from now on; return a function that ends it.

    A turn's span is a child of the span that was current where it was prompted. `user` is a label on all of them;
    `content` adds prompts, answers, and what tools were called with and returned: by default none of it leaves.
    Raises OpencodeError if the package `opentelemetry-api` is not installed.
    """
    try:
        from opentelemetry import metrics, trace

        from opencode_nb.telemetry.metrics import Metrics
        from opencode_nb.telemetry.spans import Spans
    except ImportError as error:
        raise OpencodeError("OpenTelemetry is not installed: pip install 'opencode_nb[otel]'.") from error
    tracer = trace.get_tracer(NAME, __version__, tracer_provider)
    meter = metrics.get_meter(NAME, __version__, meter_provider)
    observer = Observer(Spans(tracer, user, content=content), Metrics(meter, user))
    inner = ai if isinstance(ai, AsyncOpencode) else ai._async
    return inner.observe(observer.changed)


class Observer:
    """Follows the turns of an agent's sessions."""

    def __init__(self, spans: Spans, metrics: Metrics) -> None:
        self._spans, self._metrics = spans, metrics
        self._running: dict[str, Seen] = {}

    def changed(self, session: AsyncSession, change: Change) -> None:
        """Note a change; export the turn when it has ended. Never raises: telemetry must not disturb a turn."""
        try:
            self._changed(session, change)
        except Exception:
            log.exception("Telemetry of session %s failed", session.id)

    def _changed(self, session: AsyncSession, change: Change) -> None:
        state = session.transcript.turns.get(change.turn)
        if state is None or state.replay or (state.ended and state.id not in self._running):
            return
        seen = self._running.setdefault(state.id, Seen(_context()))
        if change.kind == "request":
            _note(state, seen)
        elif change.kind == "ended":
            self._running.pop(state.id, None)
            session.turn_for(state).on_done(lambda: self._export(state, seen))

    def _export(self, state: TurnState, seen: Seen) -> None:
        try:
            self._spans.export(state, seen.context, seen.asked, seen.answered)
            self._metrics.record(state)
        except Exception:  # an exporter's: the turn has ended all the same
            log.exception("Telemetry of session %s failed", state.session_id)


def _context() -> Context:
    """Return the context of the code that prompts: its first event is applied where it was sent."""
    from opentelemetry import context

    return context.get_current()


def _note(state: TurnState, seen: Seen) -> None:
    now = time.time_ns()
    for key in state.permissions:
        seen.asked.setdefault(key, now)
    for key in seen.asked.keys() - state.permissions.keys():
        seen.answered.setdefault(key, now)
