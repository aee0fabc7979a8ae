"""Messages, turns and parts are in the server's order, whatever their ids and the clocks say."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from opencode_nb.transcript import ids
from opencode_nb.transcript.transcript import Transcript
from tests.transcript.test_transcript import NAMES, events_of, message, replay, root_of, stored_of, told


def in_another_era(value: Any) -> Any:
    """Return the JSON with descending ids, as in a session across the wrap of ids, or with two clocks."""
    turned = str.maketrans("0123456789abcdef", "fedcba9876543210")
    found: str = re.sub(r"\b(msg|prt)_([0-9a-f]{12})", lambda m: f"{m[1]}_{m[2].translate(turned)}", json.dumps(value))
    return json.loads(found)


def ordered(transcript: Transcript) -> list[Any]:
    return [[t.id, t.status, list(t.steps), [part["id"] for part in t.parts]] for t in transcript.turns.values()]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "structured"])
def test_the_order_is_the_servers_whatever_the_ids(name: str) -> None:
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


def listed(transcript: Transcript, messages: list[Any], cursor: str = "", kind: str = "loaded") -> None:
    page = {"sessionID": "ses_1", "messages": copy.deepcopy(messages), "cursor": cursor}
    transcript.apply({"type": f"client.{kind}", "properties": page})


@pytest.mark.parametrize("late", range(6))
def test_a_late_message_is_sorted_into_its_place(late: int) -> None:
    transcript = Transcript("ses_1")
    listed(transcript, [*CONVERSATION[:late], *CONVERSATION[late + 1 :]])
    told(transcript, CONVERSATION[late]["info"])
    assert list(transcript.turns) == TURNS
    assert [list(turn.steps) for turn in transcript.turns.values()] == [["msg_ffea"], ["msg_0002"], ["msg_0004"]]


def test_pages_and_events_between_them_add_up_to_the_servers_list() -> None:
    transcript = Transcript("ses_1")
    told(transcript, message("msg_8000", 40)["info"])  # arrives while the page is loading
    listed(transcript, CONVERSATION[2:], "before")
    told(transcript, CONVERSATION[0]["info"])  # of a turn not loaded yet
    listed(transcript, CONVERSATION[:2], kind="earlier")
    assert list(transcript.turns) == [*TURNS, "msg_8000"]
    assert not transcript.has_earlier


def test_the_servers_list_orders_messages_of_the_same_millisecond() -> None:
    transcript = Transcript("ses_1")
    notes = [message(f"msg_{number}", 10) for number in (2, 3, 1)]
    for note in sorted(notes, key=str):
        told(transcript, note["info"])
    listed(transcript, notes)
    assert list(transcript.turns) == ["msg_2", "msg_3", "msg_1"]


def test_a_sent_prompt_is_last_until_the_server_has_it() -> None:
    transcript = Transcript("ses_1")
    listed(transcript, CONVERSATION[:4])
    transcript.apply({"type": "client.prompted", "properties": {"sessionID": "ses_1", "messageID": "msg_0000"}})
    told(transcript, CONVERSATION[4]["info"])  # another client was faster
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
    assert [transcript.undone_after(turn) for turn in TURNS[cut:]] == [*TURNS[cut + 1 :], None]


def test_an_undo_before_the_loaded_messages_hides_all_of_them() -> None:
    transcript = Transcript("ses_1")
    listed(transcript, CONVERSATION[2:], "before")
    info = {"id": "ses_1", "revert": {"messageID": TURNS[0]}}
    transcript.apply({"type": "session.updated", "properties": {"info": info}})
    assert not transcript.visible_turns
    listed(transcript, CONVERSATION[:2], kind="earlier")
    assert [turn.id for turn in transcript.undone_turns] == TURNS


def test_messages_missing_from_the_servers_list_are_removed() -> None:
    transcript = Transcript("ses_1")
    listed(transcript, CONVERSATION)
    told(transcript, message("msg_8000", 40)["info"])
    listed(transcript, [*CONVERSATION[:2], *CONVERSATION[4:]])
    assert list(transcript.turns) == ["msg_ffe9", "msg_0003", "msg_8000"]


def test_a_new_id_sorts_after_those_of_its_session() -> None:
    now = ids.message_id()
    ahead = f"msg_{int(now[4:16], 16) + 600_000 * 4096:012x}abc"
    assert ids.message_id(ahead)[4:16] > ahead[4:16]
    assert ids.message_id() > now
    assert ids.message_id(now, "msg_of-another-form") > now
    before_the_wrap = f"msg_{(int(now[4:16], 16) - (1 << 46)) % (1 << 48):012x}abc"
    assert ids.message_id(before_the_wrap)[4:8] == now[4:8]
