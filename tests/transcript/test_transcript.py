"""Recorded event logs of the real server, replayed through `Transcript.apply`."""

from __future__ import annotations

import copy
import json
import random
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from opencode_nb.errors import TurnError
from opencode_nb.render.turn.page import LiveTurn, turn_html, turn_text
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.transcript import Change, Transcript

RECORDINGS = sorted((Path(__file__).parent.parent / "recordings").glob("*.jsonl"))
NAMES = [path.stem for path in RECORDINGS]


def events_of(name: str) -> list[dict[str, Any]]:
    path = Path(__file__).parent.parent / "recordings" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def stored_of(name: str) -> Any:
    path = Path(__file__).parent.parent / "recordings" / f"{name}.stored.json"
    return json.loads(path.read_text())


def root_of(events: list[dict[str, Any]]) -> str:
    created = (e["properties"]["info"] for e in events if e["type"] == "session.created")
    return next(info["id"] for info in created if not info.get("parentID"))


def replay(events: list[dict[str, Any]]) -> Transcript:
    transcript = Transcript(root_of(events))
    for event in copy.deepcopy(events):
        transcript.apply(event)
    return transcript


def messages_of(transcript: Transcript) -> list[dict[str, Any]]:
    found = []
    for turn in transcript.turns.values():
        for message in [*([turn.prompt] if turn.prompt else []), *turn.steps.values()]:
            found.append({"info": message.info, "parts": list(message.parts.values())})
    return sorted(found, key=lambda message: message["info"]["id"])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "structured"])  # the server cannot list this one
def test_the_folded_events_equal_what_the_server_stored(name: str) -> None:
    transcript = replay(events_of(name))
    stored = stored_of(name)
    assert messages_of(transcript) == stored[transcript.id]["messages"]
    for child in transcript.children.values():
        assert messages_of(child) == stored[child.id]["messages"]


@pytest.mark.parametrize("name", NAMES)
def test_every_turn_has_ended_without_open_requests(name: str) -> None:
    transcript = replay(events_of(name))
    assert transcript.turns
    for turn in transcript.turns.values():
        assert turn.ended
        assert not turn.permissions
        assert not turn.questions
        assert turn.retry is None


@pytest.mark.parametrize("name", NAMES)
def test_a_repeated_event_changes_nothing(name: str) -> None:
    events = events_of(name)
    once, twice = replay(events), replay([event for event in events for _ in range(2)])
    assert messages_of(once) == messages_of(twice)


@pytest.mark.parametrize("name", NAMES)
def test_shuffled_and_unknown_events_never_raise(name: str) -> None:
    events = events_of(name)
    strange = [
        {"type": "future.kind", "properties": {"sessionID": root_of(events)}},
        {"type": 3},
        {},
        {"properties": None},
    ]
    rng = random.Random(name)
    for _ in range(5):
        shuffled = [*copy.deepcopy(events), *strange]
        rng.shuffle(shuffled)
        transcript = Transcript(root_of(events))
        for event in shuffled:
            transcript.apply(event)


@pytest.mark.parametrize("name", NAMES)
def test_events_with_missing_fields_never_raise(name: str) -> None:
    events = events_of(name)
    rng = random.Random(name)
    transcript = Transcript(root_of(events))
    for event in copy.deepcopy(events):
        properties = event["properties"]
        if properties and rng.random() < 0.5:
            properties.pop(rng.choice(sorted(properties)))
        for value in properties.values():
            if isinstance(value, dict) and value and rng.random() < 0.3:
                value.pop(rng.choice(sorted(value)))
        transcript.apply(event)


def one_turn(name: str) -> Any:
    return next(iter(replay(events_of(name)).turns.values()))


def test_a_delta_before_its_part_is_kept() -> None:
    events = events_of("markdown")
    first = next(i for i, e in enumerate(events) if e["type"] == "message.part.delta")
    part = next(
        i
        for i, e in enumerate(events)
        if e["type"] == "message.part.updated"
        and e["properties"]["part"]["id"] == events[first]["properties"]["partID"]
    )
    events[part : first + 1] = [events[first], *events[part:first]]
    without_end = [e for e in events if not (e["properties"].get("part") or {}).get("time", {}).get("end")]
    transcript = replay(without_end)
    texts = [p["text"] for t in transcript.turns.values() for p in t.parts if p["type"] == "text"]
    deltas = "".join(e["properties"]["delta"] for e in events if e["type"] == "message.part.delta")
    assert "".join(texts) == deltas


def test_loading_in_mid_stream_keeps_the_streamed_text() -> None:
    events = events_of("markdown")
    middle = max(i for i, e in enumerate(events) if e["type"] == "message.part.delta") - 2
    transcript = replay(events[:middle])
    before = [p["text"] for t in transcript.turns.values() for p in t.parts if p["type"] == "text"]
    stored = copy.deepcopy(messages_of(transcript))
    for message in stored:
        for part in message["parts"]:
            if part["type"] == "text" and message["info"]["role"] == "assistant":
                part["text"] = ""  # the server stores text only when complete
    loaded = {"messages": stored, "info": transcript.info, "status": {"type": "busy"}}
    transcript.apply({"type": "client.loaded", "properties": {"sessionID": transcript.id, **loaded}})
    assert [p["text"] for t in transcript.turns.values() for p in t.parts if p["type"] == "text"] == before
    assert before
    assert before[-1]
    for event in events[middle:]:
        transcript.apply(event)
    assert messages_of(transcript) == messages_of(replay(events))


def test_loading_makes_up_for_missed_events() -> None:
    events = events_of("edit_allowed")
    whole = replay(events)
    for cut in (8, 20, len(events) // 2):
        transcript = replay(events[:cut])
        loaded = {"messages": messages_of(whole), "info": whole.info, "status": {"type": "idle"}}
        transcript.apply({"type": "client.loaded", "properties": {"sessionID": transcript.id, **copy.deepcopy(loaded)}})
        assert messages_of(transcript) == messages_of(whole)
        assert all(turn.ended for turn in transcript.turns.values())


def test_steps_are_grouped_by_their_prompt() -> None:
    turn = one_turn("edit_allowed")
    assert len(turn.steps) > 1
    assert {step.info["parentID"] for step in turn.steps.values()} == {turn.id}
    assert turn.diffs


def test_turns_end_as_completed_aborted_or_failed() -> None:
    assert one_turn("markdown").status == "completed"
    assert one_turn("abort_streaming").status == "aborted"
    assert one_turn("provider_error").status == "error"
    unknown = one_turn("unknown_model")
    assert unknown.status == "error"
    assert unknown.error["data"]["message"] == "Model not found: demo/none."


def test_a_subagents_request_is_added_to_the_parents_turn() -> None:
    events = events_of("subagent_external_permission")
    transcript = Transcript(root_of(events))
    seen = []
    for event in events:
        changes = transcript.apply(event)
        if event["type"] == "permission.asked":
            turn = next(iter(transcript.turns.values()))
            seen.append(list(turn.permissions))
            assert ("request", turn.id) in [(change.kind, change.turn) for change in changes]
    assert seen
    assert seen[0] == [next(e for e in events if e["type"] == "permission.asked")["properties"]["id"]]
    assert not next(iter(transcript.turns.values())).permissions
    turn = next(iter(transcript.turns.values()))
    assert turn.children
    assert [child.status for children in turn.children.values() for child in children] == ["completed"]


def test_a_subagents_request_is_answered_by_us_in_its_own_turn_too() -> None:
    """Its server event alone would name another client."""
    events = events_of("subagent_external_permission")
    transcript = Transcript(root_of(events))
    for event in events:
        if event["type"] == "permission.replied":
            (turn,) = transcript.turns.values()
            (request,) = turn.requests.values()
            assert request["asker"]["subagent_type"] == "general"
            assert turn.asker_of({"sessionID": transcript.id}) is None
            assert turn.asker_of({"sessionID": "ses_another"}) == {}
            decided = {"request": request, "reply": "once", "by": "you", "sessionID": transcript.id}
            transcript.apply({"type": "client.decided", "properties": decided})
        transcript.apply(event)
    made = [(one.session_id == transcript.id, [decision.by for decision in one.decisions]) for one in turn.family]
    assert made == [(True, ["you"]), (False, ["you"])]


def test_an_answer_keeps_the_call_that_it_was_given_for() -> None:
    events = events_of("edit_allowed")
    transcript = Transcript(root_of(events))
    for event in events:
        if event["type"] == "permission.replied":
            (turn,) = transcript.turns.values()
            (request,) = turn.permissions.values()
            decided = {"request": request, "reply": "once", "by": "you", "sessionID": transcript.id}
            transcript.apply({"type": "client.decided", "properties": decided})
        transcript.apply(event)
    (made,) = turn.decisions
    (part,) = [part for part in turn.parts if part.get("callID") == made.call]
    assert made.request["call"] == {"tool": part["tool"], "input": part["state"]["input"]}


def test_what_a_call_shows_stands_at_its_part() -> None:
    events = events_of("edit_allowed")
    transcript = Transcript(root_of(events))
    for event in events:
        transcript.apply(event)
    (turn,) = transcript.turns.values()
    part = next(part for part in turn.parts if part["type"] == "tool")
    blocks = [{"kind": "stdout", "text": "seen"}]

    def shown(call: str) -> list[Change]:
        properties = {"sessionID": transcript.id, "callID": call, "blocks": blocks}
        return transcript.apply({"type": "client.shown", "properties": properties})

    assert shown("unknown") == []
    assert shown(part["callID"]) == [Change("part", turn.id, part["id"])]
    assert turn.shown == {part["callID"]: blocks}


def test_what_left_the_kernel_is_added_to_its_turn() -> None:
    transcript = replay(events_of("bash_growing"))
    (turn,) = transcript.turns.values()
    entries = [{"about": about, "level": "schema", "tokens": 412} for about in ("df", "model")]
    for entry in entries:
        properties = {"messageID": turn.id, "entries": [entry]}
        assert transcript.apply({"type": "client.sent", "properties": properties}) == [Change("turn", turn.id, "turn")]
    assert turn.sent == entries


@pytest.mark.parametrize("name", ["edit_allowed", "permission_rejected", "question"])
def test_waiting_time_is_measured_by_the_servers_clock(name: str) -> None:
    """Without a clock of our own: the ids of the request and of its answer's event hold the time."""
    turn = one_turn(name)
    ((call, (begin, end)),) = turn.waits.values()
    (part,) = [part for part in turn.parts if part.get("callID") == call]
    time = part["state"]["time"]
    assert 0 < end - begin <= time["end"] - time["start"]
    unknown = [{**event, "id": None} for event in events_of(name)]
    assert not next(iter(replay(unknown).turns.values())).waits


def test_a_turn_continues_through_a_compaction() -> None:
    turn = list(replay(events_of("context_overflow")).turns.values())[-1]
    assert turn.status == "completed"
    assert turn.prompt.parts
    assert [step.info["role"] for step in turn.steps.values()] == [
        "assistant",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    said = [part.get("text") for part in turn.parts if part["type"] == "text"]
    assert said[-1] == "On with it."


def test_a_restarted_step_discards_its_first_attempt() -> None:
    turn = one_turn("dropped_stream")
    texts = [part["text"] for part in turn.parts if part["type"] == "text"]
    assert texts[0] == ""
    assert texts[-1]


def test_an_event_older_than_a_response_is_ignored() -> None:
    transcript = Transcript("ses_1")
    for updated, title in ((10_000, "before"), (10_700, "the answer"), (10_600, "an event before it")):
        info = {"id": "ses_1", "title": title, "time": {"updated": updated}}
        transcript.apply({"type": "session.updated", "properties": {"info": info}})
    assert transcript.info["title"] == "the answer"
    set_back = {"id": "ses_1", "title": "the clock was set back", "time": {"updated": 1_000}}
    transcript.apply({"type": "session.updated", "properties": {"info": set_back}})
    assert transcript.info["title"] == "the clock was set back"


def test_an_idle_of_an_earlier_turn_does_not_end_a_new_one() -> None:
    transcript = replay(events_of("markdown"))
    session = {"sessionID": transcript.id}
    transcript.apply({"type": "client.prompted", "properties": {**session, "messageID": "msg_zzz"}})
    transcript.apply({"type": "session.idle", "properties": session})
    assert transcript.turns["msg_zzz"].status == "queued"
    transcript.apply({"type": "session.status", "properties": {**session, "status": {"type": "busy"}}})
    transcript.apply({"type": "session.idle", "properties": session})
    assert transcript.turns["msg_zzz"].status == "completed"


def message(name: str, created: int, parent: str = "") -> dict[str, Any]:
    role = {"role": "assistant", "parentID": parent} if parent else {"role": "user"}
    return {"info": {"id": name, "sessionID": "ses_1", "time": {"created": created}, **role}, "parts": []}


def told(transcript: Transcript, info: dict[str, Any]) -> None:
    transcript.apply({"type": "message.updated", "properties": {"info": info}})


def test_each_stretch_of_a_turn_awaits_its_diffs() -> None:
    transcript = Transcript("ses_1")
    stretches = [
        ("msg_1", "msg_2", {"type": "text", "text": "go"}),
        ("msg_3", "msg_4", {"type": "compaction", "auto": True}),
    ]
    for at, (asked, answer, begins) in enumerate(stretches):
        for name, parent, part in ((asked, "", begins), (answer, asked, {"type": "patch", "files": ["/a"]})):
            told(transcript, message(name, 10 * at + bool(parent), parent)["info"])
            sent = {**part, "id": f"prt_{name}", "messageID": name, "sessionID": "ses_1"}
            transcript.apply({"type": "message.part.updated", "properties": {"part": sent}})
    [turn] = transcript.turns.values()
    for at, (asked, *_rest) in enumerate(stretches):
        assert turn.awaits_diffs
        info = message(asked, 10 * at)["info"]
        told(transcript, {**info, "summary": {"diffs": [{"file": "a", "patch": ""}]}})
    assert not turn.awaits_diffs


def without_end(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of a session whose server died in its last step, so that the step never ends."""
    cut = copy.deepcopy(events)
    last = [
        e["properties"]["info"]["id"]
        for e in cut
        if e["type"] == "message.updated"
        if e["properties"]["info"]["role"] == "assistant"
    ][-1]
    for event in cut:
        info = event["properties"].get("info") or {}
        if event["type"] == "message.updated" and info["id"] == last:
            info.pop("finish", None)
            info["time"].pop("completed", None)
    return cut


@pytest.mark.parametrize("completed", [False, True])
def test_a_step_without_a_finish_was_cut_off(completed: bool) -> None:
    stored = stored_of("two_turns")
    session_id, messages = next((key, copy.deepcopy(value["messages"])) for key, value in stored.items())
    messages[-1]["info"].pop("finish")
    if not completed:
        messages[-1]["info"]["time"].pop("completed")
    transcript = Transcript(session_id)
    page = {"sessionID": session_id, "messages": messages, "status": {"type": "idle"}}
    transcript.apply({"type": "client.loaded", "properties": page})
    states = list(transcript.turns.values())
    assert [(turn.status, bool(turn.error)) for turn in states] == [("completed", False), ("error", True)]
    turn = Turn(states[-1], None, Future())
    with pytest.raises(TurnError, match="cut off"):
        turn.raise_for_status()
    for shown in (turn_html(turn.state), turn_text(turn.state), LiveTurn(turn.state).snapshot()):
        assert "cut off" in shown
    transcript.apply({"type": "client.loaded", "properties": {**page, "messages": stored[session_id]["messages"]}})
    assert states[-1].error is None
    assert states[-1].status == "completed"


def test_a_step_that_ends_after_the_session_idles_is_not_cut_off() -> None:
    events = events_of("markdown")
    transcript = replay(without_end(events))
    turn = list(transcript.turns.values())[-1]
    assert turn.status == "error"
    end = [e for e in events if e["type"] == "message.updated" and "finish" in e["properties"]["info"]][-1]
    transcript.apply({"type": "message.updated", "properties": end["properties"]})
    assert (turn.status, turn.error) == ("completed", None)


def test_idle_after_one_prompt_does_not_end_the_next() -> None:
    transcript = Transcript("ses_1")
    session = {"sessionID": "ses_1"}
    told(transcript, message("msg_1", 1)["info"])
    told(transcript, message("msg_2", 2, "msg_1")["info"])
    transcript.apply({"type": "client.prompted", "properties": {**session, "messageID": "msg_3"}})
    transcript.apply({"type": "session.status", "properties": {**session, "status": {"type": "busy"}}})
    told(transcript, message("msg_3", 3)["info"])
    for _ in range(2):
        transcript.apply({"type": "session.idle", "properties": session})
    assert [turn.ended for turn in transcript.turns.values()] == [True, False]
    transcript.apply({"type": "session.status", "properties": {**session, "status": {"type": "busy"}}})
    told(transcript, message("msg_4", 4, "msg_3")["info"])
    transcript.apply({"type": "session.idle", "properties": session})
    assert transcript.turns["msg_3"].ended
