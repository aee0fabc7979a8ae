"""A turn is what it is, on the real server: its prompt, its end, its place, and what can't be one."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import opencode_nb as oc
from opencode_nb.api.client import Client
from opencode_nb.demo import DemoModel, error, gate, text
from opencode_nb.server import Server
from opencode_nb.session.turns import run
from tests.support.proxy import Proxy

BEFORE_THE_WRAP = 1786600000000
"""2026-08-13 in ms: the day before the clock's part of the ids began at zero again."""
LOW_48_BITS = (1 << 48) - 1


@pytest.fixture
def ai(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        yield ai


def test_a_no_reply_prompt_is_a_completed_turn(ai: oc.Opencode) -> None:
    turn = ai.session().prompt("Remember this.", no_reply=True)
    assert (turn.prompt, turn.status) == ("Remember this.", "completed")


@pytest.mark.parametrize("given", [b"text", None, 3, {"text": "a"}])
def test_a_prompt_that_is_not_a_string_raises_type_error(ai: oc.Opencode, given: Any) -> None:
    session = ai.session()
    for send in (session.prompt, session.shell, session.queue.add, ai.ask):
        with pytest.raises(TypeError, match="str"):
            send(given)
    with pytest.raises(TypeError, match="str"):
        session.command("init", given)
    assert not session.turns()


def test_a_malformed_session_id_raises_without_retrying(
    ai: oc.Opencode, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "opencode_nb")
    for ask in (client.session.get, client.session.todo, lambda name: ai.session(id=name)):
        with pytest.raises(oc.NotFoundError, match="start with 'ses'") as caught:
            ask("invalid-id")
        assert not caught.value.retryable
    assert "again in" not in caplog.text


@pytest.mark.parametrize("next_is", ["prompt", "command"])
@pytest.mark.parametrize("how", ["fails", "is stopped"])
def test_a_prompt_sent_as_a_turn_ends_is_answered_once(
    ai: oc.Opencode, demo_model: DemoModel, how: str, next_is: str
) -> None:
    """A turn that fails is idle before it ends, and what comes between the two is stored, not started."""
    session = ai.session()
    end_a_turn(session, demo_model, how)
    demo_model.queue([text("Seen.")])
    if next_is == "prompt":
        turn = session.prompt("Look at this.", files=["README.md"], system="Be brief.")
        sent = json.dumps(demo_model.requests[-1]["messages"])
        assert [sent.count(words) for words in ("Look at this.", "# Temperatures", "Be brief.")] == [1, 1, 1]
    else:
        turn = session.command("init")
    assert (turn.status, turn.text) == ("completed", "Seen.")
    assert [kept.status for kept in session.turns()][1:] == ["completed"]


def end_a_turn(session: oc.Session, demo_model: DemoModel, how: str) -> None:
    """Run a turn, and return at the moment that it is over."""
    ended, begun = threading.Event(), threading.Event()
    happens = {"ended": ended, "delta": begun}
    unsubscribe = session.subscribe(lambda change: happens.get(change.kind, threading.Event()).set())
    demo_model.queue([error(401, "No key.")] if how == "fails" else [[text("Working"), gate("stopped")]])
    session.prompt("Do it.", wait=False)
    if how == "is stopped":
        assert begun.wait(60)
        session.abort()
        demo_model.release("stopped")
    assert ended.wait(60)
    unsubscribe()


def test_a_prompt_that_cannot_be_started_raises(
    server: Server, project: Path, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has stored the prompt and cannot be told to start it: the network is held."""
    monkeypatch.setattr(run, "PASSED_BY_TIMEOUT", 0.5)
    proxy = Proxy(urlsplit(server.url).port or 0)
    url = f"http://127.0.0.1:{proxy.port}"
    with closing(proxy), oc.Opencode(base_url=url, password=server.password, directory=project) as ai:
        session, turn = stored_only(ai, demo_model)
        proxy.hold()
        with pytest.raises(oc.TurnError, match="has the prompt but did not start it"):
            turn.wait(30)
        proxy.mend()
        assert session.prompt("Say exactly: on").text == "on"


def stored_only(ai: oc.Opencode, demo_model: DemoModel) -> tuple[oc.Session, oc.Turn]:
    """Return a session with a turn that the server has stored and not started; it takes luck, and so several tries."""
    for _ in range(10):
        session = ai.session()
        end_a_turn(session, demo_model, "fails")
        turn = session.prompt("Say exactly: late", wait=False)
        time.sleep(run.PASSED_BY_AFTER / 2)  # then it is asked whether it was passed by
        transcript = session._async.transcript
        state = transcript.turns[turn.id]
        if state.prompt and not (state.steps or transcript.busy):
            return session, turn
        turn.wait(60)
    raise AssertionError("the server started every prompt at once")


def test_a_command_behind_another_clients_prompt_is_never_done_yet_running(
    ai: oc.Opencode, server: Server, project: Path
) -> None:
    session = ai.session()
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as other:
        same = other.session(id=session.id)
        for _ in range(3):
            theirs = same.prompt("Say exactly: theirs", wait=False)
            turn = session.command("init", wait=False)
            states: list[tuple[bool, str]] = []
            unsubscribe = session.subscribe(
                lambda change, turn=turn, states=states: states.append((turn.done, turn.status))  # type: ignore[misc]
            )
            assert turn.wait(60).text
            theirs.wait(60)
            unsubscribe()
            assert (True, "running") not in states


@pytest.mark.parametrize("method", ["prompt", "command"])
def test_an_unknown_option_raises_before_anything_is_sent(ai: oc.Opencode, method: str) -> None:
    session = ai.session()
    with pytest.raises(TypeError, match=r"'modle'.*model, agent"):
        getattr(session, method)("init", modle="demo/demo")
    assert session.messages() == []


def test_server_and_client_raise_before_start() -> None:
    ai = oc.Opencode()
    for name in ("server", "client"):
        with pytest.raises(oc.OpencodeError, match=r"start\(\)"):
            getattr(ai, name)
    assert not ai.started


def test_server_raises_when_the_client_joined_a_running_one(ai: oc.Opencode) -> None:
    with pytest.raises(oc.OpencodeError, match="joined"):
        _ = ai.server


def test_a_session_with_ids_from_before_the_wrap_still_works(
    ai: oc.Opencode, opencode_program: Path, project: Path
) -> None:
    began = ai.session()
    began.prompt("Say exactly: one")
    began.prompt("Say exactly: two")
    session = ai.session(id=older(began.export("json"), opencode_program, project))
    assert [turn.text for turn in session.turns()] == ["one", "two"]
    assert session.prompt("Say exactly: three").text == "three"
    session.shell("echo hi")
    assert session.compact().status == "completed"
    assert session.prompt("Say exactly: four").text == "four"
    session.revert()
    assert [turn.text for turn in session.turns()] == ["one", "two", "three", "", ""]
    session.unrevert()
    exported = session.export("md")
    places = [exported.index(f"Say exactly: {said}") for said in ("one", "two", "three", "four")]
    assert places == sorted(places)


def test_a_prompt_ignored_after_the_clock_was_set_back_raises(
    ai: oc.Opencode, opencode_program: Path, project: Path
) -> None:
    """The server answers the message that it created last: here one from ten minutes ahead."""
    began = ai.session()
    began.prompt("Say exactly: one")
    exported = json.loads(began.export("json"))
    for message in exported["messages"]:
        message["info"]["time"] = {name: time + 600_000 for name, time in message["info"]["time"].items()}
    text = json.dumps(exported)
    for item in (exported["info"], *(i for m in exported["messages"] for i in (m["info"], *m["parts"]))):
        text = text.replace(item["id"], item["id"][:-4] + "Zzzz")
    session = ai.session(id=imported(json.loads(text), opencode_program, project))
    with pytest.raises(oc.TurnError, match="clock was set back"):
        session.prompt("Say exactly: two").wait(30)
    assert [turn.text for turn in session.turns()] == ["", "one"]


def imported(session: dict[str, Any], program: Path, project: Path) -> str:
    """The id of a session that was exported, read in by the program's own command."""
    session["info"]["slug"] = session["info"]["id"][-8:].lower()
    file = project / "imported.json"
    file.write_text(json.dumps(session))
    subprocess.run([program, "import", file], cwd=project, env=os.environ, check=True, capture_output=True, timeout=120)
    return str(session["info"]["id"])


def older(exported: str, program: Path, project: Path) -> str:
    """The id of the same session, begun on the day before the wrap."""
    session = json.loads(exported)
    back = session["info"]["time"]["created"] - BEFORE_THE_WRAP
    known = [item["id"] for message in session["messages"] for item in (message["info"], *message["parts"])]
    text = json.dumps(session)
    for name in known:
        ticks = (int(name[4:16], 16) - back * 4096) & LOW_48_BITS
        text = text.replace(name, f"{name[:4]}{ticks:012x}{name[16:]}")
    session_id = "ses_" + "0" * 12 + "BeforeTheWrapX"
    session = json.loads(text.replace(session["info"]["id"], session_id))
    for message in session["messages"]:
        message["info"]["time"] = {name: time - back for name, time in message["info"]["time"].items()}
    return imported(session, program, project)
