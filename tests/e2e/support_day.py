"""A day in the chat panel, the same on every page: what a person does there, by role and name, and what comes of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from opencode_nb.demo import DemoModel, gate, reason, text, tool
from opencode_nb.demo.content import QUESTIONS
from tests.e2e.support_chat import TURN_TIMEOUT, ChatView
from tests.support.browser import press_answer

TODOS = [
    {"content": "Look around", "status": "completed", "priority": "high"},
    {"content": "Change the file", "status": "in_progress", "priority": "high"},
]
EDIT = {"filePath": "README.md", "oldString": "Reads measurements", "newString": "Reads all measurements"}
FORMATS = {"Markdown": ".md", "HTML": ".html", "notebook": ".ipynb", "JSON": ".json"}


def bash(command: str) -> list[object]:
    """The step of a script that runs a command."""
    return [tool("bash", command=command, description="Say it")]


def spend_a_day(view: ChatView, model: DemoModel, project: Path) -> None:
    """Choose who answers, stop, decide, answer, queue, take back, branch off and export. `project`: where it works."""
    choose_who_answers(view, model)
    stop(view, model)
    decide(view, model)
    answer(view, model)
    queue(view, model)
    take_back(view, model, project / "README.md")
    export(view)
    branch_off(view)


def choose_who_answers(view: ChatView, model: DemoModel) -> None:
    """Another model with more effort and another agent, for the next message; then the first ones again."""
    field = view.root.get_by_role("combobox", name="Model")
    agent = view.root.get_by_role("combobox", name="Agent")
    offered = view.root.get_by_role("listbox", name="Model list").get_by_role("option")
    usual = field.input_value()
    field.click()
    offered.filter(has_text="apply_patch").click()
    expect(field).not_to_have_value(usual)
    effort = view.root.get_by_role("combobox", name="Effort")
    for choice, value in ((effort, "high"), (agent, "plan")):
        choice.select_option(value)
        expect(choice).to_have_value(value)
    model.queue([reason("Hm."), text("A plan.")])
    view.send("Plan it")
    view.says("A plan.")
    view.rests()
    assert model.requests[-1]["reasoning_effort"] == "high"
    bill = re.compile(r"plan\s*demo/demo-gpt-5\s*[\d.]+ s\s*[\d.]+k tokens in, \d+ out\s*\$0\.\d+")
    expect(view.log.get_by_role("article").last).to_contain_text(bill)
    expect(view.log.get_by_text(re.compile("^Thought"))).to_be_visible()
    expect(view.log.get_by_text("Hm.")).to_be_hidden()
    agent.select_option("build")
    field.click()
    offered.filter(has_not_text="apply_patch").click()
    expect(field).to_have_value(usual)
    expect(
        view.root.get_by_role("button", name=re.compile(r"^Context: [\d,.]+ of [\d,.]+ tokens \(\d+%\)"))
    ).to_be_visible()


def stop(view: ChatView, model: DemoModel) -> None:
    """The partial answer is kept."""
    model.queue([text("Begun, "), gate("stopped"), text("never ended.")])
    view.send("Go on and on")
    view.says("Begun,")
    view.button("Stop").click()
    view.says("Stopped.")
    view.rests()
    expect(view.log).to_contain_text("Begun,")
    model.release("stopped")


def decide(view: ChatView, model: DemoModel) -> None:
    """No ends the turn; always covers the second time."""
    model.queue(bash("echo denied"))
    view.send("Say it")
    view.button("Deny").click(timeout=TURN_TIMEOUT)
    view.rests()
    expect(view.button("Deny")).to_have_count(0)
    model.queue(bash("echo twice"), bash("echo twice"), [text("Said it twice.")])
    view.send("Say it twice")
    asked = view.root.get_by_role("group", name="Permission needed")
    expect(asked).to_contain_text("Allow always: echo", timeout=TURN_TIMEOUT)
    press_answer(asked.get_by_role("button", name="Allow always", exact=True))
    view.says("Said it twice.")
    view.rests()


def answer(view: ChatView, model: DemoModel) -> None:
    """One of several, several of several with words of one's own; todos with their progress meanwhile."""
    model.queue([tool("todowrite", todos=TODOS)], [tool("question", questions=QUESTIONS)], [text("So be it.")])
    view.send("Ask me")
    view.root.get_by_label("CSV").check(timeout=TURN_TIMEOUT)
    for label in ("time", "comment"):
        view.root.get_by_role("checkbox", name=re.compile(f"^{label}")).check()
    view.root.get_by_role("textbox", name="Type your own answer").last.fill("and its unit")
    progress = view.root.get_by_role("progressbar", name="Todos done")
    expect(progress).to_have_js_property("value", 1)
    expect(progress).to_have_js_property("max", len(TODOS))
    view.button("Answer").click()
    view.says("So be it.")
    view.rests()
    told = str([message["content"] for message in model.requests[-1]["messages"] if message["role"] == "tool"][-1])
    for words in ('"CSV"', "time", "comment", "and its unit"):
        assert words in told, told
    assert "Parquet" not in told


def queue(view: ChatView, model: DemoModel) -> None:
    """What waits is changed or taken out before its turn comes."""
    model.queue([text("Working, "), gate("queued"), text("done.")], [text("The better one was done.")])
    view.send("Work")
    view.says("Working,")
    waiting = view.root.get_by_role("list", name="Queued messages").get_by_role("listitem")
    for number, words in enumerate(("this waits", "this is not wanted"), 1):
        view.send(words)
        expect(waiting).to_have_count(number)
    waiting.last.get_by_role("button", name="Remove from queue").click()
    expect(waiting).to_have_count(1)
    waiting.get_by_role("button", name="Edit").click()
    field = view.root.get_by_role("textbox", name="Queued message")
    field.fill("this waits, but better")
    field.press("Enter")
    expect(waiting).to_contain_text("but better")
    model.release("queued")
    view.says("The better one was done.")
    view.rests()
    expect(waiting).to_have_count(0)
    expect(view.log).to_contain_text("this waits, but better")
    expect(view.log).not_to_contain_text("not wanted")


def take_back(view: ChatView, model: DemoModel, readme: Path) -> None:
    """The message and the change that came of it, and both again."""
    model.queue([tool("edit", **EDIT)], [text("It is changed.")])
    view.send("Change the readme")
    press_answer(view.button("Allow once"))
    view.says("It is changed.")
    view.rests()
    assert EDIT["newString"] in readme.read_text("utf-8")
    view.button("Undo").click()
    expect(view.button("Redo")).to_be_visible(timeout=TURN_TIMEOUT)
    expect(view.log).not_to_contain_text("It is changed.")
    assert EDIT["oldString"] in readme.read_text("utf-8")
    view.button("Redo").click()
    view.says("It is changed.")
    expect(view.button("Redo")).to_have_count(0)
    assert EDIT["newString"] in readme.read_text("utf-8")


def export(view: ChatView) -> None:
    """The conversation as a file, of each kind."""
    for name, ending in FORMATS.items():
        with view.page.expect_download() as download:
            view.choose(f"Export as {name}")
        assert download.value.suggested_filename.endswith(ending)
        content = download.value.path().read_text("utf-8")
        assert "The better one was done." in content
        if ending in (".ipynb", ".json"):
            json.loads(content)


def branch_off(view: ChatView) -> None:
    """A session of its own up to a message: what came later is not in it."""
    view.log.get_by_role("button", name="Fork from here").nth(1).click()
    session = view.root.get_by_role("combobox", name="Session")
    expect(session).to_have_value(re.compile("fork", re.IGNORECASE), timeout=TURN_TIMEOUT)
    expect(view.log).to_contain_text("A plan.")
    expect(view.log).not_to_contain_text("The better one was done.")
