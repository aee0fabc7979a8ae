"""A kept turn, played into a fresh transcript, is the same turn: on every recorded log of the real server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opencode_nb.recording import turns as kept_turns
from opencode_nb.render.turn import page
from opencode_nb.transcript.state import TurnState
from opencode_nb.transcript.transcript import Transcript
from tests.render.turns import NAMES, turns


def played(kept: dict[str, Any], transcript: Transcript, after: float = 0.0) -> TurnState:
    for event in kept_turns.events(kept, [], after=after):
        transcript.apply(event)
    return transcript.turns[kept["id"]]


def facts(turn: TurnState) -> list[Any]:
    """Everything of a turn that its views and its properties show."""
    forms = [page.turn_html(turn), page.turn_markdown(turn), page.turn_text(turn)]
    return [*forms, kept_turns.as_json(turn)]


@pytest.mark.parametrize("name", NAMES)
def test_a_kept_turn_plays_as_it_was(name: str) -> None:
    every = [turn for turn in turns(name) if turn.ended]
    transcript = Transcript(every[0].session_id)
    for turn in every:
        kept = json.loads(json.dumps(kept_turns.as_json(turn)))
        assert facts(played(kept, transcript)) == facts(turn)
    assert not transcript.busy


def test_turns_are_in_the_order_in_which_they_are_played() -> None:
    """Not in that of their recording: undo takes the last one."""
    early, late = sorted((turns(name)[0] for name in ("markdown", "reasoning")), key=begun)
    transcript = Transcript("ses_one")
    for turn in (late, early):
        kept, last = kept_turns.as_json(turn), transcript.newest
        moved = kept_turns.over_strings(kept, lambda text, own=turn.session_id: "ses_one" if text == own else text)
        again = played(moved, transcript, last.at if last else 0.0)
        assert page.turn_text(again) == page.turn_text(turn)
    assert list(transcript.turns) == [late.id, early.id]


def begun(turn: TurnState) -> float:
    assert turn.prompt is not None
    return turn.prompt.at
