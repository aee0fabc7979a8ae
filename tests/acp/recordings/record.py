"""Remakes the recorded conversations: `python -m tests.acp.recordings.record [NAME...]`, from the root.

For each scenario below it plays a turn of the real `opencode acp`, with the demo model behind it, and writes
`NAME.jsonl`: the messages, one a line, as `{"from": "agent" or "client", "message": {...}}`. The session's directory is
`/project`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opencode_nb.demo import DemoModel, gate, reason, text, tool
from opencode_nb.server import find_binary
from opencode_nb.transcript.state import Json

HERE = Path(__file__).parent
OFFLINE = {f"OPENCODE_DISABLE_{name}": "1" for name in ("MODELS_FETCH", "AUTOUPDATE", "LSP_DOWNLOAD", "SHARE")}
ASKING = {"edit": "ask", "bash": "ask"}
SCENARIOS: dict[str, Callable[[Talk], None]] = {}


def scenario(play: Callable[[Talk], None]) -> Callable[[Talk], None]:
    """Register a scenario under its function's name."""
    SCENARIOS[play.__name__] = play
    return play


class Talk:
    """A conversation with an agent, which is kept. `replies` answers its requests for permission, in order."""

    def __init__(self, process: subprocess.Popen[str], directory: Path, demo: DemoModel) -> None:
        self.process, self.directory, self.demo = process, directory, demo
        self.kept: list[Json] = []
        self.replies: list[str] = []
        self.session = ""
        self.when: Callable[[Json], None] = lambda _message: None

    def send(self, message: Json) -> None:
        """Send a message."""
        message = {"jsonrpc": "2.0", **message}
        self.kept.append({"from": "client", "message": message})
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def receive(self) -> Json:
        """Read a message, and answer it if it asks for permission or for a file to be written."""
        assert self.process.stdout
        message: Json = json.loads(self.process.stdout.readline())
        self.kept.append({"from": "agent", "message": message})
        if message.get("method") == "session/request_permission":
            outcome = {"outcome": "selected", "optionId": self.replies.pop(0)} if self.replies else None
            self.send({"id": message["id"], "result": {"outcome": outcome or {"outcome": "cancelled"}}})
        elif "id" in message and "method" in message:
            self.send({"id": message["id"], "result": {}})
        self.when(message)
        return message

    def request(self, method: str, **params: Any) -> Json:
        """Send a request; read until its answer, and return that."""
        number = len(self.kept)
        self.send({"id": number, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == number and "method" not in message:
                return message

    def open(self) -> None:
        """Begin: initialize, and a session."""
        capabilities = {"fs": {"readTextFile": True, "writeTextFile": True}}
        self.request("initialize", protocolVersion=1, clientCapabilities=capabilities)
        answer = self.request("session/new", cwd=str(self.directory), mcpServers=[])
        self.session = answer["result"]["sessionId"]

    def prompt(self, words: str, *replies: str) -> Json:
        """Send a prompt; return the answer at the turn's end."""
        self.replies = [*replies]
        return self.request("session/prompt", sessionId=self.session, prompt=[{"type": "text", "text": words}])


@scenario
def answer(talk: Talk) -> None:
    talk.demo.queue([reason("Let me think about it."), text(["Hello ", "from ", "the agent."])])
    talk.prompt("Say hello")


@scenario
def edit(talk: Talk) -> None:
    (talk.directory / "hello.py").write_text('def greet(name):\n    return "Hello, " + name\n')
    talk.prompt("Edit hello.py", "once")


@scenario
def write(talk: Talk) -> None:
    talk.prompt("Write a new file notes.md", "once")


@scenario
def command(talk: Talk) -> None:
    talk.demo.queue([text("I run it. "), tool("bash", command="echo one; echo two"), text("Done.")])
    talk.prompt("Run it", "once")


@scenario
def refused(talk: Talk) -> None:
    talk.demo.queue([tool("bash", command="echo no")])
    talk.prompt("Run it", "reject")


@scenario
def outside(talk: Talk) -> None:
    talk.demo.queue([tool("read", filePath=str(talk.directory.parent / "other" / "a.txt")), text("Seen.")])
    (talk.directory.parent / "other").mkdir()
    (talk.directory.parent / "other" / "a.txt").write_text("a\n")
    talk.prompt("Read a file elsewhere", "once")


@scenario
def plan(talk: Talk) -> None:
    (talk.directory / "hello.py").write_text("def greet(name):  # TODO: be friendly\n    return name\n")
    talk.prompt("Use several tools with a todo list", "once", "once", "once")


@scenario
def failing_tool(talk: Talk) -> None:
    talk.demo.queue([tool("read", filePath=str(talk.directory / "none.txt")), text("It is not there.")])
    talk.prompt("Read it")


@scenario
def failure(talk: Talk) -> None:
    talk.prompt("Fail with a provider error 400")


@scenario
def cancelled(talk: Talk) -> None:
    talk.demo.queue([[text("I begin"), gate("never")]])

    def cancel(message: Json) -> None:
        update = (message.get("params") or {}).get("update") or {}
        if update.get("sessionUpdate") == "agent_message_chunk":
            talk.when = lambda _message: None
            talk.send({"method": "session/cancel", "params": {"sessionId": talk.session}})

    talk.when = cancel
    talk.prompt("Never end")
    talk.demo.release("never")


@scenario
def loaded(talk: Talk) -> None:
    talk.demo.queue([reason("First."), tool("glob", pattern="*"), text("The first answer.")])
    talk.prompt("The first prompt")
    talk.prompt("Say exactly: the second answer")
    talk.request("session/load", sessionId=talk.session, cwd=str(talk.directory), mcpServers=[])


@contextmanager
def stage(program: Path, root: Path) -> Iterator[Talk]:
    """Start an agent in a home and a project of its own."""
    directory, home = root / "project", root / "home"
    directory.mkdir()
    home.mkdir()
    with DemoModel(pace=0) as demo:
        config = {**demo.config(), "permission": ASKING}
        places = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
        env = {**os.environ, **OFFLINE, **places, "HOME": str(home), "OPENCODE_CONFIG_CONTENT": json.dumps(config)}
        process = subprocess.Popen(
            [program, "acp"], cwd=directory, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            talk = Talk(process, directory, demo)
            talk.open()
            yield talk
        finally:
            process.kill()
            process.communicate()


def record(name: str, program: Path) -> None:
    """Play a scenario and write what was said."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve()
        with stage(program, root) as talk:
            SCENARIOS[name](talk)
            lines = [json.dumps(kept, ensure_ascii=False) for kept in talk.kept]
    told = (
        "\n".join(lines).replace(str(root / "project"), "/project").replace(str(root), "").replace(f"{root}/"[1:], "")
    )
    (HERE / f"{name}.jsonl").write_text(f"{told}\n", encoding="utf-8")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or SCENARIOS:
        record(wanted, find_binary())
        print(wanted)
