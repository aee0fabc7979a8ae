"""What a turn leaves in traces and metrics, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import opencode_nb as oc
from opencode_nb import telemetry
from opencode_nb.demo import DemoModel, error, reason, text, tool, usage
from opencode_nb.server import Server
from tests.conftest import make_project


class Seen:
    """Traces and metrics, kept in memory."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meters = MeterProvider([self._reader])

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._spans.get_finished_spans()}

    @property
    def points(self) -> dict[str, list[Any]]:
        data = self._reader.get_metrics_data()
        found = [
            metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
        ]
        return {metric.name: list(metric.data.data_points) for metric in found}


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("telemetry") / "project", snapshots=False)


@pytest.fixture
def ai(server: Server, place: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=place, permission="allow") as ai:
        yield ai


def instrument(ai: oc.Opencode, seen: Seen, **options: Any) -> Any:
    return telemetry.instrument(ai, tracer_provider=seen.tracers, meter_provider=seen.meters, **options)


def test_a_turn_is_traced_with_its_steps_tools_and_permissions(
    ai: oc.Opencode, demo_model: DemoModel, seen: Seen
) -> None:
    instrument(ai, seen, user="ada")
    step = [reason("Hm."), tool("bash", command="echo private", description="Say"), usage(100, 20)]
    demo_model.queue([step, [text("Done."), usage(200, 30)]])
    with seen.tracers.get_tracer("mine").start_as_current_span("my program"):
        turn = ai.ask("a private prompt")
    spans = seen.spans
    ours, of_turn, of_tool = spans["my program"], spans["invoke_agent build"], spans["execute_tool bash"]
    assert of_turn.parent
    assert of_turn.parent.span_id == ours.context.span_id
    assert spans["permission bash"].parent.span_id == of_turn.context.span_id
    assert dict(spans["permission bash"].attributes)["opencode_nb.answered_by"] == "policy"
    attributes = dict(of_turn.attributes)
    assert attributes["gen_ai.usage.input_tokens"] == 300
    assert attributes["gen_ai.usage.output_tokens"] == 50
    assert attributes["opencode_nb.cost"] == pytest.approx(turn.cost)
    assert attributes["gen_ai.conversation.id"] == turn.session.id
    assert of_turn.start_time <= of_tool.start_time <= of_tool.end_time <= of_turn.end_time
    assert {dict(span.attributes).get("enduser.id") for name, span in spans.items() if span is not ours} == {"ada"}
    assert "private" not in str([span.to_json() for span in spans.values()])


def test_metrics_count_tokens_cost_and_durations(ai: oc.Opencode, demo_model: DemoModel, seen: Seen) -> None:
    instrument(ai, seen, user="ada")
    demo_model.queue([[tool("glob", pattern="*.md"), usage(100, 20)], [text("Done."), usage(200, 30)]])
    turn = ai.ask("go")
    points = seen.points
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in points["gen_ai.client.token.usage"]}
    assert (tokens["input"], tokens["output"]) == (300, 50)
    assert points["opencode_nb.cost"][0].value == pytest.approx(turn.cost)
    assert [(point.value, point.attributes["opencode_nb.status"]) for point in points["opencode_nb.turns"]] == [
        (1, "completed")
    ]
    assert points["gen_ai.client.operation.duration"][0].count == 2
    assert points["opencode_nb.tool.duration"][0].attributes["gen_ai.tool.name"] == "glob"


def test_a_subagent_is_traced_below_its_task(ai: oc.Opencode, demo_model: DemoModel, seen: Seen) -> None:
    instrument(ai, seen)
    task = tool("task", description="Look", prompt="Look.", subagent_type="general")
    demo_model.queue([[task], [tool("glob", pattern="*.md")], [text("Found.")], [text("Done.")]])
    ai.ask("go")
    spans = seen.spans
    assert spans["invoke_agent general"].parent.span_id == spans["execute_tool task"].context.span_id
    assert spans["execute_tool glob"].context.trace_id == spans["invoke_agent build"].context.trace_id


def test_a_failed_turn_and_a_failed_tool_are_marked(ai: oc.Opencode, demo_model: DemoModel, seen: Seen) -> None:
    instrument(ai, seen)
    demo_model.queue([tool("read", filePath="no-such-file"), error(400, "private reason")])
    with pytest.raises(oc.TurnError):
        ai.ask("go")
    spans = seen.spans
    assert not spans["execute_tool read"].status.is_ok
    assert dict(spans["invoke_agent build"].attributes)["error.type"] == "APIError"
    assert "private reason" not in str([span.to_json() for span in spans.values()])


def test_content_is_added_only_where_asked_for(ai: oc.Opencode, demo_model: DemoModel, seen: Seen) -> None:
    instrument(ai, seen, content=True)
    demo_model.queue([tool("bash", command="echo told", description="Say"), text("Done.")])
    ai.ask("my prompt")
    assert dict(seen.spans["invoke_agent build"].attributes)["opencode_nb.prompt"] == "my prompt"
    assert "told" in str(dict(seen.spans["execute_tool bash"].attributes)["opencode_nb.output"])


def test_it_ends_when_it_is_told_to(ai: oc.Opencode, demo_model: DemoModel, seen: Seen) -> None:
    stop = instrument(ai, seen)
    stop()
    demo_model.queue([text("Done.")])
    ai.ask("go")
    assert seen.spans == {}


def test_without_opentelemetry_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import opencode_nb as oc\nfrom opencode_nb import telemetry\n"
        "try:\n    telemetry.instrument(oc.Opencode())\nexcept oc.OpencodeError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'opencode_nb[otel]'" in done.stdout
