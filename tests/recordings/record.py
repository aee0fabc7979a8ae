"""Remakes the recorded event logs: `python -m tests.recordings.record [--binary OPENCODE] [NAME...]`, from the root.

For each scenario below it plays a real turn on the real server, with the demo model behind it, and writes
- `NAME.jsonl`: the events of `GET /event`, one JSON object a line, as received, but for heartbeats (left out) and
  temporary paths (the session's directory is `/project`, everything else temporary is under `/home`);
- `NAME.stored.json`: what the server keeps at the end, `{session ID: {"info": session, "messages": [...]}}`, for every
  session of the scenario, the first one being the main one. It is what a client gets that only asks and never listens.
  `messages` is null where the server refuses to list them.
"""

from __future__ import annotations

import argparse
import base64
import json
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx

from opencode_nb.demo import drop, error, finish, gate, pause, reason, text, tool, usage
from opencode_nb.server import find_binary
from tests.recordings.stage import Json, Stage, Theatre, theatre

HERE = Path(__file__).parent
ASK = [{"permission": name, "pattern": "*", "action": "ask"} for name in ("edit", "bash")]
PACE_S = 0.004
SCENARIOS: dict[str, tuple[Callable[[Stage], None], list[Json] | None, bool]] = {}


def scenario(*, permission: list[Json] | None = None, git: bool = True) -> Callable[[Callable[[Stage], None]], None]:
    """Register a scenario under its function's name."""

    def add(player: Callable[[Stage], None]) -> None:
        SCENARIOS[player.__name__] = (player, permission, git)

    return add


# --- answers ----------------------------------------------------------------------------------------------------------


@scenario()
def markdown(stage: Stage) -> None:
    stage.play("Answer in Markdown with a table and code")


@scenario()
def reasoning(stage: Stage) -> None:
    stage.play("Think about it, then answer")


@scenario()
def two_turns(stage: Stage) -> None:
    stage.play("Say exactly: the first answer")
    stage.play("Say exactly: the second answer")


@scenario()
def steered(stage: Stage) -> None:
    """A second prompt while the first one's tool runs: stored, and taken up at the next step."""
    stage.demo.queue([text("Let me wait. "), tool("bash", command="sleep 1; echo waited"), text("Both are answered.")])
    since = stage.send("Wait a second")
    stage.wait_tool("bash", "running", since)
    stage.send("And say hello as well")
    stage.wait_idle(since)


@scenario()
def subscript_characters(stage: Stage) -> None:
    """Characters that line-splitting readers trip over, and an emoji cut in its surrogates' middle."""
    stage.demo.queue([text(["a\u2028b", "\u0085", "c\u2029", "d\r\ne", "\x1b[31mred\x1b[0m", "\U0001f600", "<b>&"])])
    stage.play("Odd characters")


# --- tools ------------------------------------------------------------------------------------------------------------


@scenario(permission=ASK)
def edit_allowed(stage: Stage) -> None:
    (stage.directory / "hello.py").write_text('def greet(name):\n    return "Hello, " + name\n')
    since = stage.send("Edit hello.py")
    stage.answer_permission("once", since)
    stage.wait_idle(since)


@scenario(git=False)
def edit_outside_git(stage: Stage) -> None:
    (stage.directory / "hello.py").write_text('def greet(name):\n    return "Hello, " + name\n')
    stage.play("Edit hello.py")


@scenario()
def write(stage: Stage) -> None:
    stage.play("Write a new file notes.md")


@scenario()
def apply_patch(stage: Stage) -> None:
    (stage.directory / "old.py").write_text("a = 1\nb = 2\n")
    (stage.directory / "gone.py").write_text("x = 0\n")
    patch = (
        "*** Begin Patch\n*** Add File: new.md\n+# New\n*** Update File: old.py\n*** Move to: moved.py\n"
        "@@\n a = 1\n-b = 2\n+b = 3\n*** Delete File: gone.py\n*** End Patch"
    )
    stage.demo.queue([text("One patch for all. "), tool("apply_patch", patchText=patch), text("Patched.")])
    stage.play("Patch the files", model={"providerID": "demo", "modelID": "demo-gpt-5"})


@scenario()
def bash_growing(stage: Stage) -> None:
    command = "for i in 1 2 3 4 5; do printf '\\033[3%dmline %d\\033[0m\\n' $i $i; sleep 0.3; done"
    stage.play(f"Run `{command}`")


@scenario()
def bash_failing(stage: Stage) -> None:
    stage.play("Run `echo to stderr >&2; exit 3`")


@scenario()
def todo_tools(stage: Stage) -> None:
    (stage.directory / "hello.py").write_text("def greet(name):  # TODO: be friendly\n    return name\n")
    stage.play("Use several tools with a todo list")


@scenario()
def parallel_tools(stage: Stage) -> None:
    calls = [tool("glob", pattern="*"), tool("bash", command="sleep 0.5; echo slow"), tool("bash", command="echo fast")]
    stage.demo.queue([[text("All at once."), *calls], text("All are done.")])
    stage.play("Do three things at once")


@scenario()
def tool_errors(stage: Stage) -> None:
    """A file that is not there, arguments that do not fit, a tool that does not exist."""
    stage.demo.queue(
        [[tool("read", filePath="/project/none.txt"), tool("glob"), tool("no_such_tool", x=1)], text("Oh.")]
    )
    stage.play("Make mistakes")


@scenario()
def read_image(stage: Stage) -> None:
    (stage.directory / "dot.png").write_bytes(png())
    stage.demo.queue([tool("read", filePath=str(stage.directory / "dot.png")), text("A red square.")])
    stage.play("Look at dot.png")


@scenario()
def attached_files(stage: Stage) -> None:
    """A prompt with an image as a data URL, and lines of a text file."""
    (stage.directory / "data.csv").write_text("day,celsius\nmonday,21.5\ntuesday,19.0\n")
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    image = {"type": "file", "mime": "image/png", "filename": "plot.png", "url": url}
    lines = {"type": "file", "mime": "text/plain", "filename": "data.csv"}
    lines["url"] = f"file://{stage.directory}/data.csv?start=2&end=3"
    stage.play("Describe the attached image", files=[image, lines])


@scenario()
def subagent(stage: Stage) -> None:
    stage.play("Delegate this to a subagent")


@scenario(permission=[])
def subagent_external_permission(stage: Stage) -> None:
    """A permission asked by a subagent, for a file outside of the project."""
    outside = stage.directory.parent / "outside.txt"
    outside.write_text("outside\n")
    prompt = f"Call the tool read with {json.dumps({'filePath': str(outside)})}"
    task = tool("task", description="Read outside", prompt=prompt, subagent_type="general")
    stage.demo.queue([task])
    since = stage.send("Let a subagent read it")
    stage.answer_permission("once", since)
    stage.wait_idle(since)


@scenario()
def structured(stage: Stage) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    stage.play('Answer {"city": "Oslo"}', format={"type": "json_schema", "schema": schema})


# --- asking -----------------------------------------------------------------------------------------------------------


@scenario(permission=ASK)
def permission_always(stage: Stage) -> None:
    stage.demo.queue([tool("bash", command="echo one"), tool("bash", command="echo two"), text("Done.")])
    since = stage.send("Run two commands")
    stage.answer_permission("always", since)
    stage.wait_idle(since)


@scenario(permission=ASK)
def permission_rejected(stage: Stage) -> None:
    since = stage.send("Ask for permission")
    stage.answer_permission("reject", since)
    stage.wait_idle(since)


@scenario(permission=ASK)
def permission_rejected_with_message(stage: Stage) -> None:
    since = stage.send("Ask for permission")
    stage.answer_permission("reject", since, message="Not today, write nothing")
    stage.wait_idle(since)


@scenario(permission=[{"permission": "bash", "pattern": "*", "action": "deny"}])
def permission_denied_by_rule(stage: Stage) -> None:
    stage.demo.queue([tool("bash", command="echo one"), text("I may not.")])
    stage.play("Run something")


@scenario()
def question(stage: Stage) -> None:
    since = stage.send("Ask me a question")
    asked = stage.wait("question.asked", since)
    stage.post(f"/question/{asked['id']}/reply", {"answers": [["Parquet"], ["time", "my own column"]]})
    stage.wait_idle(since)


@scenario()
def question_rejected(stage: Stage) -> None:
    since = stage.send("Ask me a question")
    asked = stage.wait("question.asked", since)
    stage.post(f"/question/{asked['id']}/reject")
    stage.wait_idle(since)


# --- trouble ----------------------------------------------------------------------------------------------------------


@scenario()
def provider_error(stage: Stage) -> None:
    stage.play("Fail with a provider error 400")


@scenario()
def provider_error_after_tool(stage: Stage) -> None:
    stage.demo.queue([tool("bash", command="echo fine"), error(401, "Incorrect API key provided (scripted demo).")])
    stage.play("Work, then fail")


@scenario()
def rate_limit(stage: Stage) -> None:
    stage.play("Hit a rate limit for 1 seconds, then succeed")


@scenario()
def dropped_stream(stage: Stage) -> None:
    """The connection to the model is cut in the middle; the server asks again."""
    stage.demo.queue([text("Half of an"), drop()], [text("The whole answer.")])
    stage.play("Lose the connection")


@scenario()
def context_overflow(stage: Stage) -> None:
    """The model finds the prompt too long: the server compacts by itself and goes on."""
    stage.play("Say exactly: something worth a summary")
    stage.demo.queue(
        [error(400, "This model's maximum context length is 8192 tokens; your messages have more.")],
        [text("## Goal\n- (Scripted demo) Nothing more.\n")],
        [text("On with it.")],
    )
    stage.play("Too long")


@scenario()
def output_limit(stage: Stage) -> None:
    stage.demo.queue([text("Cut off in the middle of a"), finish("length")])
    stage.play("Say a lot")


@scenario()
def unknown_model(stage: Stage) -> None:
    since = stage.send("Hello", model={"providerID": "demo", "modelID": "none"})
    stage.wait("session.error", since)


@scenario()
def abort_streaming(stage: Stage) -> None:
    stage.demo.queue(
        [reason("A thought first."), text("This sentence is never "), gate("abort_streaming"), text("ended.")]
    )
    since = stage.send("Begin a sentence")
    stage.wait("message.part.delta", since, delta=" never")
    _abort(stage, since)
    stage.demo.release("abort_streaming")


@scenario()
def abort_bash(stage: Stage) -> None:
    since = stage.send("Run `echo begun; sleep 600`")
    stage.log.until(lambda event: "begun\\n" in json.dumps(_metadata(event)), since=since)
    _abort(stage, since)


@scenario(permission=ASK)
def abort_permission(stage: Stage) -> None:
    since = stage.send("Ask for permission")
    stage.wait("permission.asked", since)
    _abort(stage, since)


@scenario()
def abort_retry(stage: Stage) -> None:
    stage.demo.queue([error(429, "Rate limit reached (scripted demo)", retry_after=60)])
    since = stage.send("Hello")
    stage.log.until(lambda event: (event["properties"].get("status") or {}).get("type") == "retry", since=since)
    _abort(stage, since)


def _abort(stage: Stage, since: int) -> None:
    stage.post(f"/session/{stage.session}/abort")
    stage.wait_idle(since)


def _metadata(event: Json) -> Json:
    return ((event["properties"].get("part") or {}).get("state") or {}).get("metadata") or {}


# --- sessions ---------------------------------------------------------------------------------------------------------


@scenario()
def compaction(stage: Stage) -> None:
    stage.play("Say exactly: something worth a summary")
    stage.demo.queue([text("## Goal\n- (Scripted demo) Nothing more.\n")])
    since = len(stage.log.events)
    stage.post(f"/session/{stage.session}/summarize", {"providerID": "demo", "modelID": "demo"})
    stage.wait("session.compacted", since)
    stage.play("Say exactly: after the summary")


@scenario()
def compaction_auto(stage: Stage) -> None:
    """The context is nearly full after a step with a tool: the server compacts, and goes on in the user's name."""
    stage.demo.queue([[usage(190_000, 10), tool("bash", command="echo full")]])
    stage.demo.queue([text("## Goal\n- (Scripted demo) Go on.\n")], [text("Went on.")])
    stage.play("Work until the context is full")


@scenario()
def revert(stage: Stage) -> None:
    """Two edits; the second one taken back, brought back, taken back again and replaced by another prompt."""
    (stage.directory / "hello.py").write_text('def greet(name):\n    return "Hello, " + name\n')
    stage.play("Replace `Hello` with `Hi` in hello.py")
    stage.play("Replace `Hi` with `Ahoy` in hello.py")
    second = [m["info"]["id"] for m in stage.messages() if m["info"]["role"] == "user"][1]
    stage.post(f"/session/{stage.session}/revert", {"messageID": second})
    stage.post(f"/session/{stage.session}/unrevert")
    stage.post(f"/session/{stage.session}/revert", {"messageID": second})
    stage.play("Say exactly: in its place")


@scenario()
def shell(stage: Stage) -> None:
    """A command of the user's own, without the model."""
    stage.post(f"/session/{stage.session}/shell", {"agent": "build", "command": "echo by hand"})


@scenario()
def deleted_parts(stage: Stage) -> None:
    stage.play("Say exactly: soon gone")
    last = stage.messages()[-1]
    part = next(part for part in last["parts"] if part["type"] == "text")
    path = f"/session/{stage.session}/message/{last['info']['id']}"
    stage.http.delete(f"{path}/part/{part['id']}").raise_for_status()
    stage.http.delete(path).raise_for_status()


@scenario()
def slow_answer(stage: Stage) -> None:
    """Two bursts with a second between them, and two text parts around a tool in one step."""
    stage.demo.queue(
        [[text("First burst. "), pause(1), text("Second burst. "), tool("glob", pattern="*")], text("End.")]
    )
    stage.play("Take your time")


# --- recording --------------------------------------------------------------------------------------------------------


def png(width: int = 8, height: int = 8) -> bytes:
    """A red square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\x00" + b"\xff\x00\x00" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def record(house: Theatre, name: str) -> None:
    """Play one scenario and write its two files."""
    player, permission, git = SCENARIOS[name]
    with house.stage(name, permission=permission, git=git) as stage:
        if git:
            _commit(stage.directory)
        player(stage)
        stage.log.settle()
        lines = [line for line in stage.log.lines if json.loads(line)["type"] != "server.heartbeat"]
        _write(f"{name}.jsonl", "".join(f"{line}\n" for line in lines), stage)
        _write(f"{name}.stored.json", json.dumps(_stored(stage), indent=1, ensure_ascii=False) + "\n", stage)


def _commit(directory: Path) -> None:
    who = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "First"], cwd=directory, check=True)


def _stored(stage: Stage) -> Json:
    ids = [stage.session, *(child["id"] for child in stage.get(f"/session/{stage.session}/children"))]
    return {id_: {"info": stage.get(f"/session/{id_}"), "messages": _messages(stage, id_)} for id_ in ids}


def _messages(stage: Stage, session: str) -> list[Json] | None:
    try:
        return stage.messages(session)
    except httpx.HTTPStatusError as refused:
        # Version 1.18.33 cannot list a session in which a prompt had a `format`: its own check of them fails.
        if refused.response.status_code != httpx.codes.BAD_REQUEST:
            raise
        return None


def _write(name: str, content: str, stage: Stage) -> None:
    directory, root = str(stage.directory), str(stage.directory.parent)
    plain = content.replace(directory, "/project").replace(root, "/home")
    plain = plain.replace(directory.lstrip("/"), "project").replace(root.lstrip("/"), "home")
    (HERE / name).write_text(plain, encoding="utf-8", newline="")


def main() -> None:
    """Record the named scenarios, or all of them."""
    parser = argparse.ArgumentParser(description="Remake the recorded event logs.")
    parser.add_argument("--binary", help="path of the opencode program")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(SCENARIOS)}")
    options = parser.parse_args()
    with theatre(options.binary or str(find_binary()), pace=PACE_S) as house:
        for name in options.names or SCENARIOS:
            print(name, flush=True)
            record(house, name)


if __name__ == "__main__":
    main()
