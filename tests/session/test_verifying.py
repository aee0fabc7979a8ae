"""A notebook that is being verified only reads from OpenCode and plays recordings: held over the whole public face."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.api.verifying import VERIFYING, VerifyingError
from opencode_nb.changes.diff import Diff, FileDiff, Hunk
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server
from opencode_nb.session.blocking.queue import Queue
from opencode_nb.session.mcp.blocking import McpServers
from tests.render.diff.changes import make_diff

Acts = dict[str, Callable[[Any], object]]

ACTS: dict[type, Acts] = {
    oc.Session: {
        "prompt": lambda session: session.prompt("Go on"),
        "prompts": lambda session: list(session.prompts(["Go on"])),
        "stream": lambda session: list(session.stream("Go on")),
        "command": lambda session: session.command("init"),
        "init": lambda session: session.init(),
        "shell": lambda session: session.shell("touch made"),
        "compact": lambda session: session.compact(),
        "undo": lambda session: session.undo(),
        "redo": lambda session: session.redo(),
        "revert": lambda session: session.revert(),
        "unrevert": lambda session: session.unrevert(),
        "fork": lambda session: session.fork(),
        "rename": lambda session: session.rename("Renamed"),
        "unshare": lambda session: session.unshare(),
        "delete": lambda session: session.delete(),
    },
    oc.Opencode: {
        "ask": lambda ai: ai.ask("Go on"),
        "ask_stream": lambda ai: list(ai.ask_stream("Go on")),
        "stream": lambda ai: list(ai.stream("Go on")),
        "import_session": lambda ai: ai.import_session("exported.json"),
        "login": lambda ai: ai.login("demo", "sk-1"),
        "logout": lambda ai: ai.logout("demo"),
        "finish_login": lambda ai: ai.finish_login("demo"),
    },
    Queue: {"add": lambda queue: queue.add("Go on")},
    McpServers: {"add": lambda mcp: mcp.add("calc", ["calc"])},
    Diff: {"revert": lambda diff: diff.revert(), "apply": lambda diff: diff.apply()},
    FileDiff: {"revert": lambda file: file.revert(), "apply": lambda file: file.apply()},
    Hunk: {"revert": lambda hunk: hunk.revert(), "apply": lambda hunk: hunk.apply()},
}
"""What has the agent act, runs something, or changes what is kept."""

OTHERS: dict[type, set[str]] = {
    oc.Session: {
        *("abort", "answer", "children", "diff", "export", "load_earlier", "messages", "offer", "progress", "reply"),
        *("share", "stopped_by_interrupt", "subscribe", "todos", "turns", "wait"),
    },
    oc.Opencode: {
        *("abort_all", "agents", "close", "commands", "complete", "diff", "find_login", "find_session", "logins"),
        *("model_choice", "models", "models_detail", "prefer", "reconnect", "session", "sessions", "start"),
        *("lacks", "start_login", "tool_rules"),
    },
    Queue: {"clear", "edit", "hold", "release", "remove", "resume", "send_now", "subscribe"},
    McpServers: {"auth", "connect", "disconnect", "finish_auth", "status"},
    Diff: set(),
    FileDiff: {"binary", "hunks", "patch"},
    Hunk: set(),
}
"""What reads, or acts on what there is not in such a notebook: an open request, a server of its own, a queue."""


@pytest.fixture
def ai(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        yield ai


def is_refused(act: Callable[[Any], object], place: Any) -> bool:
    try:
        act(place)
    except VerifyingError as error:
        return "is being verified: there, only prompts with --replay are run" in str(error)
    return False


@pytest.mark.parametrize("face", ACTS, ids=lambda face: face.__name__)
def test_every_public_method_is_known_to_act_or_not(face: type) -> None:
    public = {name for name, _method in inspect.getmembers(face, inspect.isroutine) if not name.startswith("_")}
    assert public == ACTS[face].keys() | OTHERS[face]
    assert not ACTS[face].keys() & OTHERS[face]


def test_nothing_acts_in_a_notebook_that_is_being_verified(
    ai: oc.Opencode, workplace: Path, tmp_path: Path, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ai.session("Of before")
    before = ai.sessions()
    diff = make_diff(tmp_path, {"changed.txt": ("", "kept\n")})
    monkeypatch.setenv(VERIFYING, "1")
    places: dict[type, Any] = {oc.Session: session, oc.Opencode: ai, Queue: session.queue, McpServers: ai.mcp}
    places |= {Diff: diff, FileDiff: diff.files[0], Hunk: diff.files[0].hunks[0]}
    every = [(f"{face.__name__}.{name}", act, places[face]) for face in ACTS for name, act in ACTS[face].items()]
    assert [name for name, act, place in every if not is_refused(act, place)] == []
    assert demo_model.requests == []
    assert session.turns() == []
    assert ai.sessions() == before
    assert not (workplace / "made").exists()
    assert diff.files[0].state == "applied"
    own = ai.session()
    own.rename("Of this run")
    own.delete()
    assert ai.sessions() == before


def test_recordings_are_played_in_a_notebook_that_is_being_verified(
    ai: oc.Opencode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "turns.jsonl"
    session = ai.session()
    for word in ("one", "two"):
        session.prompt(f"Say exactly: {word}", record=path)
    monkeypatch.setenv(VERIFYING, "1")
    assert session.prompt("Say exactly: one", replay=path).text == "one"
    with oc.Opencode(replay=path) as player:
        played = player.session()
        played.prompt("Say exactly: two").diff().apply()
        assert played.undo().undone == ("Say exactly: two",)


def test_only_requests_that_read_leave_a_notebook_that_is_being_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VERIFYING, "1")
    with oc.Client("http://127.0.0.1:9", max_retries=0) as client:
        acts = [one for one in client.operations if one.method != "GET" or one.kind == "websocket"]
        for operation in acts:
            if operation.name != "session.create":
                with pytest.raises(VerifyingError):
                    reduce(getattr, operation.name.split("."), client)("ses_1")
        with pytest.raises(VerifyingError):
            client.request("post", "/session/ses_1/shell", json={"command": "ls"})
        with pytest.raises(oc.APIConnectionError):
            client.session.list()
