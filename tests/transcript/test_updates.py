"""What readers are told of recorded turns, update by update."""

from __future__ import annotations

import copy

import pytest

from opencode_nb.transcript.tool_call import ToolCall
from opencode_nb.transcript.transcript import Transcript
from opencode_nb.transcript.updates import OneTurn, Update, Updates
from tests.transcript.test_transcript import NAMES, events_of, root_of


def told(name: str, *, twice: bool = False) -> tuple[Transcript, list[Update]]:
    """Replay a recording, each event twice if wished; return the transcript and all updates."""
    events = events_of(name)
    transcript = Transcript(root_of(events))
    updates = Updates(transcript)
    found = []
    for event in copy.deepcopy([event for event in events for _ in range(1 + twice)]):
        for change in transcript.apply(event):
            found += updates.of(change)
    return transcript, found


TAKEN_BACK = {"deleted_parts", "dropped_stream"}
"""Recordings in which the server removes a text again: what was told of it stays told."""


@pytest.mark.parametrize("name", NAMES)
def test_the_pieces_of_an_answer_are_the_answer(name: str) -> None:
    transcript, updates = told(name)
    for turn in transcript.turns.values():
        texts = [
            str(part["text"])
            for step in turn.steps.values()
            if step.info.get("role") != "user" and not step.info.get("summary")
            for part in step.parts.values()
            if part.get("type") == "text" and part.get("text") and not part.get("synthetic")
        ]
        pieces = "".join(update.text for update in updates if update.turn == turn.id and update.kind == "text")
        answer = "\n\n".join(texts).strip()
        assert pieces.strip().endswith(answer) if name in TAKEN_BACK else pieces.strip() == answer


@pytest.mark.parametrize("name", NAMES)
def test_every_turn_is_complete_once_and_every_call_is_told(name: str) -> None:
    transcript, updates = told(name)
    complete = [update.turn for update in updates if update.kind == "turn_complete"]
    assert len(complete) == len(set(complete))
    assert set(complete) >= set(transcript.turns)  # undone turns are gone from the transcript
    calls = [part for turn in transcript.turns.values() for part in turn.parts if part.get("type") == "tool"]
    last = {update.tool.id: update.tool.status for update in updates if update.tool}
    assert {part["callID"]: part["state"]["status"] for part in calls}.items() <= last.items()


@pytest.mark.parametrize("name", NAMES)
def test_repeated_events_repeat_no_text_and_no_usage(name: str) -> None:
    once, again = told(name)[1], told(name, twice=True)[1]
    for kind in ("text", "reasoning", "usage", "title", "permission", "question", "turn_complete"):
        assert [update for update in again if update.kind == kind] == [update for update in once if update.kind == kind]


def test_a_text_that_was_there_before_is_not_told_again() -> None:
    transcript, _updates = told(NAMES[0])
    later = Updates(transcript)
    events = [event for event in events_of(NAMES[0]) if event["type"] == "message.part.updated"]
    changes = [change for event in copy.deepcopy(events) for change in transcript.apply(event)]
    assert [update for change in changes for update in later.of(change) if update.kind in ("text", "reasoning")] == []


@pytest.mark.parametrize(
    ("tool", "kind"),
    [("read", "read"), ("apply_patch", "edit"), ("bash", "execute"), ("task", "delegate"), ("github_search", "other")],
)
def test_a_call_has_the_kind_of_its_tool(tool: str, kind: str) -> None:
    assert ToolCall.of({"tool": tool}, ended=False).kind == kind


def test_a_stream_of_one_turn_ends_with_its_completion() -> None:
    one_turn = OneTurn("mine")
    came = [
        Update("title", "", "before"),
        Update("text", "mine", "words"),
        Update("text", "another", "words"),
        Update("turn_complete", "another"),
        Update("title", "", "between"),
        Update("turn_complete", "mine"),
        Update("title", "", "after"),
    ]
    assert [update.text or update.kind for update in came if one_turn.has(update)] == [
        "before",
        "words",
        "between",
        "turn_complete",
    ]
