"""The demo model: every named turn through the real server, and what tests can script, at the endpoint itself."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from opencode_nb.demo import (
    DemoModel,
    drop,
    error,
    finish,
    gate,
    library,
    raw,
    raw_tool,
    reason,
    text,
    tool,
    usage,
)
from opencode_nb.demo.content import example_of, improvement, long_answer, patch_update
from opencode_nb.demo.library import TURNS
from opencode_nb.demo.scene import Scene
from opencode_nb.demo.script import steps
from tests.recordings.record import ASK, SCENARIOS, png
from tests.recordings.stage import Stage, Theatre, theatre

LIMIT_S = 30.0


@pytest.fixture(scope="module")
def house(opencode_program: Path) -> Iterator[Theatre]:
    with theatre(str(opencode_program)) as house:
        yield house


@pytest.fixture
def stage(house: Theatre, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A session of its own in a new git repository; parametrize indirectly with its permission rules."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)
    with house.stage(name, permission=getattr(request, "param", None)) as stage:
        yield stage
    left = house.demo.queued
    house.demo.reset()
    assert left == 0


def tools_used(stage: Stage) -> list[tuple[str, str]]:
    return [(part["tool"], part["state"]["status"]) for part in stage.parts("tool")]


# --- named turns through the real server ------------------------------------------------------------------------------


def test_anything_else_is_answered_with_an_introduction(stage: Stage) -> None:
    stage.play("Good morning!")
    assert "scripted demo" in stage.answer
    assert "not an AI" in stage.answer
    assert all(sample.replace("|", "\\|") in stage.answer for sample in library().values())


def test_every_turn_has_tokens_and_a_cost(stage: Stage) -> None:
    stage.play("Say exactly: hello")
    info = stage.messages()[-1]["info"]
    assert info["tokens"]["input"] > 100
    assert info["tokens"]["output"] == 1
    assert info["cost"] > 0


def test_markdown(stage: Stage) -> None:
    stage.play(library()["markdown"])
    for mark in ("## ", "| --- |", "```python", "1. ", "> ", "]("):
        assert mark in stage.answer


def test_the_title_comes_from_the_prompt(stage: Stage) -> None:
    since = stage.send("say exactly: hello\nand not this line")
    title = "Say exactly: hello"
    stage.log.until(lambda event: event["properties"].get("info", {}).get("title") == title, since=since)
    stage.wait_idle(since)


@pytest.mark.parametrize("count", [1, 500, 5000])
def test_a_long_answer_has_exactly_as_many_deltas(stage: Stage, count: int) -> None:
    since = stage.send(f"Give me a long answer of {count:,} tokens at 100000 per second")
    stage.wait_idle(since)
    deltas = [delta["delta"] for delta in stage.log.of("message.part.delta")]
    assert len(deltas) == count
    assert stage.messages()[-1]["info"]["tokens"]["output"] == count
    assert stage.answer.strip() == "".join(long_answer(count)).strip()


def test_echo(stage: Stage) -> None:
    image = {"type": "file", "mime": "image/png", "filename": "plot.png", "url": data_url(png(30, 20))}
    stage.play("What did I send you? ``` <b>&amp;</b>", files=[image])
    assert "What did I send you? ``` <b>&amp;</b>" in stage.answer
    assert str(stage.directory) in stage.answer
    assert "`bash`" in stage.answer
    assert "image/png, 30 × 20 pixels" in stage.answer


def test_describe_attachments(stage: Stage) -> None:
    image = {"type": "file", "mime": "image/png", "filename": "plot.png", "url": data_url(png(30, 20))}
    stage.play(library()["describe attachments"], files=[image])
    assert "1. image/png, 30 × 20 pixels" in stage.answer


def test_think(stage: Stage) -> None:
    stage.play(library()["think"])
    assert len(stage.parts("reasoning")[0]["text"]) > 100
    assert "42" in stage.answer


def test_run_a_command(stage: Stage) -> None:
    stage.play("Run `echo one > made.txt; echo two`")
    assert (stage.directory / "made.txt").read_text() == "one\n"
    assert stage.parts("tool")[0]["state"]["output"] == "two\n"
    assert "has 1 line." in stage.answer


@pytest.mark.parametrize("prompt", ["run: echo x > made.txt", "Please run the command `echo x > made.txt` now"])
def test_ways_to_say_run(stage: Stage, prompt: str) -> None:
    stage.play(prompt)
    assert (stage.directory / "made.txt").read_text() == "x\n"


@pytest.mark.parametrize("stage", [ASK], indirect=True)
def test_edit_reads_asks_and_edits(stage: Stage) -> None:
    source = "import math\n\n\ndef area(radius):\n    return math.pi * radius**2\n"
    (stage.directory / "circle.py").write_text(source)
    since = stage.send("Edit circle.py")
    asked = stage.answer_permission("once", since)
    stage.wait_idle(since)
    assert asked["permission"] == "edit"
    assert tools_used(stage) == [("read", "completed"), ("edit", "completed")]
    assert '"""Documented by the scripted demo."""' in (stage.directory / "circle.py").read_text()
    assert stage.parts("reasoning")
    assert "edited `circle.py`" in stage.answer


def test_edit_makes_the_file_if_there_is_none(stage: Stage) -> None:
    stage.play("Edit hello.py")
    assert tools_used(stage) == [("read", "error"), ("write", "completed"), ("edit", "completed")]
    assert 'f"Hello, {name}!"' in (stage.directory / "hello.py").read_text()


def test_edit_as_told(stage: Stage) -> None:
    (stage.directory / "sub").mkdir()
    (stage.directory / "sub" / "data.csv").write_text("a,b\n1,2\n")
    stage.play("Replace `1,2` with `3,4` in sub/data.csv, please")
    assert (stage.directory / "sub" / "data.csv").read_text() == "a,b\n3,4\n"


@pytest.mark.parametrize("stage", [ASK], indirect=True)
def test_edit_refused_with_a_message(stage: Stage) -> None:
    (stage.directory / "a.txt").write_text("one\n")
    since = stage.send("Edit a.txt")
    stage.answer_permission("reject", since, message="Leave it alone")
    stage.wait_idle(since)
    assert (stage.directory / "a.txt").read_text() == "one\n"
    assert "Leave it alone" in stage.answer


def test_edit_and_write_by_patch(stage: Stage) -> None:
    model = {"providerID": "demo", "modelID": "demo-gpt-5"}
    stage.play("Write a new file notes.md", model=model)
    stage.play("Replace `- two` with `- three` in notes.md", model=model)
    assert tools_used(stage) == [("apply_patch", "completed"), ("read", "completed"), ("apply_patch", "completed")]
    assert "- three\n" in (stage.directory / "notes.md").read_text()


def test_write_a_file(stage: Stage) -> None:
    stage.play("Create a new module src/shop.py")
    assert tools_used(stage) == [("write", "completed")]
    compile((stage.directory / "src" / "shop.py").read_text(), "shop.py", "exec")


def test_todo_list(stage: Stage) -> None:
    (stage.directory / "hello.py").write_text("def greet():  # TODO: more\n    pass\n")
    stage.play(library()["todo list"])
    names = ["todowrite", "glob", "grep", "read", "todowrite", "bash", "todowrite"]
    assert tools_used(stage) == [(name, "completed") for name in names]
    assert {todo["status"] for todo in stage.get(f"/session/{stage.session}/todo")} == {"completed"}
    assert "TODO: more" in stage.parts("tool")[3]["state"]["output"]


def test_subagent(stage: Stage) -> None:
    stage.play(library()["subagent"])
    child = stage.get(f"/session/{stage.session}/children")[0]
    parts = [part for message in stage.messages(child["id"]) for part in message["parts"]]
    assert [part["tool"] for part in parts if part["type"] == "tool"] == ["bash"]
    assert tools_used(stage) == [("task", "completed")]
    assert "subagent" in stage.answer


@pytest.mark.parametrize("stage", [ASK], indirect=True)
@pytest.mark.parametrize("reply", ["once", "reject"])
def test_permission(stage: Stage, reply: str) -> None:
    since = stage.send(library()["permission"])
    assert stage.answer_permission(reply, since)["permission"] == "bash"
    stage.wait_idle(since)
    assert (stage.directory / "demo-permission.txt").exists() is (reply == "once")


def test_question(stage: Stage) -> None:
    since = stage.send(library()["question"])
    asked = stage.wait("question.asked", since)
    assert [bool(question.get("multiple")) for question in asked["questions"]] == [False, True]
    stage.post(f"/question/{asked['id']}/reply", {"answers": [["JSON"], ["time", "something of my own"]]})
    stage.wait_idle(since)
    assert "JSON" in stage.answer
    assert "something of my own" in stage.answer


@pytest.mark.parametrize("status", [400, 401, 403])
def test_provider_error(stage: Stage, status: int) -> None:
    since = stage.send(f"Fail with a provider error {status}")
    failed = stage.wait("session.error", since)
    stage.wait_idle(since)
    assert failed["error"]["name"] == "APIError"
    assert failed["error"]["data"]["statusCode"] == status
    assert "scripted demo" in failed["error"]["data"]["message"]


def test_rate_limit_then_success(stage: Stage) -> None:
    since = stage.send("Hit a rate limit for 0.2 seconds, then succeed")
    retry = stage.log.until(lambda e: e["properties"].get("status", {}).get("type") == "retry", since=since)
    stage.wait_idle(since)
    assert retry["properties"]["status"]["message"].startswith("Rate limit")
    assert "second attempt" in stage.answer


def test_call_a_tool(stage: Stage) -> None:
    (stage.directory / "a.py").touch()
    stage.play(library()["call a tool"])
    assert tools_used(stage) == [("glob", "completed")]
    assert "a.py" in stage.answer


def test_an_image_that_a_tool_has_read(stage: Stage) -> None:
    """The server hands it on in the user's name: that is no new prompt."""
    (stage.directory / "plot.png").write_bytes(png(30, 20))
    stage.demo.queue([tool("read", filePath=str(stage.directory / "plot.png"))])
    stage.play("Describe the plot, an image")
    assert "1. image/png, 30 × 20 pixels" in stage.answer


def test_reminders_that_the_server_adds_do_not_count(stage: Stage) -> None:
    stage.play("Say exactly: hello", agent="plan")
    assert stage.answer == "hello"


@pytest.mark.parametrize("stage", [[{"permission": "bash", "pattern": "*", "action": "deny"}]], indirect=True)
def test_a_tool_that_is_not_offered_is_not_called(stage: Stage) -> None:
    stage.play("Run `ls`")
    assert tools_used(stage) == []
    assert "`bash`" in stage.answer


def test_structured_answer(stage: Stage) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "size": {"enum": ["big", "small"]}}}
    since = stage.send("Which city?", format={"type": "json_schema", "schema": schema})
    stage.wait_idle(since)
    assert stage.log.of("message.updated")[-1]["info"]["structured"] == {"city": "scripted demo", "size": "big"}


def test_compaction(stage: Stage) -> None:
    stage.play("Say exactly: hello")
    since = len(stage.log.events)
    stage.post(f"/session/{stage.session}/summarize", {"providerID": "demo", "modelID": "demo"})
    stage.wait("session.compacted", since)
    stage.play("Say exactly: hello again")
    assert stage.answer == "hello again"
    assert any("Scripted demo" in part["text"] for part in stage.parts("text"))


def test_compaction_in_the_middle_of_a_turn(stage: Stage) -> None:
    stage.demo.queue([[usage(190_000, 10), tool("bash", command="echo full")]])
    stage.play("Work until the context is full")
    assert stage.answer == "The scripted demo has nothing more to do."


def test_a_second_prompt_during_the_turn_is_answered(stage: Stage) -> None:
    stage.demo.queue([tool("bash", command="sleep 0.5")])
    since = stage.send("Wait")
    stage.wait_tool("bash", "running", since)
    stage.send("Say exactly: second")
    stage.wait_idle(since)
    assert stage.answer == "second"


def test_sessions_at_once_do_not_mix(house: Theatre, stage: Stage) -> None:
    with house.stage("another") as other:
        since, other_since = stage.send("Run `echo first`"), other.send("Run `echo second`")
        stage.wait_idle(since)
        other.wait_idle(other_since)
        outputs = [one.parts("tool")[0]["state"]["output"] for one in (stage, other)]
    assert outputs == ["first\n", "second\n"]


# --- queued scripts through the real server ---------------------------------------------------------------------------


def test_queued_scripts_come_first_and_titles_do_not_take_them(stage: Stage) -> None:
    stage.demo.queue(
        [reason(["a ", "b"]), tool("bash", command="echo queued"), text(["x", "y\u2028z"])], [text("next")]
    )
    stage.play("Hello")
    assert stage.answer == "xy\u2028z"
    assert stage.parts("tool")[0]["state"]["output"] == "queued\n"
    stage.play("Hello")
    assert stage.answer == "next"
    stage.play("Say exactly: from the library")
    assert stage.answer == "from the library"


def test_a_gate_holds_the_stream(stage: Stage) -> None:
    stage.demo.queue([text("before "), gate("held"), text("after")])
    since = stage.send("Hello")
    stage.wait("message.part.delta", since)
    stage.demo.wait_for_gate("held", LIMIT_S)
    assert "after" not in "".join(delta["delta"] for delta in stage.log.of("message.part.delta"))
    stage.demo.release("held")
    stage.wait_idle(since)
    assert stage.answer == "before after"


def test_a_dropped_stream_is_tried_again(stage: Stage) -> None:
    stage.demo.queue([text("half "), drop()], [text("whole")])
    since = stage.send("Hello")
    stage.wait_idle(since)
    assert "whole" in stage.answer


# --- the endpoint alone -----------------------------------------------------------------------------------------------


@pytest.fixture
def demo() -> Iterator[DemoModel]:
    with DemoModel(pace=0) as model:
        yield model


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def ask(demo: DemoModel, prompt: str = "Hello", **more: Any) -> httpx.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": prompt}], "tools": [], **more}
    return httpx.post(f"{demo.url}/chat/completions", json=body, timeout=LIMIT_S)


def frames(answer: httpx.Response) -> list[Any]:
    lines = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_without_streaming_the_answer_is_one_object(demo: DemoModel) -> None:
    demo.queue([reason("hm"), text("a b c"), tool("glob", pattern="*")])
    answer = ask(demo).json()
    message = answer["choices"][0]["message"]
    assert message["content"] == "a b c"
    assert message["reasoning_content"] == "hm"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"pattern": "*"}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


def test_deltas_are_sent_as_given(demo: DemoModel) -> None:
    pieces = ["a", "", " b\n", "\u2028", "😀"]
    demo.queue([text(pieces), usage(7, 5, reasoning=2, cached=3), finish("length")])
    sent = frames(ask(demo, stream=True))
    assert [frame["choices"][0]["delta"].get("content") for frame in sent[1:6]] == pieces
    assert sent[-2]["choices"][0]["finish_reason"] == "length"
    assert sent[-1]["usage"]["prompt_tokens"] == 7
    assert sent[-1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}
    assert sent[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}


def test_a_string_is_cut_into_words_that_join_to_it() -> None:
    source = "  two words\n\n- and a list \n"
    deltas = text(source).deltas
    assert "".join(deltas) == source
    assert len(deltas) > 5


def test_arguments_come_in_pieces(demo: DemoModel) -> None:
    demo.queue([[tool("write", content="x" * 100), raw_tool("glob", '{"pat', "tern")]])
    calls = [
        c for f in frames(ask(demo, stream=True)) for ch in f["choices"] for c in ch["delta"].get("tool_calls", [])
    ]
    by_index = [[call["function"]["arguments"] for call in calls if call["index"] == index] for index in (0, 1)]
    assert len(by_index[0]) > 4
    assert json.loads("".join(by_index[0])) == {"content": "x" * 100}
    assert by_index[1] == ["", '{"pat', "tern"]


def test_errors_carry_their_headers(demo: DemoModel) -> None:
    demo.queue([error(429, "Slow down", retry_after=2, retry_after_ms=50), error(500, "Broken")])
    first, second = ask(demo), ask(demo)
    assert (first.status_code, first.headers["retry-after"], first.headers["retry-after-ms"]) == (429, "2", "50")
    assert first.json()["error"]["message"] == "Slow down"
    assert second.status_code == 500


@pytest.mark.parametrize("script", [[text("half"), drop()], [text("half"), gate("never")]])
def test_a_cut_stream_is_seen_as_cut(demo: DemoModel, script: Any) -> None:
    def close() -> None:
        demo.wait_for_request(1, LIMIT_S)
        demo.close()

    demo.queue(script)
    closing = threading.Thread(target=close)
    closing.start()
    with pytest.raises(httpx.RemoteProtocolError):
        ask(demo, stream=True)
    closing.join(LIMIT_S)


def test_raw_bytes_break_the_stream(demo: DemoModel) -> None:
    demo.queue([raw(b"data: {broken\n\n"), text("on")])
    assert "{broken\n" in ask(demo, stream=True).text


def test_requests_are_kept_and_titles_apart(demo: DemoModel) -> None:
    asked: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: asked.append(ask(demo, "first")))
    asking.start()
    assert demo.wait_for_request(1, LIMIT_S)["messages"][0]["content"] == "first"
    asking.join(LIMIT_S)
    messages = [{"role": "system", "content": "You are a title generator."}, {"role": "user", "content": "a b " * 40}]
    answer = ask(demo, messages=messages).json()["choices"][0]["message"]["content"]
    assert answer.startswith("A b a b")
    assert len(answer) <= 50
    assert (len(demo.requests), len(demo.titles)) == (1, 1)
    with pytest.raises(TimeoutError, match="1 of 2"):
        demo.wait_for_request(2, timeout=0.01)
    demo.queue([text("never asked for")])
    demo.reset()
    assert (demo.queued, demo.requests, demo.titles) == (0, [], [])


def test_models_and_unknown_paths(demo: DemoModel) -> None:
    listed = httpx.get(f"{demo.url}/models").json()["data"]
    assert [model["id"] for model in listed] == list(demo.config()["provider"]["demo"]["models"])
    assert httpx.get(f"{demo.url}/nothing").status_code == 404
    assert httpx.post(f"{demo.url}/nothing", json={}).status_code == 404


def test_the_model_says_what_it_is(demo: DemoModel) -> None:
    config = demo.config()
    assert config["model"] == config["small_model"] == "demo/demo"
    assert config["provider"]["demo"]["name"] == "Scripted demo (not an AI)"


def test_close_frees_the_port_and_url_needs_start() -> None:
    model = DemoModel()
    with pytest.raises(RuntimeError, match="start"):
        _ = model.url
    model.start()
    url = model.url
    model.close()
    model.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/models")


def test_it_runs_alone_until_stdin_closes() -> None:
    command = [sys.executable, "-m", "opencode_nb.demo", "--pace", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/models").status_code == 200
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0


def test_the_demo_stands_alone() -> None:
    """Standard library only, nothing of this package but what the package itself loads."""
    code = (
        "import sys, opencode_nb\n"
        "before = set(sys.modules)\n"
        "import opencode_nb.demo\n"
        "new = set(sys.modules) - before\n"
        "ours = [m for m in new if m.startswith('opencode_nb.') and not m.startswith('opencode_nb.demo')]\n"
        "theirs = [m for m in ('httpx', 'anyio', 'IPython', 'anywidget') if m in sys.modules]\n"
        "print(ours, theirs)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[] []"


# --- pure parts -------------------------------------------------------------------------------------------------------


def test_scripts_are_cut_into_requests() -> None:
    a, b, call, failure = text("a"), text("b"), tool("glob"), error(429, "no")
    assert steps(a) == [[a]]
    assert steps([a, b]) == [[a, b]]
    assert steps([a, call, b]) == [[a, call], [b]]
    assert steps([failure, a]) == [[failure], [a]]
    assert steps([[call, call], a]) == [[call, call], [a]]
    assert steps([call, call, a]) == [[call], [call], [a]]


@pytest.mark.parametrize("name", library())
def test_every_sample_selects_its_own_turn(name: str) -> None:
    first = next(turn for turn in TURNS if turn.pattern.search(library()[name]))
    assert first.name == name


def test_added_context_does_not_select() -> None:
    parts = [
        {"type": "text", "text": "<context>\nask me a question\n</context>"},
        {"type": "text", "text": 'Called the Read tool with the following input: {"filePath":"/a"}'},
        {"type": "text", "text": "contents: hit a rate limit"},
        {"type": "text", "text": "Say exactly: this"},
    ]
    scene = Scene({"messages": [{"role": "user", "content": parts}]})
    assert scene.prompt == "Say exactly: this"
    assert len(scene.spoken) == 4


@pytest.mark.parametrize("source", ["one\n", "one\ntwo", "a\n\n\nb\n", "def f():\n    pass\n", 'x = """\n'])
def test_an_improvement_is_a_change_that_can_be_made(source: str) -> None:
    old, new = improvement("file.txt", source)
    assert source.count(old) == 1
    assert old != new
    assert patch_update("file.txt", source, old, new).startswith("*** Begin Patch\n*** Update File: file.txt\n@@\n-")


def test_examples_fit_their_schema() -> None:
    schema = {
        "type": "object",
        "$defs": {"Row": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}},
        "properties": {
            "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}, "minItems": 2},
            "name": {"type": "string", "minLength": 20},
            "kind": {"enum": ["x", "y"]},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "yes": {"type": "boolean"},
        },
        "required": ["rows", "name", "kind", "maybe", "yes"],
    }
    jsonschema.validate(example_of(schema, schema), schema)


# --- recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCENARIOS)
def test_recordings_are_complete_and_of_no_machine(name: str) -> None:
    folder = Path(__file__).parent / "recordings"
    log = (folder / f"{name}.jsonl").read_text(encoding="utf-8")
    stored = (folder / f"{name}.stored.json").read_text(encoding="utf-8")
    events = [json.loads(line) for line in log.split("\n") if line]  # U+2028 within a line is no line end
    assert events[0]["type"] == "server.connected"
    assert not any(event["type"] == "server.heartbeat" for event in events)
    assert json.loads(stored)
    assert "/tmp" not in log + stored
