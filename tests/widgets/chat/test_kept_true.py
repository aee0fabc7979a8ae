"""What ChatPanel shows stays true: with another panel on its session, and where the server can't be asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, text
from opencode_nb.server import Server
from tests.support.proxy import Proxy
from tests.widgets.panel import Panel
from tests.widgets.wire import Wire


@pytest.fixture
def other(shown: Panel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Panel]:
    """Another panel on the same session."""
    wire = Wire()
    monkeypatch.setattr("comm.create_comm", wire.make)
    panel = Panel(oc.chat(shown.panel.session), wire)
    yield panel
    panel.panel.close()
    wire.unplug()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    proxy = Proxy(urlsplit(server.url).port or 0)
    yield proxy
    proxy.close()


# --- two panels on one session ----------------------------------------------------------------------------------------


def test_agent_effort_and_model_picked_in_one_panel_show_in_the_other(shown: Panel, other: Panel) -> None:
    shown.done("pick", agent="plan", variant="high")
    for one in (shown, other):
        one.wait(lambda state: (state["agent"], state["variant"]) == ("plan", "high"))
    other.done("pick", model="demo/demo")
    for one in (shown, other):
        one.wait(lambda state: (state["model"], state["variant"]) == ("demo/demo", ""))


def test_picking_an_agent_shows_the_agents_own_model(
    server: Server, tmp_path: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = {"careful": {"mode": "primary", "model": "demo/careful", "prompt": "Be careful."}}
    (tmp_path / "opencode.json").write_text(json.dumps({"agent": agents}))
    with oc.Opencode(base_url=server.url, password=server.password, directory=tmp_path) as ai:
        session = ai.session()
        one = Panel(oc.chat(session), wire)
        wire_of_two = Wire()
        monkeypatch.setattr("comm.create_comm", wire_of_two.make)
        two = Panel(oc.chat(session), wire_of_two)
        assert one.state["model"] == "demo/demo"
        one.done("pick", agent="careful")
        for panel in (one, two):
            panel.wait(lambda state: state["model"] == "demo/careful")
            panel.panel.close()
        wire_of_two.unplug()


def test_a_session_deleted_in_one_panel_shows_as_deleted_in_the_other(
    shown: Panel, other: Panel, demo_model: DemoModel
) -> None:
    demo_model.queue([text("partial"), gate("chat-deleted")])
    turn = shown.panel.send("go")
    other.says("partial")
    deleted = other.panel.session.id
    assert not other.state["deleted"]
    shown.done("delete", session=deleted)
    other.wait(lambda state: state["deleted"] and not state["busy"])
    demo_model.release("chat-deleted")
    assert turn.status in ("aborted", "error")
    assert (shown.state["deleted"], shown.state["session"]["id"] == deleted) == (False, False)
    assert other.state["session"]["id"] == deleted
    other.done("new")
    other.wait(lambda state: not state["deleted"] and state["session"]["id"] != deleted)


def test_the_panel_opens_the_next_session_only_after_the_delete(shown: Panel, other: Panel) -> None:
    """Else the list of sessions still offers it; and it never stands there as deleted."""
    deleted = shown.panel.session.id
    seen: list[tuple[bool, bool]] = []

    def note(change: dict[str, Any]) -> None:
        if change["new"]["session"]["id"] != deleted:
            seen.append((other.panel.session._async.transcript.deleted, change["new"]["deleted"]))

    shown.panel.widget.observe(note, "state")
    shown.done("delete", session=deleted)
    assert set(seen) == {(True, False)}


def test_opening_a_deleted_session_fails_and_keeps_the_current_one(shown: Panel) -> None:
    before = shown.panel.session.id
    answer = shown.do("open", session="ses_" + "d" * 26)
    assert (answer["kind"], shown.panel.session.id) == ("failed", before)
    assert answer["message"] == "This session no longer exists: it was deleted elsewhere. Open another one."


def test_a_session_deleted_by_another_client_shows_as_deleted(shown: Panel, server: Server, project: Path) -> None:
    with oc.Client(server.url, password=server.password, directory=str(project)) as client:
        client.session.delete(shown.panel.session.id)
    shown.wait(lambda state: state["deleted"])


# --- a server that can't be asked -------------------------------------------------------------------------------------


def test_a_session_deleted_while_offline_shows_as_deleted_on_reconnect(
    proxy: Proxy, server: Server, project: Path, wire: Wire, demo_model: DemoModel
) -> None:
    with oc.Opencode(base_url=f"http://127.0.0.1:{proxy.port}", password=server.password, directory=project) as ai:
        shown = Panel(oc.chat(ai.session()), wire)
        proxy.cut()
        shown.wait(lambda state: state["connection"]["state"] != "connected")
        with oc.Client(server.url, password=server.password, directory=str(project)) as client:
            client.session.delete(shown.panel.session.id)
        proxy.mend()
        shown.done("reconnect")
        shown.wait(lambda state: state["deleted"] and state["connection"]["state"] == "connected")
        shown.panel.close()


def test_the_bar_shows_the_opened_session_before_the_server_answers(
    proxy: Proxy, server: Server, project: Path, wire: Wire, demo_model: DemoModel
) -> None:
    with oc.Opencode(base_url=f"http://127.0.0.1:{proxy.port}", password=server.password, directory=project) as ai:
        first = ai.session()
        demo_model.queue([text("Of the first.")])
        first.prompt("go")
        shown = Panel(oc.chat(ai.session()), wire)
        proxy.hold()
        shown.wire.send({"kind": "open", "id": "page-open", "session": first.id})
        shown.says("Of the first.")
        shown.wait(lambda state: state["session"]["id"] == first.id)
        proxy.mend()
        shown.panel.close()


# --- what a page is told ----------------------------------------------------------------------------------------------


def test_a_page_request_is_acknowledged_before_it_is_done(shown: Panel, demo_model: DemoModel) -> None:
    demo_model.queue([text("An answer.")])
    shown.panel.send("go").wait()
    demo_model.queue([gate("chat-compact"), text("A summary.")])
    shown.wire.send({"kind": "compact", "id": "page-slow"})
    shown.wire.send({"kind": "ask", "what": "models", "n": 77})
    shown.wire.wait(lambda: {"kind": "received", "id": "page-slow"} in shown.wire.messages)
    shown.wire.wait(lambda: {"kind": "received", "id": 77} in shown.wire.messages)
    assert shown.wire.kinds("done") == []
    demo_model.release("chat-compact")
    shown.wire.wait(lambda: {"kind": "done", "id": "page-slow"} in shown.wire.messages)


def test_the_state_holds_the_outcome_of_the_last_turn(shown: Panel, demo_model: DemoModel) -> None:
    assert shown.state["outcome"] == ""
    demo_model.queue([text("partial"), gate("chat-outcome")])
    shown.panel.send("go")
    shown.says("partial")
    shown.done("stop")
    shown.wait(lambda state: (state["busy"], state["outcome"]) == (False, "aborted"))
    demo_model.release("chat-outcome")
    demo_model.queue([text("Done.")])
    shown.panel.send("again")
    shown.wait(lambda state: (state["busy"], state["outcome"]) == (False, "completed"))


def test_share_fails_with_a_reason_when_sharing_is_disabled(shown: Panel) -> None:
    assert not shown.state["can_share"]
    assert "Sharing is disabled in OpenCode's configuration" in shown.do("share")["message"]


def test_unsharing_an_unshared_session_succeeds(shown: Panel) -> None:
    answer = shown.do("unshare")
    assert answer["kind"] == "done", answer
    assert not shown.state["session"]["shared_url"]
