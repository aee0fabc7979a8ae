"""What `opencode acp` tells, as recorded, becomes the turns that the server would have told."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from opencode_nb.acp import careful
from opencode_nb.acp.blocks import blocks
from opencode_nb.acp.calls import asked
from opencode_nb.acp.events import Events
from opencode_nb.errors import ModelError
from opencode_nb.render.turn import page
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.transcript import Transcript
from tests.acp.recorded import RECORDINGS, Replayed


def turn_of(state: TurnState) -> Turn:
    return Turn(state, None, Future())


def calls_of(turn: Turn) -> list[tuple[str, str]]:
    return [(call.tool, call.status) for call in turn.tools]


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recorded_turn_ends_and_is_shown(name: str) -> None:
    replayed = Replayed(name)
    assert replayed.turns
    for state in replayed.turns:
        turn = turn_of(state)
        assert state.ended
        assert turn.prompt
        assert not state.permissions
        assert page.turn_html(state)
        if turn.messages[1:] and name != "loaded":
            assert (turn.model, turn.agent) == ("demo/demo", "build")


def test_an_answer_has_its_text_reasoning_tokens_and_cost() -> None:
    turn = turn_of(Replayed("answer").turns[0])
    assert (turn.text, turn.reasoning) == ("Hello from the agent.", "Let me think about it.")
    assert turn.status == "completed"
    assert turn.tokens["output"] > 0
    assert turn.cost > 0


def test_an_edit_asks_with_its_patch_and_reports_what_it_changed() -> None:
    replayed = Replayed("edit")
    turn = turn_of(replayed.turns[0])
    assert calls_of(turn) == [("read", "completed"), ("edit", "completed")]
    [request] = replayed.asked
    assert (request["permission"], request["patterns"]) == ("edit", ["/project/hello.py"])
    assert "+" in request["metadata"]["diff"]
    assert turn.tools[1].metadata["filediff"]["additions"] > 0
    assert turn.tools[1].input["filePath"] == "/project/hello.py"


def test_a_new_file_and_a_plan_are_calls_as_the_server_tells_them() -> None:
    written = turn_of(Replayed("write").turns[0])
    assert calls_of(written) == [("write", "completed")]
    planned = turn_of(Replayed("plan").turns[0])
    assert [name for name, _status in calls_of(planned)] == [
        *("todowrite", "glob", "grep", "read", "todowrite", "bash", "todowrite")
    ]
    assert planned.tools[0].input["todos"]


def test_a_command_shows_its_output_and_a_refused_one_why() -> None:
    replayed = Replayed("command")
    [call] = turn_of(replayed.turns[0]).tools
    assert (call.tool, call.output, call.input["command"]) == ("bash", "one\ntwo\n", "echo one; echo two")
    assert replayed.asked[0]["patterns"] == ["echo one; echo two", "echo one", "echo two"]
    [call] = turn_of(Replayed("refused").turns[0]).tools
    assert call.status == "error"
    assert page.turn_html(Replayed("refused").turns[0]).count(call.error) == 1


def test_what_is_outside_the_directory_is_a_request_of_its_own() -> None:
    request = Replayed("outside").asked[0]
    assert (request["permission"], request["patterns"]) == ("external_directory", ["/other/*"])


def test_failures_end_a_turn_with_their_reason() -> None:
    [call] = turn_of(Replayed("failing_tool").turns[0]).tools
    assert call.status == "error"
    assert call.error
    failed = turn_of(Replayed("failure").turns[0])
    assert failed.status == "error"
    assert "400" in str(failed.error) or "scripted" in str(failed.error)
    stopped = turn_of(Replayed("cancelled").turns[0])
    assert (stopped.status, stopped.text) == ("aborted", "I begin")


def test_a_loaded_session_has_the_turns_that_it_had() -> None:
    first, second = map(turn_of, Replayed("loaded").turns)
    assert (first.prompt, second.prompt) == ("The first prompt", "Say exactly: the second answer")
    assert (first.text, first.reasoning, second.text) == ("The first answer.", "First.", "the second answer")
    assert calls_of(first) == [("grep", "completed")]  # of a search it tells no more
    assert first.duration is None  # it does not tell


JUNK: list[Any] = [None, 7, "x", [], {}, [None], {"type": 1}, {"type": "text", "text": None}]


def test_turns_that_are_told_at_once_and_without_names_stay_apart() -> None:
    events, transcript = Events("s1", "/project", lambda: 1000.0), Transcript("s1")
    events.load()
    for kind, said in [("user", "one"), ("agent", "first"), ("user", "two"), ("agent", "second")]:
        told = {"sessionUpdate": f"{kind}_message_chunk", "content": {"type": "text", "text": said}}
        for event in events.update(told):
            transcript.apply(event)
    for event in events.loaded():
        transcript.apply(event)
    turns = [turn_of(state) for state in transcript.turns.values()]
    assert [(turn.prompt, turn.text) for turn in turns] == [("one", "first"), ("two", "second")]


@pytest.mark.parametrize(
    "kind", ["agent_message_chunk", "tool_call", "plan", "usage_update", "new", "user_message_chunk"]
)
def test_nothing_that_an_agent_tells_raises(kind: str) -> None:
    transcript, events = Transcript("s1"), Events("s1", "/project", lambda: 1.0)
    told = list(events.prompted("msg_000000000001", [{"type": "text", "text": "go"}]))
    for junk in JUNK:
        fields = (
            "content",
            "entries",
            "cost",
            "rawInput",
            "rawOutput",
            "locations",
            "title",
            "kind",
            "status",
            "messageId",
        )
        for field in fields:
            told += events.update({"sessionUpdate": kind, "toolCallId": "call", field: junk})
            told += events.asked("per_acp1", {"toolCallId": "call", field: junk})
        told += events.ended({"usage": junk, "stopReason": junk})
    for event in told:
        transcript.apply(event)
    page.turn_html(transcript.turns["msg_000000000001"])


@pytest.mark.parametrize(
    ("command", "part"),
    [("ls && rm -r x", "rm -r x"), ("echo $(rm x)", "rm x"), ("A=1 B='' rm x", "rm x"), ("(cd a; rm x) | cat", "rm x")],
)
def test_each_command_of_a_line_is_a_subject_of_rules(command: str, part: str) -> None:
    request = asked({"kind": "execute", "rawInput": {}}, {"rawInput": {"command": command}})
    assert request["permission"] == "bash"
    assert request["patterns"][0] == command
    assert part in request["patterns"]


@pytest.mark.parametrize(
    ("config", "told", "denied"),
    [
        ({}, {"bash": "ask", "edit": "ask"}, False),
        ({"permission": {"bash": {"rm *": "deny"}}}, {"bash": "ask", "edit": "ask"}, True),
        ({"permission": {"bash": {"*": "deny", "rm a": "allow"}}}, {"bash": "ask", "edit": "ask"}, False),
        ({"permission": "deny"}, {"bash": "deny", "edit": "deny"}, True),
        ({"permission": {"b*": "deny"}}, {"bash": "deny", "edit": "ask"}, True),
        ({"agent": {"build": {"permission": {"bash": "deny"}}}}, {"bash": "ask", "edit": "ask"}, True),
    ],
)
def test_opencode_is_told_to_ask_and_what_the_user_denies_stays_denied(config: Json, told: Json, denied: bool) -> None:
    asking = careful.asking(config, ["bash", "edit"], ["edit"])
    assert asking["permission"] == told
    assert asking["agent"]["general"]["permission"]["bash"] == "deny"
    assert "edit" not in asking["agent"]["general"]["permission"]
    request = {"permission": "bash", "patterns": ["rm a"]}
    assert careful.denies(careful.rules_of(config, "build"), request) is denied


def test_subagents_are_denied_what_they_would_ask_about() -> None:
    """Nobody hears them: the program waits for an answer for ever."""
    config = {
        "permission": {"bash": {"*": "allow", "git push *": "ask"}, "external_directory": "allow"},
        "agent": {"helper": {"mode": "subagent", "permission": {"webfetch": "ask"}}},
    }
    told = careful.asking(config, [], [])
    assert told == {
        "agent": {
            "explore": {"permission": {"bash": {"git push *": "deny"}, "doom_loop": "deny"}},
            "general": {"permission": {"bash": {"git push *": "deny"}, "doom_loop": "deny"}},
            "helper": {"permission": {"bash": {"git push *": "deny"}, "webfetch": {"*": "deny"}, "doom_loop": "deny"}},
        }
    }


def test_a_prompt_s_parts_become_the_blocks_that_the_agent_takes() -> None:
    image = {"type": "file", "mime": "image/png", "url": "data:image/png;base64,AAAA", "filename": "a.png"}
    file = {"type": "file", "mime": "text/plain", "url": "file:///project/a.txt", "filename": "a.txt"}
    table = {"type": "file", "mime": "text/csv", "url": "data:text/csv;base64,YQ==", "filename": "a.csv"}
    every = {"image": True, "embeddedContext": True}
    assert blocks([{"type": "text", "text": "go"}, image, file, table], every) == [
        {"type": "text", "text": "go"},
        {"type": "image", "mimeType": "image/png", "data": "AAAA"},
        {"type": "resource_link", "uri": "file:///project/a.txt", "name": "a.txt", "mimeType": "text/plain"},
        {"type": "resource", "resource": {"uri": "attachment:///a.csv", "mimeType": "text/csv", "text": "a"}},
    ]
    with pytest.raises(ModelError, match=r"a\.png.*image"):
        blocks([image], {})
