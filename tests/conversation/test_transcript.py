"""Recorded event logs of the real server, replayed through `Transcript.apply`."""

from __future__ import annotations

import copy
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from opencode_nb.conversation import ids
from opencode_nb.conversation.transcript import Transcript

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


@pytest.mark.parametrize("name", [name for name in NAMES if name != "structured"])  # the server can't list that one
def test_the_folded_events_are_what_the_server_stored(name: str) -> None:
    transcript = replay(events_of(name))
    stored = stored_of(name)
    assert messages_of(transcript) == stored[transcript.id]["messages"]
    for child in transcript.children.values():
        assert messages_of(child) == stored[child.id]["messages"]


@pytest.mark.parametrize("name", NAMES)
def test_every_turn_has_ended_and_asks_nothing(name: str) -> None:
    transcript = replay(events_of(name))
    assert transcript.turns
    for turn in transcript.turns.values():
        assert turn.ended
        assert not turn.permissions
        assert not turn.questions
        assert turn.retry is None


@pytest.mark.parametrize("name", NAMES)
def test_each_event_twice_changes_nothing(name: str) -> None:
    events = events_of(name)
    once, twice = replay(events), replay([event for event in events for _ in range(2)])
    assert messages_of(once) == messages_of(twice)


@pytest.mark.parametrize("name", NAMES)
def test_events_out_of_place_and_unknown_ones_never_raise(name: str) -> None:
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
def test_events_with_fields_missing_never_raise(name: str) -> None:
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


def test_fetching_in_mid_stream_keeps_the_streamed_text() -> None:
    events = events_of("markdown")
    middle = max(i for i, e in enumerate(events) if e["type"] == "message.part.delta") - 2
    transcript = replay(events[:middle])
    before = [p["text"] for t in transcript.turns.values() for p in t.parts if p["type"] == "text"]
    stored = copy.deepcopy(messages_of(transcript))
    for message in stored:
        for part in message["parts"]:
            if part["type"] == "text" and message["info"]["role"] == "assistant":
                part["text"] = ""  # the store has it only when it is whole
    loaded = {"messages": stored, "info": transcript.info, "status": {"type": "busy"}}
    transcript.apply({"type": "client.loaded", "properties": {"sessionID": transcript.id, **loaded}})
    assert [p["text"] for t in transcript.turns.values() for p in t.parts if p["type"] == "text"] == before
    assert before
    assert before[-1]
    for event in events[middle:]:
        transcript.apply(event)
    assert messages_of(transcript) == messages_of(replay(events))


def test_missed_events_are_made_good_by_fetching() -> None:
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


def test_outcomes() -> None:
    assert one_turn("markdown").status == "completed"
    assert one_turn("abort_streaming").status == "aborted"
    assert one_turn("provider_error").status == "error"
    unknown = one_turn("unknown_model")
    assert unknown.status == "error"
    assert unknown.error["data"]["message"] == "Model not found: demo/none."


def test_a_subagents_request_comes_to_the_parents_turn() -> None:
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


def test_a_turn_goes_on_through_a_compaction() -> None:
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


def test_a_step_that_starts_again_forgets_its_first_attempt() -> None:
    turn = one_turn("dropped_stream")
    texts = [part["text"] for part in turn.parts if part["type"] == "text"]
    assert texts[0] == ""
    assert texts[-1]


def test_an_event_that_an_answer_has_overtaken_takes_nothing_back() -> None:
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


def in_another_era(value: Any) -> Any:
    """The same JSON with ids that descend: as those of a session on both sides of the ids' wrap, or of two clocks."""
    turned = str.maketrans("0123456789abcdef", "fedcba9876543210")
    found: str = re.sub(r"\b(msg|prt)_([0-9a-f]{12})", lambda m: f"{m[1]}_{m[2].translate(turned)}", json.dumps(value))
    return json.loads(found)


def ordered(transcript: Transcript) -> list[Any]:
    return [[t.id, t.status, list(t.steps), [part["id"] for part in t.parts]] for t in transcript.turns.values()]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "structured"])
def test_the_order_is_the_servers_whatever_the_ids_say(name: str) -> None:
    events, stored = events_of(name), stored_of(name)[root_of(events_of(name))]
    transcript = replay(in_another_era(events))
    assert ordered(transcript) == in_another_era(ordered(replay(events)))
    fetched = Transcript(transcript.id)
    page = {"sessionID": transcript.id, "messages": in_another_era(stored["messages"]), "status": {"type": "idle"}}
    fetched.apply({"type": "client.loaded", "properties": page})
    before = [entry[0] for entry in ordered(transcript)]
    assert [entry[0] for entry in ordered(fetched)] == before
    transcript.apply({"type": "client.loaded", "properties": copy.deepcopy(page)})
    assert [entry[0] for entry in ordered(transcript)] == before
    assert [entry[3] for entry in ordered(transcript)] == [entry[3] for entry in ordered(fetched)]


def message(name: str, created: int, parent: str = "") -> dict[str, Any]:
    role = {"role": "assistant", "parentID": parent} if parent else {"role": "user"}
    return {"info": {"id": name, "sessionID": "ses_1", "time": {"created": created}, **role}, "parts": []}


CONVERSATION = [
    message("msg_ffe9", 10),
    message("msg_ffea", 11, "msg_ffe9"),
    message("msg_0001", 20),
    message("msg_0002", 21, "msg_0001"),
    message("msg_0003", 30),
    message("msg_0004", 31, "msg_0003"),
]
"""Three turns; the ids wrapped after the first."""
TURNS = ["msg_ffe9", "msg_0001", "msg_0003"]


def told(transcript: Transcript, info: dict[str, Any]) -> None:
    transcript.apply({"type": "message.updated", "properties": {"info": info}})


def listed(transcript: Transcript, messages: list[Any], cursor: str = "", kind: str = "loaded") -> None:
    page = {"sessionID": "ses_1", "messages": copy.deepcopy(messages), "cursor": cursor}
    transcript.apply({"type": f"client.{kind}", "properties": page})


@pytest.mark.parametrize("late", range(6))
def test_a_message_that_comes_late_stands_in_its_place(late: int) -> None:
    transcript = Transcript("ses_1")
    listed(transcript, [*CONVERSATION[:late], *CONVERSATION[late + 1 :]])
    told(transcript, CONVERSATION[late]["info"])
    assert list(transcript.turns) == TURNS
    assert [list(turn.steps) for turn in transcript.turns.values()] == [["msg_ffea"], ["msg_0002"], ["msg_0004"]]


def test_pages_and_events_between_them_come_to_the_servers_list() -> None:
    transcript = Transcript("ses_1")
    told(transcript, message("msg_8000", 40)["info"])  # comes while the page is on its way
    listed(transcript, CONVERSATION[2:], "before")
    told(transcript, CONVERSATION[0]["info"])  # of a turn that is not loaded
    listed(transcript, CONVERSATION[:2], kind="earlier")
    assert list(transcript.turns) == [*TURNS, "msg_8000"]
    assert not transcript.has_earlier


def test_the_list_settles_what_was_created_in_the_same_millisecond() -> None:
    transcript = Transcript("ses_1")
    notes = [message(f"msg_{number}", 10) for number in (2, 3, 1)]
    for note in sorted(notes, key=str):
        told(transcript, note["info"])
    listed(transcript, notes)
    assert list(transcript.turns) == ["msg_2", "msg_3", "msg_1"]


def test_a_prompt_on_its_way_is_the_last_until_the_server_has_it() -> None:
    transcript = Transcript("ses_1")
    listed(transcript, CONVERSATION[:4])
    transcript.apply({"type": "client.prompted", "properties": {"sessionID": "ses_1", "messageID": "msg_0000"}})
    told(transcript, CONVERSATION[4]["info"])  # another client was quicker
    told(transcript, message("msg_0000", 35)["info"])
    assert list(transcript.turns) == [*TURNS, "msg_0000"]


@pytest.mark.parametrize("cut", range(3))
def test_an_undo_cuts_by_position(cut: int) -> None:
    transcript = Transcript("ses_1")
    listed(transcript, CONVERSATION)
    info = {"id": "ses_1", "revert": {"messageID": TURNS[cut]}}
    transcript.apply({"type": "session.updated", "properties": {"info": info}})
    assert [turn.id for turn in transcript.visible_turns] == TURNS[:cut]
    assert [turn.id for turn in transcript.undone_turns] == TURNS[cut:]


def test_an_undo_that_cuts_before_what_is_loaded_hides_all_of_it() -> None:
    transcript = Transcript("ses_1")
    listed(transcript, CONVERSATION[2:], "before")
    info = {"id": "ses_1", "revert": {"messageID": TURNS[0]}}
    transcript.apply({"type": "session.updated", "properties": {"info": info}})
    assert not transcript.visible_turns
    listed(transcript, CONVERSATION[:2], kind="earlier")
    assert [turn.id for turn in transcript.undone_turns] == TURNS


def test_messages_that_were_removed_meanwhile_are_gone() -> None:
    transcript = Transcript("ses_1")
    listed(transcript, CONVERSATION)
    told(transcript, message("msg_8000", 40)["info"])
    listed(transcript, [*CONVERSATION[:2], *CONVERSATION[4:]])
    assert list(transcript.turns) == ["msg_ffe9", "msg_0003", "msg_8000"]


def test_an_id_of_ours_comes_after_those_of_its_session() -> None:
    now = ids.message_id()
    ahead = f"msg_{int(now[4:16], 16) + 600_000 * 4096:012x}abc"
    assert ids.message_id(ahead)[4:16] > ahead[4:16]
    assert ids.message_id() > now
    assert ids.message_id(now, "msg_of-another-form") > now
    before_the_wrap = f"msg_{(int(now[4:16], 16) - (1 << 46)) % (1 << 48):012x}abc"
    assert ids.message_id(before_the_wrap)[4:8] == now[4:8]
