"""What a turn can hold, in a real JupyterLab's panel: each item of it found by role and name, and worked with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from opencode_nb.demo import DemoModel, error, gate, text, tool
from opencode_nb.demo.content import QUESTIONS
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import TURN_TIMEOUT, ChatView
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook
from tests.render.turns import PDF
from tests.support.browser import press_answer

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TODOS = [
    {"content": "Look around", "status": "completed", "priority": "high"},
    {"content": "Change the file", "status": "in_progress", "priority": "high"},
]
FILES = f"""
import base64, pathlib
for name, data in (("dot.png", {PIXEL!r}), ("page.pdf", {PDF.partition(",")[2]!r})):
    pathlib.Path(name).write_bytes(base64.b64decode(data))
rain = {{"Oslo": 763, "Bergen": 2495}}
"""
EDIT = {"filePath": "README.md", "oldString": "Reads measurements", "newString": "Reads all measurements"}


@pytest.fixture
def opened(open_notebook: OpenNotebook, lab: Lab, request: pytest.FixtureRequest) -> tuple[Notebook, ChatView]:
    """A notebook with a panel in its first cell, one that makes files and a variable, and a prompt on its session."""
    work: Path = make_project(lab.root / re.sub(r"\W+", "-", request.node.name))
    notebook = open_notebook(["%load_ext opencode_nb\n%opencode chat", FILES, "%%prompt\ngo"], directory=work)
    notebook.run(0)
    notebook.run(1)
    view = ChatView(notebook.page)
    view.appears()
    return notebook, view


def card(view: ChatView, name: str) -> Locator:
    """The card of the last call of a tool."""
    return view.log.locator(f'[data-part="tool"][data-tool="{name}"]').last


def allow(view: ChatView) -> None:
    press_answer(view.button("Allow once"))


def test_a_turn_shows_every_kind_of_agent_activity(opened: tuple[Notebook, ChatView], demo_model: DemoModel) -> None:
    notebook, view = opened
    child = tool("read", filePath="/etc/hosts")
    demo_model.queue(
        [tool("todowrite", todos=TODOS)],
        [tool("read", filePath="dot.png"), tool("read", filePath="page.pdf"), tool("glob", pattern="*.md")],
        [tool("task", description="Look deeper", prompt="Look.", subagent_type="general")],
        [child],
        [text("The child is done.")],
        [tool("edit", **EDIT)],
        [tool("question", questions=QUESTIONS)],
        [tool("bash", command="exit 3", description="Fail")],
        [error(429, "Too many at once", retry_after=5)],
        [text("All done.")],
    )
    view.send("Look at @rain")
    expect(view.root.locator('[data-part="todos"]').last).to_contain_text("1 of 2 done", timeout=TURN_TIMEOUT)
    asked = view.root.get_by_role("group", name="Permission needed")
    expect(asked).to_contain_text("/etc")
    asked.get_by_text("Deny with a reason\u2026", exact=True).click()
    view.root.get_by_role("textbox", name="Reason").fill("Not now.")
    view.button("Deny with reason").click()
    expect(card(view, "task")).to_contain_text("The child is done.", timeout=TURN_TIMEOUT)
    expect(card(view, "task")).to_contain_text("general agent")
    explored = view.log.locator('[data-part="group"]').first
    expect(explored.locator("> summary")).to_contain_text("2 reads, 1 search")
    explored.locator("> summary").click()
    reads = explored.locator('[data-tool="read"]')
    expect(explored.get_by_role("img")).to_be_hidden()  # in its folded card
    reads.first.locator("> summary").click()
    expect(explored.get_by_role("img")).to_be_visible()
    reads.last.locator("> summary").click()
    expect(reads.last).to_contain_text("application/pdf")
    view.button("Split").last.click()
    expect(view.root.locator(".oc-pair").first).to_be_visible()
    allow(view)
    expect(card(view, "edit").get_by_role("button", name="Split", pressed=True)).to_be_visible(timeout=TURN_TIMEOUT)
    card(view, "edit").get_by_role("button", name="Unified").click()
    expect(view.root.locator(".oc-pair")).to_have_count(0)
    view.root.get_by_label("CSV").check(timeout=TURN_TIMEOUT)
    view.button("Answer").click()
    allow(view)
    expect(card(view, "bash")).to_have_attribute("open", "", timeout=TURN_TIMEOUT)
    expect(card(view, "bash")).to_contain_text("exit 3")
    expect(view.log.get_by_role("status")).to_contain_text(
        re.compile(r"Too many at once.*in \d+ s"), timeout=TURN_TIMEOUT
    )
    view.says("All done.")
    view.rests()
    expect(view.log.locator("footer")).to_contain_text("demo")
    shown = view.log.locator('[data-variable="rain"]')
    shown.locator("summary").click()
    expect(shown).to_contain_text("'Bergen': 2495")
    assert "'Bergen': 2495" in json.dumps(demo_model.requests[0])
    assert notebook.console == []


def test_a_cell_drives_the_session_of_an_open_panel(opened: tuple[Notebook, ChatView], demo_model: DemoModel) -> None:
    """What waits is sent when the cell's turn has ended; what steers at once; a summary stands as its own turn."""
    notebook, view = opened
    view.send("Say exactly: of the panel")
    view.says("of the panel")
    view.rests()
    demo_model.queue([text("From the cell, "), gate("cell"), tool("glob", pattern="*")], [text("as you say.")])
    demo_model.queue([text("What waited.")])
    notebook.start(2)
    view.says("From the cell,")
    view.send("this waits")
    waiting = view.root.get_by_role("list", name="Queued messages")
    expect(waiting).to_contain_text("this waits")
    view.message.fill("this steers")
    view.message.press("Control+Enter")
    view.says("this steers")
    demo_model.release("cell")
    view.says("as you say.")
    view.says("What waited.")
    view.rests()
    notebook.wait(2)
    demo_model.queue([text("## Goal\n\nA summary.")])
    view.choose("Compact")
    view.says("The conversation was compacted.")
    view.says("A summary.")
    view.rests()
    view.message.focus()
    notebook.page.keyboard.press("ArrowUp")
    expect(view.message).to_have_value("this waits")
    assert notebook.console == []


def test_commands_of_the_terminal_ui_act_and_escape_stops(
    opened: tuple[Notebook, ChatView], demo_model: DemoModel
) -> None:
    notebook, view = opened
    keys = notebook.page.keyboard
    for words in ("first", "second"):
        demo_model.queue([text(f"{words} answer")])
        view.send(words)
        view.says(f"{words} answer")
        view.rests()
    view.send("/udno")
    expect(view.root.get_by_role("alert")).to_contain_text("Unknown command /udno. Did you mean /undo?")
    expect(view.message).to_have_value("/udno")
    view.message.fill("")
    keys.type("/und")
    options = view.root.get_by_role("listbox", name="Suggestions").get_by_role("option")
    expect(options).to_have_text(["/undoUndo the last message and its changes to files"])
    keys.press("Enter")
    expect(view.message).to_have_value("second")
    expect(view.log).not_to_contain_text("second answer")
    view.send("/redo")
    view.says("second answer")
    view.send("/models")
    expect(view.root.get_by_role("listbox", name="Model list").get_by_role("option").first).to_be_visible()
    keys.press("Escape")
    expect(view.message).to_be_focused()
    demo_model.queue([text("half an answer"), gate("escape")])
    view.send("third")
    view.says("half an answer")
    keys.press("Escape")
    view.rests()
    demo_model.release("escape")
    expect(view.message).to_be_focused()
    notebook.write(2, "%%prompt\n/undo")
    assert notebook.run(2).startswith("Undone: third")
    expect(view.log).not_to_contain_text("half an answer")
    view.send("/new")
    expect(view.root).to_contain_text("What shall we work on?")
    assert notebook.console == []
