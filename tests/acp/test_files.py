"""What an agent reads and writes through this process: a program of a few lines, whose prompts are requests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.session.permissions.policy import PermissionRequest
from tests.acp.conftest import MakeAgent

FILES = """
def prompt(params):
    for number, (method, more) in enumerate(json.loads(params["prompt"][0]["text"])):
        send(id=100 + number, method="fs/" + method, params={"sessionId": "s1", **more})
        answer = json.loads(sys.stdin.readline())
        say(json.dumps(answer.get("result", answer.get("error", {}).get("message"))) + "\\n")
    return {"stopReason": "end_turn"}
"""


def reading(path: Path | str, **more: Any) -> list[Any]:
    return ["read_text_file", {"path": str(path), **more}]


def writing(path: Path | str, content: str) -> list[Any]:
    return ["write_text_file", {"path": str(path), "content": content}]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret.txt")
    return folder


def test_files_are_read_in_the_directory_only_and_only_regular_ones(make_agent: MakeAgent, work: Path) -> None:
    os.mkfifo(work / "pipe")
    asked = [
        reading(work / "a.txt"),
        reading(work / "a.txt", line=2, limit=1),
        reading(work / "none.txt"),
        reading(work / "link"),
        reading(work / "pipe"),
    ]
    with oc.AcpAgent(make_agent(FILES), cwd=work) as agent:
        whole, line, missing, outside, pipe = agent.ask(json.dumps(asked)).text.splitlines()
    assert whole == '{"content": "one\\ntwo\\nthree\\n"}'
    assert line == '{"content": "two\\n"}'
    assert "cannot be read" in missing
    assert "outside" in outside
    assert "is a pipe" in pipe


def test_untold_writes_are_asked_about_shown_and_can_be_taken_back(make_agent: MakeAgent, work: Path) -> None:
    (work / "a.txt").chmod(0o755)
    asked: list[PermissionRequest] = []
    writes = [writing(work / "a.txt", "ONE\n"), writing(work / "new/b.txt", "b"), writing(work / "../secret.txt", "b")]
    with oc.AcpAgent(
        make_agent(FILES), cwd=work, permission=lambda request: asked.append(request) or "once", strict_directory=True
    ) as agent:
        session = agent.session()
        turn = session.prompt(json.dumps(writes))
        assert [line for line in turn.text.splitlines() if line][:2] == ["{}", "{}"]
        assert "outside" in turn.text
        assert [(request.permission, request.input["filePath"]) for request in asked] == [
            ("edit", str(work / "a.txt")),
            ("edit", str(work / "new/b.txt")),
        ]
        assert "-two\n-three\n+ONE" in asked[0].metadata["diff"]
        assert [(call.tool, call.status) for call in turn.tools] == [("write", "completed")] * 2
        assert (work / "a.txt").read_text() == "ONE\n"
        assert (work / "a.txt").stat().st_mode & 0o777 == 0o755
        assert sorted(one.file for one in turn.diffs) == ["a.txt", "new/b.txt"]
        turn.diff().revert()
        assert (work / "a.txt").read_text() == "one\ntwo\nthree\n"
        assert not (work / "new/b.txt").exists()
    assert (work.parent / "secret.txt").read_text() == "secret"


def test_a_write_is_refused_by_a_policy_and_by_a_hook(make_agent: MakeAgent, work: Path) -> None:
    asked = json.dumps([writing(work / "a.txt", "b"), writing(work / "b.txt", "b")])
    hook = oc.Hook(lambda event: "not that one" if "b.txt" in str(event.call.input) else None, veto=True, match="write")
    with oc.AcpAgent(make_agent(FILES), cwd=work, permission="allow", hooks=oc.Hooks(before_tool=hook)) as agent:
        turn = agent.ask(asked)
        assert [call.status for call in turn.tools] == ["completed", "error"]
        turn = agent.ask(asked.replace('"b"', '"c"'), permission="deny")
        assert "does not allow" in turn.text
        assert [call.status for call in turn.tools] == ["error", "error"]
    assert (work / "a.txt").read_text() == "b"
    assert not (work / "b.txt").exists()


def test_a_write_of_an_allowed_call_is_not_asked_about_again(make_agent: MakeAgent, work: Path) -> None:
    command = make_agent("""
def request(number, method, **params):
    send(id=number, method=method, params={"sessionId": "s1", **params})
    return json.loads(sys.stdin.readline())

def edit(call, text, ask):
    path = os.getcwd() + "/a.txt"
    diff = {"type": "diff", "path": path, "oldText": open(path).read(), "newText": text}
    told = {"toolCallId": call, "title": "Edit a.txt", "kind": "edit", "content": [diff]}
    update(sessionUpdate="tool_call", status="pending", **told)
    options = [{"optionId": "yes", "kind": "allow_once"}]
    if ask:
        request(9, "session/request_permission", toolCall=told, options=options)
    request(10, "fs/write_text_file", path=path, content=text)
    update(sessionUpdate="tool_call_update", toolCallId=call, status="completed")

def prompt(params):
    edit("1", "first\\n", True)
    edit("2", "second\\n", False)
    return {"stopReason": "end_turn"}
""")
    asked: list[PermissionRequest] = []
    with oc.AcpAgent(command, cwd=work, permission=lambda request: asked.append(request) or "once") as agent:
        turn = agent.ask("go")
        assert [(request.tool or {})["callID"] for request in asked] == ["1", "2"]
        assert [(call.tool, call.status) for call in turn.tools] == [("edit", "completed")] * 2
        assert (work / "a.txt").read_text() == "second\n"
        turn.diff().revert()
    assert (work / "a.txt").read_text() == "one\ntwo\nthree\n"
