"""TurnView with a real session, over a real comm whose other end the test holds."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comm
import pytest
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets.widgets.widget import _instances
from traitlets.config import Config

import opencode_nb as oc
from opencode_nb.demo import DemoModel, gate, reason, text, tool
from opencode_nb.portal import run
from opencode_nb.render.turn.page import LiveTurn
from opencode_nb.server import Server
from opencode_nb.session.permissions.policy import Answer
from opencode_nb.session.turn import Turn
from opencode_nb.widgets import live
from opencode_nb.widgets.turn import TurnView
from tests.render.page_model import Page
from tests.render.turns import NAMES, replay
from tests.widgets.wire import TIMEOUT, Wire


class Person:
    """Somebody beside the page, who notes what is asked, and answers permissions when `free`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.free = asyncio.Event()
        self.free.set()

    async def permission(self, request: dict[str, Any]) -> Answer:
        self.asked.append(request["permission"])
        await self.free.wait()
        return Answer("once")

    async def question(self, request: dict[str, Any]) -> list[list[str]]:
        self.asked.append(request["questions"][0]["question"])
        return [["said elsewhere"] for _ in request["questions"]]


class Shown:
    """A session with a view, as a cell has them."""

    def __init__(self, session: oc.Session, wire: Wire, fallback: Person | None) -> None:
        self.session, self.wire = session, wire
        self.view = TurnView(session, fallback)
        self.turn: Turn | None = None

    def prompt(self, words: str = "go") -> Turn:
        self.turn = self.session.prompt(words, person=self.view.person, wait=False)
        self.view.attach(self.turn)
        return self.turn

    def end(self) -> None:
        """Wait until the turn has ended, well or not, and the page shows so."""
        assert self.turn is not None
        ended = threading.Event()
        self.turn.on_done(ended.set)
        assert ended.wait(TIMEOUT)
        state = self.turn.state
        self.wire.wait(lambda: self.wire.page.html() == Page(LiveTurn(state).snapshot()).html())


@pytest.fixture
def session(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Session]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        yield ai.session()


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def shown(session: oc.Session, wire: Wire, person: Person) -> Iterator[Shown]:
    shown = Shown(session, wire, person)
    yield shown
    if shown.turn is not None and not shown.turn.done:
        session.abort()
    shown.view.close()


@pytest.fixture
def alone(session: oc.Session, wire: Wire) -> Iterator[Shown]:
    """A view with nobody beside its page, as a cell in the background has it."""
    shown = Shown(session, wire, None)
    yield shown
    shown.view.close()


def ask_for_bash(model: DemoModel, command: str = "echo allowed") -> None:
    model.queue([[tool("bash", command=command, description="Say it")], [text("Done.")]])


def ask_a_question(model: DemoModel) -> None:
    option = {"label": "CSV", "description": "plain"}
    asked = {"question": "Which format?", "header": "Format", "options": [option]}
    model.queue([[tool("question", questions=[asked])], [text("Done.")]])


# --- projection -------------------------------------------------------------------------------------------------------


def test_the_page_shows_a_turn_while_it_streams_and_when_it_ends(shown: Shown, demo_model: DemoModel) -> None:
    first = [reason("Hm."), text("**First** words "), gate("shown"), tool("glob", pattern="*.md")]
    demo_model.queue([first, [text("The end.")]])
    turn = shown.prompt()
    shown.wire.wait_for_text("First words")
    assert not turn.done
    assert "<strong>First</strong>" in shown.wire.page.html()
    shown.wire.wait(lambda: "words" in shown.view.widget.saved.get("data", {}).get("text/plain", ""))
    demo_model.release("shown")
    shown.end()
    patches = shown.wire.kinds("patch")
    assert [patch["n"] for patch in patches] == list(range(1, len(patches) + 1))
    assert shown.wire.threads == {"MainThread", "opencode_nb"}


def test_deltas_are_batched_into_few_patches(shown: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([text([f"word {number} " for number in range(1000)])])
    started = time.monotonic()
    shown.prompt()
    shown.end()
    elapsed = time.monotonic() - started
    assert len(shown.wire.kinds("patch")) <= (elapsed + live.FLUSH_CREDIT) / live.FLUSH_INTERVAL + 1
    assert "word 999" in shown.wire.page.root.text


def test_a_page_that_missed_a_patch_gets_one_snapshot(shown: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[text("One "), gate("missed-1"), text("two "), gate("missed-2"), text("three.")]])
    shown.prompt()
    wire = shown.wire
    wire.wait_for_text("One")
    wire.send({"kind": "hello"})  # a page that is heard is not sent everything unasked
    wire.wait(lambda: wire.kinds("ping"))
    before = len(wire.states)
    wire.lose = 1
    demo_model.release("missed-1")
    wire.wait(lambda: wire.lose == 0)
    wire.send({"kind": "hello"})
    wire.wait(lambda: wire.kinds("ping")[-1]["n"] > wire.shown)
    wire.send({"kind": "snapshot"})
    wire.wait_for_text("two")
    assert len(wire.states) == before + 1
    demo_model.release("missed-2")
    shown.end()


def test_a_lost_snapshot_is_sent_again(shown: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[gate("again"), text("One")]])
    shown.prompt()
    wire = shown.wire
    wire.wait_for_text("Working")
    for _ in range(5):
        wire.send({"kind": "snapshot"})
    wire.wait(lambda: wire.states[-1] == wire.states[-2])
    demo_model.release("again")
    shown.end()


def test_a_page_that_cannot_reply_gets_snapshots_unasked(shown: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[text("One "), gate("unheard-1"), text("two "), gate("unheard-2")]])
    shown.prompt()
    wire = shown.wire
    wire.wait_for_text("One")
    wire.lose = 1
    demo_model.release("unheard-1")
    wire.wait_for_text("two")
    demo_model.release("unheard-2")
    shown.end()


@pytest.mark.parametrize("name", NAMES)
def test_a_full_update_leaves_the_page_equal_to_a_snapshot(name: str) -> None:
    """Views that are complete ignore snapshots: so there may be nothing in them that no patch brought."""
    lives: dict[str, tuple[LiveTurn, Page]] = {}
    for number, (turn, dirty) in enumerate(replay(name)):
        if turn.id not in lives:
            live = LiveTurn(turn)
            lives[turn.id] = live, Page(live.snapshot())
        live, page = lives[turn.id]
        page.apply(live.update(dirty))
        if number % 5 == 0:
            page.apply(live.update(None))
            assert Page(live.snapshot()).html() == page.html()


# --- being asked ------------------------------------------------------------------------------------------------------


def test_a_click_grants_a_permission_once(shown: Shown, person: Person, demo_model: DemoModel) -> None:
    ask_for_bash(demo_model)
    turn = shown.prompt()
    shown.wire.wait_for_text("Permission needed")
    request = next(iter(turn.state.permissions))
    for _ in range(2):  # handlers may run twice
        shown.wire.send({"kind": "permission", "id": request, "reply": "once"})
    shown.end()
    assert turn.tools[0].output.strip() == "allowed"
    assert [(made.reply, made.by) for made in turn.state.decisions] == [("once", "you")]
    assert person.asked == []


def test_a_question_can_be_answered_on_the_page(shown: Shown, person: Person, demo_model: DemoModel) -> None:
    ask_a_question(demo_model)
    turn = shown.prompt()
    shown.wire.wait_for_text("Which format?")
    request = next(iter(turn.state.questions))
    shown.wire.send({"kind": "question", "id": request, "answers": [["CSV"]]})
    shown.end()
    assert turn.tools[0].metadata["answers"] == [["CSV"]]
    assert person.asked == []


def test_a_question_can_be_dismissed_on_the_page(shown: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[tool("question", questions=[{"question": "Which?", "header": "Which", "options": []}])]])
    turn = shown.prompt()
    shown.wire.wait_for_text("Which?")
    shown.wire.send({"kind": "question", "id": next(iter(turn.state.questions)), "reply": "reject"})
    shown.end()
    assert [made.reply for made in turn.state.decisions] == ["reject"]


def test_requests_go_to_the_person_when_the_page_cannot_reply(
    shown: Shown, person: Person, demo_model: DemoModel
) -> None:
    shown.wire.hears = False
    ask_for_bash(demo_model)
    shown.prompt()
    shown.end()
    ask_a_question(demo_model)
    assert shown.session.prompt("go", person=shown.view.person).status == "completed"
    assert person.asked == ["bash", "Which format?"]


def test_a_request_waits_for_the_page_when_nobody_else_can_answer(alone: Shown, demo_model: DemoModel) -> None:
    alone.wire.hears = False
    demo_model.queue([[tool("bash", command="echo never", description="Say it")]])
    turn = alone.prompt()
    alone.wire.wait_for_text("Permission needed")
    alone.wire.send({"kind": "permission", "id": next(iter(turn.state.permissions)), "reply": "reject"})
    alone.end()
    assert turn.tools[0].status == "error"


def test_an_answer_from_another_client_removes_the_request(shown: Shown, person: Person, demo_model: DemoModel) -> None:
    ask_for_bash(demo_model)
    turn = shown.prompt()
    shown.wire.wait_for_text("Permission needed")
    request = next(iter(turn.state.permissions))
    shown.session.owner.client.permission.reply(request, reply="once")
    shown.end()
    assert "Permission needed" not in shown.wire.page.root.text
    assert turn.tools[0].output.strip() == "allowed"
    assert person.asked == []


# --- the end ----------------------------------------------------------------------------------------------------------


def test_stop_ends_the_turn(shown: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Partial "), gate("stop")]])
    turn = shown.prompt()
    shown.wire.wait_for_text("Partial")
    shown.wire.send({"kind": "stop"})
    shown.end()
    assert turn.status == "aborted"
    assert turn.text == "Partial "
    demo_model.release("stop")


@pytest.mark.parametrize(
    "content",
    [None, "stop", {}, {"kind": None}, {"kind": "permission", "id": "per_none", "reply": "once"}, {"kind": ["stop"]}],
)
def test_malformed_messages_from_the_page_are_ignored(
    session: oc.Session, wire: Wire, demo_model: DemoModel, content: Any
) -> None:
    shown = Shown(session, wire, None)
    turn = shown.prompt("hello")
    wire.send(content)
    shown.end()
    shown.view.close()
    assert turn.status == "completed"


def test_a_closed_view_leaves_no_comm_widget_or_messages(
    session: oc.Session, wire: Wire, demo_model: DemoModel
) -> None:
    comms, widgets = set(comm.get_comm_manager().comms), set(_instances)
    shown = Shown(session, wire, None)
    shown.prompt("hello")
    shown.end()
    shown.view.close()
    assert set(comm.get_comm_manager().comms) == comms
    assert set(_instances) == widgets
    sent = len(wire.messages)
    session.prompt("hello again")
    assert len(wire.messages) == sent


def test_in_a_cell_the_widget_closes_only_after_the_cell_ends(
    session: oc.Session, wire: Wire, demo_model: DemoModel
) -> None:
    """Until then it holds the place in which the cell's output comes."""
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shown = Shown(session, wire, None)
    shell.user_ns.update(view=shown.view)
    try:
        assert shell.run_cell("view.close(); view.widget.comm is not None").result is True
        assert shown.view.widget.comm is None
        shell.run_cell("1 / 1")
    finally:
        InteractiveShell.clear_instance()


def test_a_page_that_cannot_reply_shows_no_buttons(shown: Shown, person: Person, demo_model: DemoModel) -> None:
    shown.wire.hears = False
    person.free.clear()
    ask_for_bash(demo_model)
    shown.prompt()
    shown.wire.wait_for_text("Answer in the input box")
    assert "Allow once" not in shown.wire.page.root.text
    shown.wire.send({"kind": "hello"})  # a page that was loaded late is heard after all
    shown.wire.wait_for_text("Allow once")
    run(release, person)
    shown.end()


async def release(person: Person) -> None:
    person.free.set()


def test_a_late_stop_click_does_not_stop_the_next_turn(session: oc.Session, wire: Wire, demo_model: DemoModel) -> None:
    """On kernels that hear nothing while a cell runs, clicks arrive when it has ended."""
    shown = Shown(session, wire, None)
    shown.prompt("hello")
    shown.end()
    received = shown.view.widget._msg_callbacks
    shown.view.close()
    demo_model.queue([[text("Later "), gate("later")]])
    later = session.prompt("go", wait=False)
    received(shown.view.widget, {"kind": "stop"}, [])
    demo_model.release("later")
    assert later.wait(TIMEOUT).status == "completed"
