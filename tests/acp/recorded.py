"""Recorded conversations with `opencode acp` as data, and a transcript that takes them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

from opencode_nb.acp.events import Events
from opencode_nb.transcript.state import Json, TurnState
from opencode_nb.transcript.transcript import Transcript

RECORDINGS = sorted(file.stem for file in (Path(__file__).parent / "recordings").glob("*.jsonl"))


class Replayed:
    """A recorded conversation, taken by a transcript as `AcpClient` would have it. `asked` are its requests."""

    def __init__(self, name: str) -> None:
        text = (Path(__file__).parent / "recordings" / f"{name}.jsonl").read_text(encoding="utf-8")
        self.lines: list[Json] = [json.loads(line) for line in text.splitlines()]
        created = next(answer for answer in self._results() if "sessionId" in answer)
        ticks = itertools.count(1_000)
        self.transcript = Transcript(str(created["sessionId"]))
        self.events = Events(self.transcript.id, "/project", lambda: float(next(ticks)))
        self.events.offered(created)
        self.asked: list[Json] = []
        self._sent: dict[int, str] = {}
        for event in self._told():
            self.transcript.apply(event)

    def _results(self) -> Iterator[Json]:
        return (line["message"]["result"] for line in self.lines if "result" in line["message"])

    def _told(self) -> Iterator[Json]:
        for number, line in enumerate(self.lines):
            message = line["message"]
            if line["from"] == "client" and message.get("method") == "session/prompt":
                turn = f"msg_{number:012x}"
                self._sent[message["id"]] = "prompt"
                yield {"type": "client.prompted", "properties": {"sessionID": self.transcript.id, "messageID": turn}}
                yield from self.events.prompted(turn, message["params"]["prompt"])
            elif line["from"] == "client" and message.get("method") == "session/load":
                self._sent[message["id"]] = "load"
                self.transcript = Transcript(self.transcript.id)
                self.events = Events(self.transcript.id, "/project", lambda: 0.0)
                self.events.load()
            elif line["from"] == "agent":
                yield from self._of_agent(number, message)

    def _of_agent(self, number: int, message: Json) -> Iterator[Json]:
        if message.get("method") == "session/update":
            yield from self.events.update(message["params"]["update"])
        elif message.get("method") == "session/request_permission":
            asking = list(self.events.asked(f"per_acp{number}", message["params"]["toolCall"]))
            self.asked.append(asking[-1]["properties"])
            yield from asking
        elif "method" not in message and (sent := self._sent.pop(message["id"], "")):
            if error := message.get("error"):
                yield from self.events.failed(error["code"], error["message"], error.get("data"))
            else:
                yield from self.events.ended(message["result"]) if sent == "prompt" else self.events.loaded()

    @property
    def turns(self) -> list[TurnState]:
        """The turns, in order."""
        return list(self.transcript.turns.values())
