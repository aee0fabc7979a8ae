"""Slash commands of ours in a %%prompt cell, in a real shell with a real server."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.magics.workspace import workspace_of
from tests.magics.conftest import RunCell


@pytest.fixture(autouse=True)
def session(run_cell: RunCell) -> str:
    """Start a new current session; return its id."""
    return run_cell("%opencode new Rain").printed.split()[2]


def current(shell: InteractiveShell) -> str:
    session = workspace_of(shell).session
    return session.id if session else ""


def test_messages_are_undone_and_redone_one_by_one(run_cell: RunCell, work: Path) -> None:
    file = work / "src/temperatures.py"
    before = file.read_text()
    run_cell("%%prompt --permission allow\nEdit src/temperatures.py")
    after = file.read_text()
    assert "src/temperatures.py" in run_cell("%%prompt\n/diff").printed
    run_cell("%%prompt\nSay exactly: second")
    assert run_cell("%%prompt\n/undo").printed.startswith("Undone: Say exactly: second\n")
    assert file.read_text() == after
    assert run_cell("%%prompt\n/undo").printed == "Undone: Edit src/temperatures.py\nRestored: src/temperatures.py\n"
    assert file.read_text() == before
    assert run_cell("%%prompt\n/redo").printed == "Restored. 1 message is still undone.\n"
    assert file.read_text() == after
    assert run_cell("%%prompt\n/redo").printed == "Restored everything that was undone.\n"
    assert "There is nothing to redo" in run_cell("%%prompt\n/redo").printed
    run_cell("%%prompt\n/undo")
    run_cell("%%prompt\n/undo")
    assert file.read_text() == before


def test_sessions_are_started_named_forked_and_switched(
    run_cell: RunCell, shell: InteractiveShell, session: str
) -> None:
    run_cell("%%prompt\nSay exactly: hello")
    assert run_cell("%%prompt\n/rename Rain and wind").printed == "Session: Rain and wind\n"
    assert run_cell("%%prompt\n/fork").printed.startswith("Session: Rain and wind (fork #1). The original stays")
    assert current(shell) != session
    assert run_cell("%%prompt\n/clear").printed == "New session.\n"
    listed = run_cell("%%prompt\n/sessions").printed
    assert f"* {current(shell)}" in listed
    assert session in listed
    assert run_cell(f"%%prompt\n/resume {session}").printed == "Session: Rain and wind\n"
    assert current(shell) == session
    assert "No session matches" in run_cell("%%prompt\n/sessions no such").printed
    assert current(shell) == session


def test_a_picked_model_and_agent_apply_to_later_prompts(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    assert "demo/demo" in run_cell("%%prompt\n/models").printed
    assert run_cell("%%prompt\n/model demo").printed == "Model: demo/demo, from the next message on.\n"
    assert "There is no model no/such." in run_cell("%%prompt\n/models no/such").printed
    assert "* build" in run_cell("%%prompt\n/agents").printed
    assert run_cell("%%prompt\n/agent pla").printed == "Agent: plan, from the next message on.\n"
    run_cell("%%prompt\n/new")
    picked = workspace_of(shell).session
    assert picked is not None
    assert (picked.model, picked.agent) == ("demo/demo", "plan")
    picked.effort, picked.budget = "high", oc.Budget(max_steps=9)
    told = run_cell("%%prompt\n/status").printed
    for line in (
        "Agent:      plan",
        "Effort:     high",
        "Permission: ask (edits, shell commands and code ask you first)",
        "Budget:     0 of 9 model steps",
    ):
        assert line in told
    picked.effort = picked.budget = None


def test_a_session_is_summarized_shown_and_saved(run_cell: RunCell, work: Path) -> None:
    assert "nothing to compact" in run_cell("%%prompt\n/compact").printed
    run_cell("%%prompt\nSay exactly: hello")
    assert run_cell("%%prompt\n/export").printed == "Written: Rain.md\n"
    assert run_cell("%%prompt\n/export md").printed == "Written: Rain-2.md\n"
    assert "hello" in (work / "Rain-2.md").read_text()
    assert "There is no format pdf. Available formats: md, html" in run_cell("%%prompt\n/export pdf").printed
    assert run_cell("%%prompt\n/summarize").printed.startswith("Compacted the context from ")


def test_share_fails_with_a_reason_when_sharing_is_disabled(run_cell: RunCell) -> None:
    assert "Sharing is disabled" in run_cell("%%prompt\n/share").printed
    assert run_cell("%%prompt\n/unshare").printed == "The session was not shared.\n"


def test_help_lists_ours_and_the_servers(run_cell: RunCell) -> None:
    printed = run_cell("%%prompt\n/help").printed
    assert "/undo" in printed
    assert "/init" in printed
    assert run_cell("%opencode commands").printed == printed


def test_an_unknown_command_is_not_sent_but_a_path_is(run_cell: RunCell, demo_model: DemoModel) -> None:
    assert "Unknown command /udno. Did you mean /undo?" in run_cell("%%prompt\n/udno").printed
    assert "/themes is not needed here: the colours" in run_cell("%%prompt\n/themes").printed
    assert "/undo does not take --model: remove it." in run_cell("%%prompt -m demo/demo\n/undo").printed
    assert demo_model.requests == []
    for prose in ("/tmp is full", "/etc/hosts says so", " /undo is a command"):
        assert run_cell(f"%%prompt -o answer\n{prose}").error is None
        assert prose in str(demo_model.requests[-1])


def test_a_command_without_a_session_leaves_no_empty_one(
    run_cell: RunCell, shell: InteractiveShell, session: str
) -> None:
    workspace = workspace_of(shell)
    workspace.session = None
    assert "There is nothing to undo" in run_cell("%%prompt\n/undo").printed
    made = current(shell)
    assert made
    run_cell("%opencode start")
    assert made not in run_cell("%opencode sessions").printed
