"""The first run in a real JupyterLab, of somebody who has set up no provider."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.conftest import START_TIMEOUT, make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import OPEN, TURN_TIMEOUT, ChatView
from tests.e2e.support_lab import Lab

SERVER_STARTS = START_TIMEOUT * 1000
"""Milliseconds until a server of its own answers, on however busy a machine."""

NOTHING_SET_UP = "import os\nos.environ['OPENCODE_CONFIG_CONTENT'] = '{}'\n%load_ext opencode_nb\n"


def test_from_no_model_to_the_first_answer_in_panel_and_cell(open_notebook: OpenNotebook, lab: Lab) -> None:
    notebook = open_notebook(
        [NOTHING_SET_UP + OPEN, "%%prompt\nSay exactly: hello from the cell"],
        directory=make_project(lab.root / "first"),
    )
    notebook.run(0)
    view = ChatView(notebook.page)
    view.appears()
    offer = view.root.get_by_role("group", name="No model is set up yet.")
    expect(offer).to_be_visible(timeout=SERVER_STARTS)
    expect(view.root.get_by_role("combobox", name="Model")).to_have_value("No model yet")
    expect(offer.get_by_role("button", name="Use OpenCode’s free model", exact=True)).to_have_accessible_description(
        "Big Pickle: your prompts, and what the agent reads, are sent to OpenCode Zen, a public service at opencode.ai."
    )
    notebook.run(1)
    refused = notebook.output(1)
    for typed in ("No model is set up yet.", "%opencode start --demo", "%opencode start -m opencode/", "auth login"):
        expect(refused).to_contain_text(typed, timeout=TURN_TIMEOUT)
    offer.get_by_role("button", name="Try the demo", exact=True).press("Enter")
    expect(offer).to_be_hidden(timeout=SERVER_STARTS)
    view.send("Say exactly: hello from the panel")
    view.says("hello from the panel")
    view.rests()
    notebook.run(1)
    expect(notebook.output(1)).to_contain_text("Model: demo/demo (the scripted demo", timeout=TURN_TIMEOUT)
    expect(notebook.output(1)).to_contain_text("hello from the cell", timeout=TURN_TIMEOUT)
