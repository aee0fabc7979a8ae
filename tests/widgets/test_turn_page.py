"""A turn as a person has it before them: the real widget's page in a real browser, with a real session behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import comm
import pytest
from playwright.sync_api import Locator, Page, expect

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, gate, reason, text, tool
from opencode_nb.server import Server
from opencode_nb.session.turn import Turn
from opencode_nb.widgets.turn import TurnView
from tests.widgets.bridge import Bridge

TODOS = [
    {"content": "Look around", "status": "completed", "priority": "high"},
    {"content": "Change the file", "status": "in_progress", "priority": "high"},
    {"content": "Run the tests", "status": "pending", "priority": "high"},
]
QUESTIONS = [
    {"question": "Which format?", "header": "Format", "options": [{"label": "CSV", "description": "plain"}]},
    {
        "question": "Which columns?",
        "header": "Columns",
        "multiple": True,
        "options": [{"label": name, "description": name} for name in ("time", "value", "unit")],
    },
]
EDIT = {"filePath": "README.md", "oldString": "Reads measurements", "newString": "Reads all measurements"}
STEPS = "echo one; until [ -e go-1 ]; do sleep 0.05; done; echo two; until [ -e go-2 ]; do sleep 0.05; done; echo three"


class Shown:
    """A view in its page, and the session behind it. `log` is without what a screen reader is told."""

    def __init__(self, root: Locator, log: Locator, session: oc.Session, prompt: Callable[[], Turn]) -> None:
        self.root, self.log, self.session, self.prompt = root, log, session, prompt

    def card(self, name: str | re.Pattern[str]) -> Locator:
        return self.root.get_by_role("group", name=name)

    def click(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def session(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Session]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        yield ai.session()


@pytest.fixture
def plug(page: Page, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Bridge]:
    """Connect the next widget that is made to the page, which runs this module."""
    return lambda module: Bridge(page, module, lambda make: monkeypatch.setattr(comm, "create_comm", make))


@pytest.fixture
def turn(session: oc.Session, plug: Callable[[str], Bridge]) -> Iterator[Shown]:
    """The view of one turn, as a cell has it."""
    bridge = plug("turn/turn.js")
    view = TurnView(session, None)

    def prompt() -> Turn:
        turn = session.prompt("go", person=view.person, wait=False)
        view.attach(turn)
        return turn

    root = bridge.render()
    yield Shown(root, root, session, prompt)
    view.close()


@pytest.fixture
def chat(session: oc.Session, plug: Callable[[str], Bridge]) -> Iterator[Shown]:
    """A chat panel."""
    bridge = plug("chat/chat.js")
    panel = oc.chat(session)
    bridge.render()
    root = bridge.page.locator(".opencode-nb[data-view=chat]")
    yield Shown(root, root.get_by_role("log"), session, lambda: panel.send("go"))
    panel.close()


def turn_to(shown: Shown, name: str) -> None:
    """Go to the request that has this button."""
    button = shown.root.get_by_role("button", name=name, exact=True)
    if not button.is_visible():
        shown.click("Next request")
    expect(button).to_be_visible()


def mark(*nodes: Locator) -> None:
    """Leave a mark on these very nodes, which one that is made anew does not have."""
    for node in nodes:
        node.evaluate("node => { node.marked = true }")


def expect_marked(*nodes: Locator) -> None:
    for node in nodes:
        expect(node).to_have_js_property("marked", True)


# --- what comes -------------------------------------------------------------------------------------------------------


def test_finished_blocks_are_not_redrawn_while_the_answer_grows(turn: Shown, demo_model: DemoModel) -> None:
    first = "# Title\n\nFirst *words*.\n\n- one\n- two\n\n```python\nx = 1\n```\n\nLast "
    demo_model.queue([[text(first), gate("more"), text("goes on.\n\nAnother "), gate("end"), text("ends.\n\nEnd.")]])
    turn.prompt()
    expect(turn.log.get_by_text("Last")).to_be_visible()
    heading, words = turn.root.get_by_role("heading", name="Title"), turn.log.get_by_text("First words.")
    items, code = turn.root.get_by_role("listitem"), turn.root.get_by_role("code")
    blocks = (heading, words, items.first, items.last, code)
    mark(*blocks)
    demo_model.release("more")
    expect(turn.log.get_by_text("Another")).to_be_visible()
    expect_marked(*blocks)
    last = turn.log.get_by_text("Last goes on.")
    mark(last)
    demo_model.release("end")
    expect(turn.root.locator("footer")).to_be_visible()
    expect(turn.log.get_by_text("Another ends.")).to_be_visible()
    expect_marked(*blocks, last)


def test_finished_reasoning_folds_and_shows_its_duration(turn: Shown, demo_model: DemoModel) -> None:
    thought = reason(["Let me ", "think ", "first."], pace=0.1)
    demo_model.queue([[thought, gate("thought"), text("Said."), gate("said")]])
    turn.prompt()
    thinking = turn.card("Thinking")
    expect(thinking).to_have_attribute("open", "")
    expect(thinking.get_by_text("Let me think first.")).to_be_visible()
    demo_model.release("thought")
    expect(turn.card(re.compile(r"^Thought for \d"))).not_to_have_attribute("open", "")
    expect(turn.log.get_by_text(re.compile(r"^Thought for \d+\.\d s$"))).to_be_visible()
    expect(turn.log.get_by_text("Let me think first.")).to_be_hidden()
    demo_model.release("said")
    expect(turn.root.locator("footer")).to_be_visible()


def test_shell_output_streams_into_its_card_with_a_timer(turn: Shown, demo_model: DemoModel, project: Path) -> None:
    demo_model.queue([[tool("bash", command=STEPS, description="Count")], [text("Done.")]])
    turn.prompt()
    expect(turn.card("Shell: Count, waiting for you").get_by_role("timer")).to_have_count(0)
    turn.click("Allow once")
    running = turn.card("Shell: Count, running")
    output = running.locator("pre").last
    expect(output).to_have_text("one\n")
    expect(running.get_by_role("timer")).to_have_text(re.compile(r"^\d+ s$"))
    mark(running)
    (project / "go-1").touch()
    expect(output).to_have_text("one\ntwo\n")
    expect_marked(running)
    (project / "go-2").touch()
    done = turn.card("Shell: Count, done")
    expect(done.locator("summary")).to_have_text(re.compile(r"Count ✓\sYou allowed once \d+(\.\d)? s$"))
    expect(done.get_by_role("timer")).to_have_count(0)
    expect(turn.log.get_by_text("Done.")).to_be_visible()


def test_a_failed_tool_card_is_open_and_shows_the_error(turn: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[tool("edit", **{**EDIT, "oldString": "Not there"})], [text("Sorry.")]])
    turn.prompt()
    failed = turn.card("Edit: README.md, failed")
    expect(failed).to_have_attribute("open", "")
    expect(failed.get_by_text("oldString")).to_be_visible()
    expect(failed.locator("summary")).to_contain_text("failed")
    expect(turn.log.get_by_text("Sorry.")).to_be_visible()


def test_the_footer_shows_agent_model_time_tokens_and_cost(turn: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Done.")]])
    turn.prompt()
    bill = r"build demo/[\w.-]+ \d+(\.\d)? s [\d.]+k? tokens in, [\d.]+k? out.* \$\d\.\d{4}$"
    expect(turn.root.locator("footer")).to_have_text(re.compile(bill))


def test_the_footer_of_a_stopped_turn_says_interrupted(turn: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Partial "), gate("stop")]])
    turn.prompt()
    expect(turn.log.get_by_text("Partial")).to_be_visible()
    turn.click("Stop")
    expect(turn.root.locator("footer")).to_contain_text("interrupted")
    demo_model.release("stop")


def test_a_subagents_retry_counts_down_in_its_card(turn: Shown, demo_model: DemoModel) -> None:
    demo_model.queue(
        [tool("task", description="Look", prompt="Look.", subagent_type="general")],
        [error(429, "Too many at once", retry_after=5)],
        [text("The child is done.")],
        [text("All done.")],
    )
    turn.prompt()
    task = turn.card("general agent: Look, running")
    waiting = task.get_by_text(re.compile("attempt 1"))
    expect(waiting).to_contain_text("trying again in")
    expect(waiting.get_by_role("timer")).to_have_text(re.compile(r"^\d s$"))
    expect(turn.log.get_by_text("All done.")).to_be_visible()
    expect(turn.log.get_by_text("trying again")).to_have_count(0)


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_chosen_and_typed_answers_reach_the_server(turn: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[tool("question", questions=QUESTIONS)], [text("Thank you.")]])
    asked = turn.prompt()
    turn.root.get_by_label("CSV").check()
    own = turn.root.get_by_label("Type your own answer")
    own.first.fill("Parquet")
    turn.root.get_by_label("time").check()
    turn.root.get_by_label("unit").check()
    own.last.fill("and the place")
    turn.click("Answer")
    expect(turn.log.get_by_text("Thank you.")).to_be_visible()
    assert asked.tools[0].metadata["answers"] == [["Parquet"], ["time", "unit", "and the place"]]
    answered = turn.card("Question: 2 questions, done")
    expect(answered.get_by_text("You answered: Parquet")).to_be_visible()
    expect(answered.get_by_text("You answered: time, unit, and the place")).to_be_visible()


@pytest.mark.usefixtures("project")  # it changes a file
def test_switching_columns_keeps_half_filled_answers(chat: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([[tool("question", questions=QUESTIONS), tool("edit", **EDIT)], [text("Done.")]])
    chat.prompt()
    expect(chat.root.get_by_role("group", name="Open requests")).to_contain_text("1 of 2")
    turn_to(chat, "Answer")
    csv = chat.root.get_by_label("CSV")
    csv.check()
    own = chat.root.get_by_label("Type your own answer").last
    own.fill("half a sen")
    turn_to(chat, "Allow once")
    asked = chat.root.get_by_role("group", name="Permission needed")
    asked.get_by_text("Deny with a reason").click()
    asked.get_by_role("textbox", name="Reason").fill("because")
    told = chat.root.locator("[aria-live=assertive]")
    told.evaluate("node => { node.textContent = '' }")
    split = asked.get_by_role("button", name="Split")
    split.click()
    expect(split).to_have_attribute("aria-pressed", "true")
    expect(split).to_be_focused()
    assert csv.is_checked()
    assert own.input_value() == "half a sen"
    expect(asked.get_by_role("textbox", name="Reason")).to_have_value("because")
    expect(told).to_be_empty()
    turn_to(chat, "Answer")
    chat.click("Answer")
    chat.click("Allow once")
    expect(chat.log.get_by_text("Done.")).to_be_visible()


def test_deny_and_allow_always_reach_the_server(chat: Shown, demo_model: DemoModel, project: Path) -> None:
    calls = [tool("bash", command=f"touch {name}", description=f"Make {name}") for name in ("first", "second", "third")]
    demo_model.queue([calls[0]])
    denied = chat.prompt()
    chat.click("Deny")
    expect(chat.card("Shell: Make first, failed, You denied")).to_be_visible()
    denied.wait()
    assert [made.reply for made in denied.state.decisions] == ["reject"]
    demo_model.queue([calls[1]], [calls[2]], [text("Done.")])
    allowed = chat.prompt()
    asked = chat.root.get_by_role("group", name="Permission needed")
    expect(asked).to_contain_text("Allow always: touch * in this project, until OpenCode stops")
    chat.click("Allow always")
    expect(chat.card("Shell: Make third, done")).to_be_visible()
    allowed.wait()
    assert [made.reply for made in allowed.state.decisions] == ["always"]
    assert [(project / name).exists() for name in ("first", "second", "third")] == [False, True, True]


def test_todos_show_a_progress_bar(chat: Shown, demo_model: DemoModel) -> None:
    demo_model.queue([tool("todowrite", todos=TODOS)], [text("Working on it."), gate("todos")])
    working = chat.prompt()
    bar = chat.root.get_by_role("progressbar", name="Todos done")
    expect(bar).to_have_js_property("value", 1)
    expect(bar).to_have_js_property("max", 3)
    demo_model.release("todos")
    working.wait()
