"""Messages that wait for their session, against the real server; only the model is scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, gate, text, tool
from opencode_nb.server import Server

LIMIT = 60.0
"""Seconds that anything here may take at most."""


@pytest.fixture
def session(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Session]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        yield ai.session()


def until(session: oc.Session, condition: Callable[[], bool]) -> None:
    """Wait until what changes in the session or its queue makes the condition true."""
    changed = threading.Condition()

    def notify(*_change: object) -> None:
        with changed:
            changed.notify_all()

    ends = [session.subscribe(notify), session.queue.subscribe(notify)]
    with changed:
        assert changed.wait_for(condition, LIMIT), (session.queue, session.busy, session.owner.connection)
    for end in ends:
        end()


def busy(session: oc.Session, demo_model: DemoModel, name: str, *more: object) -> oc.Turn:
    """A turn that runs until the gate of this name is released."""
    demo_model.queue([[text("Working."), gate(name), *more]])  # type: ignore[list-item]  # any actions
    turn = session.prompt("go", wait=False)
    until(session, lambda: turn.text == "Working.")
    return turn


def texts(session: oc.Session) -> list[str]:
    return [item.text for item in session.queue.items]


def test_queued_messages_are_sent_one_at_a_time_in_order(session: oc.Session, demo_model: DemoModel) -> None:
    turn = busy(session, demo_model, "queue-order")
    queue = session.queue
    first, second, third = (queue.add(f"Say exactly: {n}") for n in ("one", "two", "three"))
    seen: list[list[str]] = []
    unsubscribe = queue.subscribe(lambda: seen.append(texts(session)))
    queue.edit(second.id, "Say exactly: zwei")
    queue.remove(third.id)
    assert texts(session) == ["Say exactly: one", "Say exactly: zwei"]
    with pytest.raises(FileNotFoundError):
        queue.add("look", files=["no-such-file"])
    demo_model.release("queue-order")
    until(session, lambda: not queue.items and not session.busy)
    assert [kept.text for kept in session.turns()] == ["Working.", "one", "zwei"]
    assert turn.status == "completed"
    assert seen[-1] == []
    unsubscribe()
    with pytest.raises(oc.OpencodeError, match="no longer queued"):
        queue.edit(first.id, "too late")


def test_a_message_queued_while_idle_is_sent_immediately(session: oc.Session, project: Path) -> None:
    session.queue.add("Say exactly: now", files=["README.md"])
    until(session, lambda: any(turn.status == "completed" for turn in session._async.turns()))
    (turn,) = session.turns()
    assert turn.text == "now"
    assert [part["type"] for part in turn.messages[0].parts.values()].count("file") == 1


def test_send_now_steers_the_running_turn(session: oc.Session, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Working."), gate("queue-steer"), tool("glob", pattern="*")], [text("As you say.")]])
    turn = session.prompt("go", wait=False)
    until(session, lambda: turn.text == "Working.")
    later = session.queue.add("Say exactly: later")
    now = session.queue.add("rather do this")
    steered = session.queue.send_now(now.id)
    assert texts(session) == [later.text]
    demo_model.release("queue-steer")
    assert steered.wait(LIMIT).text == "As you say."
    until(session, lambda: not session.queue.items and not session.busy)
    assert [kept.text for kept in session.turns()] == ["Working.", "As you say.", "later"]


def test_aborting_a_turn_pauses_the_queue(session: oc.Session, demo_model: DemoModel) -> None:
    turn = busy(session, demo_model, "queue-stop")
    session.queue.add("Say exactly: on we go")
    session.abort()
    demo_model.release("queue-stop")
    with pytest.raises(oc.AbortedError):
        turn.wait(LIMIT)
    assert "was stopped" in session.queue.paused
    assert "paused" in repr(session.queue)
    assert session.prompt("Say exactly: in between").text == "in between"
    assert texts(session) == ["Say exactly: on we go"]
    session.queue.resume()
    until(session, lambda: not session.queue.items and not session.busy)
    assert session.turns()[-1].text == "on we go"
    assert session.queue.paused == ""


def test_a_failed_turn_pauses_the_queue(session: oc.Session, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Working."), gate("queue-fail"), tool("glob", pattern="*")], [error(400, "No.")]])
    turn = session.prompt("go", wait=False)
    until(session, lambda: turn.text == "Working.")
    session.queue.add("Say exactly: never said")
    demo_model.release("queue-fail")
    with pytest.raises(oc.TurnError):
        turn.wait(LIMIT)
    assert "failed" in session.queue.paused
    session.queue.clear()
    assert (session.queue.items, session.queue.paused) == ((), "")


def test_a_message_that_cannot_be_sent_stays_queued(session: oc.Session, demo_model: DemoModel) -> None:
    item = session.queue.add("hello", model="demo/none")
    until(session, lambda: bool(session.queue.paused))
    assert "no model demo/none" in session.queue.paused
    assert session.queue.items == (item,)
    with pytest.raises(oc.OpencodeError, match="no model demo/none"):
        session.queue.send_now(item.id)
    assert session.queue.items == (item,)
    session.queue.clear()


def test_queued_messages_survive_a_server_restart(opencode_program: Path, demo_model: DemoModel, project: Path) -> None:
    with oc.Opencode(config=demo_model.config(), directory=project, shared=False) as ai:
        session = ai.session()
        turn = busy(session, demo_model, "queue-server")
        session.queue.add("Say exactly: still here")
        assert ai.server is not None
        psutil.Process(ai.server.pid).kill()
        demo_model.release("queue-server")
        with pytest.raises(oc.TurnError):
            turn.wait(LIMIT)
        assert "failed" in session.queue.paused
        session.queue.resume()
        until(session, lambda: not session.queue.items and not session.busy)
        assert [kept.text for kept in session.turns()] == ["Working.", "still here"]


def test_holding_a_message_also_holds_the_ones_behind_it(
    session: oc.Session, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = busy(session, demo_model, "queue-hold")
    queue = session.queue
    first, second, third = (queue.add(f"Say exactly: {n}") for n in ("one", "two", "three"))
    queue.hold(first.id)
    demo_model.release("queue-hold")
    turn.wait(LIMIT)
    assert session.prompt("Say exactly: in between").text == "in between"  # another turn's end sends it as little
    assert texts(session) == ["Say exactly: one", "Say exactly: two", "Say exactly: three"]
    with pytest.raises(oc.OpencodeError, match="message is empty"):
        queue.edit(first.id, " \n")
    queue.hold(second.id)
    queue.edit(first.id, "Say exactly: eins")
    until(session, lambda: session.turns()[-1].text == "eins" and not session.busy)
    assert texts(session) == ["Say exactly: two", "Say exactly: three"]
    monkeypatch.setattr("opencode_nb.session.queue.HOLD", 0.1)
    queue.hold(third.id)
    queue.hold(second.id)  # a last word, and then nobody is there any more
    until(session, lambda: not queue.items and not session.busy)
    assert [kept.text for kept in session.turns()] == ["Working.", "in between", "eins", "two", "three"]


def test_releasing_or_removing_a_held_message_lets_the_queue_continue(
    session: oc.Session, demo_model: DemoModel
) -> None:
    turn = busy(session, demo_model, "queue-release")
    queue = session.queue
    first, second, _third = (queue.add(f"Say exactly: {n}") for n in ("one", "two", "three"))
    queue.hold(first.id)
    queue.hold(second.id)
    demo_model.release("queue-release")
    turn.wait(LIMIT)
    queue.release(first.id)
    until(session, lambda: session.turns()[-1].text == "one" and not session.busy)
    assert texts(session) == ["Say exactly: two", "Say exactly: three"]
    queue.remove(second.id)
    until(session, lambda: not queue.items and not session.busy)
    assert [kept.text for kept in session.turns()] == ["Working.", "one", "three"]
    with pytest.raises(oc.OpencodeError, match="no longer queued"):
        queue.hold(second.id)
