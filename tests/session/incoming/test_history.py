"""Long histories, and a stream that comes and goes, against the real server."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server
from opencode_nb.session.incoming import history
from opencode_nb.session.incoming.unloading import KEPT_TURNS, MOST_TURNS
from opencode_nb.transcript.state import TurnState
from opencode_nb.transcript.transcript import Transcript
from tests.transcript.test_transcript import NAMES, events_of, replay, stored_of

TURNS = 1000
"""Turns of the long session: two messages each."""


@pytest.fixture
def ai(server: Server, project: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        yield ai


def long_session(ai: oc.Opencode, program: Path, project: Path, turns: int) -> str:
    """The id of a session with so many turns: one that was exported, its turn repeated, and imported again."""
    template = json.loads(ai.session(id=ai.ask("Say exactly: answer").session.id).export("json"))
    user, assistant = template["messages"]
    info = {**template["info"], "id": f"ses_e{turns:011x}LongLongLongLo", "slug": "long", "title": "A long one"}
    messages = [
        message
        for number in range(turns)
        for message in (_copy(user, info["id"], number, 0), _copy(assistant, info["id"], number, 1))
    ]
    file = project / "long.json"
    file.write_text(json.dumps({"info": info, "messages": messages}))
    subprocess.run([program, "import", file], cwd=project, env=os.environ, check=True, capture_output=True, timeout=120)
    return str(info["id"])


def _copy(message: dict[str, Any], session: str, number: int, place: int) -> dict[str, Any]:
    """The same message with ids of its own, in their order."""

    def name(kind: str, at: int) -> str:
        return f"{kind}_{number * 100 + at:012x}{session[-15:-11]}LongLongLo"

    time = dict.fromkeys(message["info"]["time"], 1700000000000 + 100 * number + place)
    info = {**message["info"], "id": name("msg", place), "sessionID": session, "time": time}
    if "parentID" in info:
        info["parentID"] = name("msg", 0)
    ids = {"sessionID": session, "messageID": info["id"]}
    parts = [{**part, **ids, "id": name("prt", 10 * place + at)} for at, part in enumerate(message["parts"])]
    for part in parts:
        if part["type"] == "text":
            part["text"] = f"{('question', 'answer')[place]} {number}"
    return {"info": info, "parts": parts}


def test_a_long_session_loads_its_latest_page_first(ai: oc.Opencode, opencode_program: Path, project: Path) -> None:
    session = ai.session(id=long_session(ai, opencode_program, project, TURNS))
    transcript = session._async.transcript
    assert transcript.has_earlier
    assert len(transcript.turns) == history.PAGE // 2
    first = next(iter(transcript.turns))
    earlier = threading.Event()
    session.subscribe(lambda change: earlier.set() if change.kind == "earlier" else None)
    assert session.load_earlier()
    assert earlier.wait(10)
    assert len(transcript.turns) == history.PAGE
    assert first in transcript.turns
    turns = session.turns()
    assert [turn.text for turn in turns] == [f"answer {number}" for number in range(TURNS)]
    assert {turn.status for turn in turns} == {"completed"}
    assert not session.load_earlier()
    assert len(session.messages()) == 2 * TURNS


def test_old_turns_are_unloaded_and_reloaded_on_demand(ai: oc.Opencode, opencode_program: Path, project: Path) -> None:
    session = ai.session(id=long_session(ai, opencode_program, project, 3 * MOST_TURNS))
    transcript, held = session._async.transcript, session.turns()[0]
    reading = True
    stop = session._async.keep_while(lambda: reading)
    assert session.prompt("Say exactly: while somebody reads the first turns").status == "completed"
    assert len(transcript.turns) == 3 * MOST_TURNS + 1
    reading = False
    let_go = threading.Event()
    session.subscribe(lambda change: let_go.set() if change.kind == "earlier" else None)
    assert session.prompt("Say exactly: nobody reads them now").status == "completed"
    assert let_go.wait(10)
    stop()
    gc.collect()
    states = [one for one in gc.get_objects() if isinstance(one, TurnState) and one.session_id == session.id]
    assert KEPT_TURNS <= len(transcript.turns) < MOST_TURNS
    assert len(states) == len(transcript.turns) + 1  # the one that is held
    assert held.text == "answer 0"
    assert len(session.turns()) == 3 * MOST_TURNS + 2
    assert session.turns()[0].text == held.text


def test_what_the_server_does_not_keep_survives_unloading_a_turn() -> None:
    """It could not be read again: who decided what, what the kernel showed, and what was sent from it."""
    transcript = replay(events_of("permission_always"))
    asked = next(iter(transcript.turns))
    decisions = transcript.turns[asked].decisions
    assert decisions
    call = next(part["callID"] for part in transcript.turns[asked].parts if part.get("callID"))
    shown = {call: [{"kind": "stdout", "text": "hello"}]}
    sent = [{"about": "df", "level": "schema", "tokens": 412}]
    transcript.apply({"type": "client.shown", "properties": {"callID": call, "blocks": shown[call]}})
    transcript.apply({"type": "client.sent", "properties": {"messageID": asked, "entries": sent}})
    prompt = {"id": "msg_next", "role": "user", "sessionID": transcript.id, "time": {"created": time.time() * 1000}}
    transcript.apply({"type": "message.updated", "properties": {"info": prompt}})
    let_go = {"sessionID": transcript.id, "messageID": "msg_next", "cursor": "more"}
    transcript.apply({"type": "client.let_go", "properties": let_go})
    assert asked not in transcript.turns
    [messages] = [stored["messages"] for stored in stored_of("permission_always").values()]
    event = {"sessionID": transcript.id, "messages": messages, "cursor": ""}
    transcript.apply({"type": "client.earlier", "properties": event})
    loaded_again = transcript.turns[asked]
    assert (loaded_again.decisions, loaded_again.shown, loaded_again.sent) == (decisions, shown, sent)


@pytest.mark.parametrize("why", ["a turn runs", "a turn is undone"])
def test_running_and_undone_turns_are_not_unloaded(why: str) -> None:
    [(session_id, stored)] = stored_of("two_turns").items()
    transcript = loaded(session_id, stored["messages"])
    first, second = transcript.turns.values()
    if why == "a turn runs":
        first.status = "running"
    else:
        info = {**stored["info"], "revert": {"messageID": second.id}}
        transcript.apply({"type": "session.updated", "properties": {"info": info}})
    let_go = {"sessionID": session_id, "messageID": second.id, "cursor": "more"}
    assert not transcript.apply({"type": "client.let_go", "properties": let_go})
    assert list(transcript.turns) == [first.id, second.id]
    assert not transcript.has_earlier


@pytest.mark.parametrize("name", [name for name in NAMES if name != "structured"])  # the server can't list that one
def test_a_history_loaded_in_two_pages_folds_to_the_same_turns(name: str) -> None:
    for session_id, stored in stored_of(name).items():
        messages = stored["messages"]
        whole = loaded(session_id, messages)
        cuts = [at for at, message in enumerate(messages) if at and message["info"]["role"] == "user"]
        for cut in cuts:  # pages begin with a prompt
            parts = loaded(session_id, messages[cut:], cursor="more")
            event = {"sessionID": session_id, "messages": messages[:cut], "cursor": ""}
            for _again in range(2):
                parts.apply({"type": "client.earlier", "properties": event})
                assert shape(parts) == shape(whole), cut
                assert not parts.has_earlier
                first, known = messages[cut]["info"]["id"], len(parts.turns)
                let_go = {"sessionID": session_id, "messageID": first, "cursor": "more"}
                parts.apply({"type": "client.let_go", "properties": let_go})
                assert parts.has_earlier == (len(parts.turns) < known)
                assert parts.turn_of(first) is next(iter(parts.turns.values()))


def loaded(session_id: str, messages: list[dict[str, Any]], cursor: str = "") -> Transcript:
    transcript = Transcript(session_id)
    event = {"sessionID": session_id, "messages": messages, "cursor": cursor}
    transcript.apply({"type": "client.loaded", "properties": event})
    return transcript


def shape(transcript: Transcript) -> list[tuple[str, str, list[str], list[str]]]:
    return [
        (turn.id, turn.status, list(turn.steps), [part["id"] for part in turn.parts])
        for turn in transcript.turns.values()
    ]


def test_reconnecting_fetches_missed_turns(ai: oc.Opencode, server: Server, project: Path) -> None:
    session = ai.session()
    session.prompt("hello")
    assert ai.connection.state == "connected"
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as other:
        same = other.session(id=session.id)
        lose_stream(ai)
        lost = ai.connection
        assert (lost.state, lost.error, lost.failures) == ("lost", "gone", 1)
        said = [same.prompt(f"Say exactly: {n}").id for n in range(3)]
        ai.reconnect()
        assert ai.connection.state == "connected"
        assert [turn.id for turn in session.turns()][1:] == said
        lose_stream(ai)
        assert session.prompt("Say exactly: it comes back by itself").status == "completed"


def lose_stream(ai: oc.Opencode) -> None:
    """End the event stream as a connection that could not be made again does."""
    from opencode_nb.portal import run

    async def lose() -> None:
        feed = ai._async.feed
        await feed._end_tasks()
        feed._lost(oc.APIConnectionError("gone"))

    run(lose)
