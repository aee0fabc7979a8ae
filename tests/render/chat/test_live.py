"""A conversation on the page: its window, its docks, and that patching gives the same page as a snapshot."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from opencode_nb.render.chat.live import PAGE, WINDOW, LiveChat
from opencode_nb.transcript.transcript import Transcript
from tests.render.page_model import Node, Page
from tests.render.test_hostile import check_markup
from tests.render.turns import NAMES, events, transcript_of
from tests.support.seeds import seeds

HOSTILE = json.loads((Path(__file__).parents[1] / "fixtures/hostile.json").read_text("utf-8"))
SESSION = "ses_1"


class Shown:
    """A transcript with its page, patched like in a view."""

    def __init__(self, turns: int = 0) -> None:
        self.transcript = Transcript(SESSION)
        self.dirty: set[tuple[str, str]] = set()
        for number in range(turns):
            self.say(number)
        self.chat = LiveChat(self.transcript)
        self.page = Page(self.chat.snapshot())
        self.dirty.clear()

    def apply(self, kind: str, **properties: Any) -> None:
        event = {"type": kind, "properties": {"sessionID": SESSION, **properties}}
        self.dirty |= {(change.turn, change.key) for change in self.transcript.apply(event)}

    def message(self, number: int, text: str, role: str = "user") -> None:
        user = f"msg_{number:04}0"
        own = {"id": user} if role == "user" else {"id": f"msg_{number:04}1", "parentID": user}
        info = {**own, "sessionID": SESSION, "role": role, "time": {"created": number}}
        self.apply("message.updated", info=info)
        part = {"id": f"prt_{number:04}{role}", "type": "text", "messageID": own["id"], "text": text}
        self.apply("message.part.updated", part={**part, "sessionID": SESSION})

    def say(self, number: int) -> None:
        """Add a turn with a prompt and an answer."""
        self.message(number, f"question {number}")
        self.apply("session.status", status={"type": "busy"})
        self.message(number, f"answer {number}", "assistant")
        self.apply("session.status", status={"type": "idle"})

    def undo(self, number: int | None) -> None:
        revert = {} if number is None else {"revert": {"messageID": f"msg_{number:04}0"}}
        self.apply("session.updated", info={"id": SESSION, **revert})

    def update(self) -> None:
        """Patch the page, and check that it equals a new one."""
        self.page.apply(self.chat.update(self.dirty))
        self.dirty.clear()
        before = self.page.html()
        assert before == Page(self.chat.snapshot()).html()

    def move(self, name: str) -> None:
        getattr(self.chat, name)()
        self.dirty.add(("", "session"))
        self.update()

    @property
    def questions(self) -> list[int]:
        """Return the numbers of the turns on the page."""
        log = self.page.nodes["log"].children
        articles = [node for node in log if isinstance(node, Node) and node.tag == "article"]
        return [int(str(node.attrs["data-message"])[4:8]) for node in articles]

    def buttons(self, key: str) -> list[str]:
        return [str(node.attrs["data-intent"]) for node in self.page.nodes[key].walk() if "data-intent" in node.attrs]


def test_only_a_window_of_a_long_conversation_is_on_the_page() -> None:
    shown = Shown(100)
    assert shown.questions == list(range(90, 100))
    assert (shown.buttons("before"), shown.buttons("after")) == (["earlier"], [])
    seen = set(shown.questions)
    while shown.buttons("before"):
        shown.move("earlier")
        seen |= set(shown.questions)
        assert len(shown.questions) <= WINDOW
        assert len(shown.chat._turns) == len(shown.questions)
    assert seen == set(range(100))
    assert shown.questions[0] == 0
    assert not shown.chat.at_end
    while shown.buttons("after"):
        shown.move("later")
        assert len(shown.questions) <= WINDOW
    assert shown.questions[-1] == 99
    assert shown.chat.at_end


def test_a_prompt_whose_text_comes_separately_is_shown() -> None:
    shown = Shown(1)
    shown.apply("message.updated", info={"id": "msg_00020", "sessionID": SESSION, "role": "user", "time": {}})
    shown.update()
    part = {"id": "prt_0002", "type": "text", "messageID": "msg_00020", "sessionID": SESSION, "text": "this steers"}
    shown.apply("message.part.updated", part=part)
    shown.update()
    assert "this steers" in shown.page.html()


def test_new_turns_are_added_only_to_a_window_at_the_end() -> None:
    shown = Shown(50)
    for number in range(50, 80):
        shown.say(number)
        shown.update()
    assert shown.questions == list(range(80 - WINDOW, 80))
    shown.move("earlier")
    shown.say(80)
    shown.update()
    assert shown.questions[-1] < 79
    assert shown.buttons("after") == ["later"]
    shown.move("latest")
    assert shown.questions == list(range(81 - PAGE, 81))


def test_earlier_turns_from_the_server_are_added_only_on_request() -> None:
    shown = Shown()
    for number in range(50, 60):
        shown.say(number)
    shown.update()
    for number in range(20, 50):
        shown.say(number)
    shown.update()
    assert shown.questions == list(range(50, 60))
    shown.move("earlier")
    assert shown.questions == list(range(40, 60))


def test_undone_messages_move_from_the_log_to_their_dock() -> None:
    shown = Shown(12)
    shown.undo(10)
    shown.update()
    assert shown.questions == list(range(2, 10))
    assert shown.buttons("undone") == ["redo"] * 2  # all, and up to the first
    assert "2 messages undone" in shown.page.nodes["undone"].text
    assert "question 10" in shown.page.nodes["undone"].text
    shown.undo(None)
    shown.update()
    assert shown.questions[-2:] == [10, 11]
    assert shown.page.nodes["undone"].text == ""
    shown.undo(0)
    shown.update()
    assert shown.questions == []


def test_requests_are_below_the_log_and_keep_what_is_typed() -> None:
    shown = Shown(3)
    shown.message(3, "go")
    shown.apply("session.status", status={"type": "busy"})
    asked = {"permission": "bash", "patterns": ["ls"], "always": ["ls *"], "metadata": {"command": "ls -l"}}
    shown.apply("permission.asked", id="per_1", **asked)
    shown.apply("permission.asked", id="per_2", **asked)
    shown.update()
    cards = list(shown.page.nodes["requests"].children)
    assert len(cards) == 2
    assert "Allow always: ls * in this project, until OpenCode stops" in shown.page.nodes["requests"].text
    assert set(shown.buttons("log")) <= {"again"}
    shown.apply("permission.replied", requestID="per_1", reply="once")
    shown.update()
    assert shown.page.nodes["requests"].children == cards[1:]
    assert "Allowed once in another client: ls -l" in shown.page.nodes["log"].text


@pytest.mark.parametrize(("done", "busy", "text"), [(1, False, "1 of 3 done, now: third"), (3, True, "3 of 3 done")])
def test_todos_show_their_progress(done: int, busy: bool, text: str) -> None:
    shown = Shown(1)
    statuses = ["completed"] * done + ["pending", "in_progress"][: 3 - done]
    todos = [
        {"content": word, "status": status} for word, status in zip(("first", "second", "third"), statuses, strict=True)
    ]
    shown.message(1, "go")
    shown.apply("session.status", status={"type": "busy"})
    shown.apply("todo.updated", todos=todos)
    shown.apply("session.status", status={"type": "busy" if busy else "idle"})
    shown.update()
    assert text in shown.page.nodes["todos"].text
    shown.apply("session.status", status={"type": "idle"})
    shown.apply("todo.updated", todos=[{**todo, "status": "completed"} for todo in todos])
    shown.update()
    assert shown.page.nodes["todos"].text == ""


@pytest.mark.parametrize("seed", seeds(20))
def test_after_any_events_the_page_equals_a_snapshot(seed: int) -> None:
    chance = random.Random(seed)
    shown = Shown(chance.randrange(60))
    following = 1000

    def say() -> None:
        nonlocal following
        following += 1
        shown.say(following)

    def change() -> None:
        number = chance.choice(shown.questions or [0])
        shown.message(number, f"changed {chance.random()}", chance.choice(("user", "assistant")))

    def remove() -> None:
        number = chance.choice(shown.questions or [0])
        shown.apply("message.removed", messageID=f"msg_{number:04}0")

    def undo() -> None:
        shown.undo(chance.choice([*shown.questions, None]))

    moves = [partial(shown.move, name) for name in ("earlier", "later", "latest")]
    deeds = [say, change, remove, undo, *moves]
    for _ in range(60):
        chance.choice(deeds)()
        shown.update()


@pytest.mark.parametrize("name", NAMES)
def test_recorded_sessions_end_as_a_snapshot(name: str) -> None:
    log = events(name)
    transcript = transcript_of(log)
    chat = LiveChat(transcript)
    page = Page(chat.snapshot())
    for number, event in enumerate(log):
        changes = transcript.apply(event)
        if changes:
            page.apply(chat.update({(change.turn, change.key) for change in changes}))
        if number % 25 == 0 or number == len(log) - 1:
            page.apply(chat.update(None))
            assert page.html() == Page(chat.snapshot()).html()
    check_markup(chat.snapshot())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_in_the_docks_is_shown_as_text(name: str) -> None:
    text = HOSTILE[name]
    shown = Shown()
    shown.message(1, text)
    shown.apply("session.status", status={"type": "busy"})
    shown.apply("todo.updated", todos=[{"content": text, "status": "in_progress"}])
    asked = {"permission": text, "patterns": [text], "always": [text], "metadata": {"command": text}}
    shown.apply("permission.asked", id=text, **asked)
    shown.undo(1)
    shown.update()
    check_markup(shown.chat.snapshot())
