"""Turns for tests: from recorded server events, and built by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opencode_nb.transcript.state import Message, TurnState
from opencode_nb.transcript.transcript import Transcript

RECORDINGS = Path(__file__).parent.parent / "recordings"
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.jsonl"))
PICTURE = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQ="


def events(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text("utf-8").split("\n") if line]


def transcript_of(log: list[dict[str, Any]]) -> Transcript:
    main = next(event["properties"]["sessionID"] for event in log if event["properties"].get("sessionID"))
    return Transcript(main)


def turns(name: str) -> list[TurnState]:
    """Return the turns at the end of a recording."""
    log = events(name)
    transcript = transcript_of(log)
    for event in log:
        transcript.apply(event)
    return list(transcript.turns.values())


def replay(name: str) -> Iterator[tuple[TurnState, set[str]]]:
    """Yield the turn and dirty keys for each event of a recording that changed a turn."""
    log = events(name)
    transcript = transcript_of(log)
    for event in log:
        dirty: dict[str, set[str]] = {}
        for change in transcript.apply(event):
            dirty.setdefault(change.turn, set()).add(change.key)
        yield from ((transcript.turns[turn], keys) for turn, keys in dirty.items() if turn in transcript.turns)


def tool(name: str, status: str = "completed", **state: Any) -> dict[str, Any]:
    return {
        "id": f"prt_{name}",
        "type": "tool",
        "tool": name,
        "callID": "c",
        "state": {"status": status, "input": {}, "metadata": {}, **state},
    }


def turn(*parts: dict[str, Any], status: Any = "completed", prompt: str = "Do it", **more: Any) -> TurnState:
    """Return a turn of one step with these parts, ids added where missing."""
    numbered = [{**part, "id": f"prt_{index:03}"} for index, part in enumerate(parts)]
    user = {"id": "msg_user", "role": "user", "time": {"created": 1000}, **more.pop("user", {})}
    info = {
        "id": "msg_step",
        "role": "assistant",
        "parentID": "msg_user",
        "time": {"created": 2000, "completed": 65000},
        "modelID": "demo",
        "providerID": "demo",
        "agent": "build",
        "cost": 0.0123,
        "tokens": {"input": 1200, "output": 300, "reasoning": 20, "cache": {"read": 15000, "write": 0}},
        "path": {"cwd": "/project"},
        **more.pop("info", {}),
    }
    return TurnState(
        "msg_user",
        "ses_1",
        prompt=Message(user, {"prt_p": {"id": "prt_p", "type": "text", "text": prompt}}),
        steps={"msg_step": Message(info, {part["id"]: part for part in numbered})},
        status=status,
        **more,
    )
