"""Characters that the server's stream splits between two UTF-16 surrogates."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from opencode_nb.session.turn import Turn
from opencode_nb.transcript.halves import joined, whole
from opencode_nb.transcript.transcript import Transcript

SAID = "a🎉é👩‍🔬z"


def pieces(text: str, *cuts: int) -> list[str]:
    """Split the text as JavaScript does: between any two UTF-16 units."""
    units = text.encode("utf-16-le")
    edges = [0, *(2 * cut for cut in cuts), len(units)]
    return [units[at:end].decode("utf-16-le", "surrogatepass") for at, end in itertools.pairwise(edges)]


def streamed(deltas: list[str], kind: str = "text") -> tuple[Transcript, str]:
    """Return the transcript of these deltas, and the text of its changes."""
    transcript = Transcript("ses_1")
    info = {"id": "msg_2", "sessionID": "ses_1", "role": "assistant", "parentID": "msg_1"}
    part = {"id": "prt_1", "messageID": "msg_2", "sessionID": "ses_1", "type": kind, "text": ""}
    events: list[tuple[str, dict[str, Any]]] = [
        ("message.updated", {"info": {"id": "msg_1", "sessionID": "ses_1", "role": "user"}}),
        ("message.updated", {"info": info}),
        ("message.part.updated", {"part": part}),
        *(
            (
                "message.part.delta",
                {"sessionID": "ses_1", "messageID": "msg_2", "partID": "prt_1", "field": "text", "delta": delta},
            )
            for delta in deltas
        ),
    ]
    told = [
        change.delta
        for name, properties in events
        for change in transcript.apply({"type": name, "properties": properties})
    ]
    return transcript, "".join(told)


@pytest.mark.parametrize("kind", ["text", "reasoning"])
@pytest.mark.parametrize("cut", range(1, len(SAID.encode("utf-16-le")) // 2))
def test_a_character_split_across_deltas_is_rejoined(cut: int, kind: str) -> None:
    transcript, told = streamed(pieces(SAID, cut), kind)
    assert told == SAID
    assert transcript.turns["msg_1"].parts[0]["text"] == SAID


def test_a_delta_per_utf16_unit_is_rejoined() -> None:
    transcript, told = streamed(pieces(SAID, *range(1, len(SAID.encode("utf-16-le")) // 2)))
    assert told == transcript.turns["msg_1"].parts[0]["text"] == SAID


@pytest.mark.parametrize("text", ["\ud83c", "a\ud83cb", "\udf89a", "\udf89\ud83c"])
def test_a_lone_surrogate_can_be_encoded_everywhere(text: str) -> None:
    transcript, told = streamed([text])
    turn = Turn(transcript.turns["msg_1"], None, None)  # type: ignore[arg-type]  # only its text is read
    told.encode()
    turn.text.encode()
    properties = {"part": {**turn.state.parts[0], "text": text, "time": {"start": 1, "end": 2}}}
    transcript.apply({"type": "message.part.updated", "properties": properties})
    assert turn.text.encode().decode() == joined(text)
    state = {"status": "completed", "input": {text: [text]}, "output": text, "title": text}
    tool = {"id": "prt_2", "messageID": "msg_2", "sessionID": "ses_1", "type": "tool", "tool": "bash", "state": state}
    transcript.apply({"type": "message.part.updated", "properties": {"part": tool}})
    json.dumps(turn.state.parts, ensure_ascii=False).encode()


def test_a_value_without_surrogates_is_not_copied() -> None:
    value = {"a": ["é🎉", {"b": "c"}]}
    assert whole(value) is value
