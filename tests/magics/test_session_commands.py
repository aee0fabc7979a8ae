"""%opencode commands for the whole session, and cells that start with / or !, in a real shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.demo import DemoModel, text, tool, usage
from opencode_nb.magics.typed.body import Body, parse
from opencode_nb.magics.workspace import workspace_of
from tests.magics.conftest import RunCell


@pytest.fixture(autouse=True)
def session(run_cell: RunCell) -> str:
    """Start a new current session; return its id."""
    return run_cell("%opencode new Days & nights").printed.split()[2]


@pytest.mark.parametrize(
    ("typed", "body"),
    [
        ("explain this", Body("prompt", "explain this")),
        ("/review main", Body("prompt", "/review main")),
        ("!ls -la\n", Body("shell", "ls -la")),
        (" !important", Body("prompt", " !important")),
    ],
)
def test_bodies_are_recognised(typed: str, body: Body) -> None:
    assert parse(typed) == body


def test_a_cell_runs_a_command(run_cell: RunCell, shell: InteractiveShell, work: Path) -> None:
    folder = work / ".opencode/command"
    folder.mkdir(parents=True)
    (folder / "greet.md").write_text("---\ndescription: Greets\n---\nSay exactly: hello $ARGUMENTS\n")
    run_cell("%opencode restart")
    assert "/greet " in run_cell("%opencode commands").printed
    run_cell("%%prompt -o answer\n/greet big world")
    assert shell.user_ns["answer"].text == "hello big world"
    failed = run_cell("%%prompt\n/great big world")
    assert "Did you mean /greet?" in failed.printed


def test_a_cell_runs_a_shell_command(run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel) -> None:
    assert "by hand" in run_cell("%%prompt -o answer\n!echo by hand").printed
    assert shell.user_ns["answer"].tools[0].output == "by hand\n"
    assert demo_model.requests == []
    assert "does not take --model" in run_cell("%%prompt -m demo/demo\n!echo no").printed


def test_session_commands_report_the_session(run_cell: RunCell, demo_model: DemoModel) -> None:
    run_cell("%opencode cost --delete")  # what earlier tests spent
    assert "Nothing has been sent" in run_cell("%opencode context").printed
    assert "No todos in this session." in run_cell("%opencode todo").printed
    todos = [{"content": "Look", "status": "completed", "priority": "high"}]
    demo_model.queue([[tool("todowrite", todos=todos)], [text("Done."), usage(50_000, 10)]])
    run_cell("%%prompt\ngo")
    assert run_cell("%opencode todo").printed == "✓ Look\n"
    assert run_cell("%opencode context").printed.startswith("Context: 50,010 of 200,000 tokens (25%) of demo/demo.")
    told = run_cell("%opencode cost --days 7").printed
    for part in ("This session: $0.", "Tokens: ", "Today: $0.", "Last 7 days: $0.", "By day\n", "  demo/demo  "):
        assert part in told
    assert "is not a whole number above 0" in run_cell("%opencode cost --days 0").printed
    assert "Deleted all costs in " in run_cell("%opencode cost --delete").printed
    assert "Today: $0.0000, 0 tokens" in run_cell("%opencode cost").printed
    assert "Compacted the context from 50,010 to" in run_cell("%opencode compact").printed


def test_a_session_is_renamed_forked_exported_and_deleted(run_cell: RunCell, work: Path, session: str) -> None:
    for number in range(2):
        run_cell(f"%%prompt\nSay exactly: {number}")
    assert run_cell("%opencode rename Nights only").printed == f"Session: {session} Nights only\n"
    assert "from 0 to 2" in run_cell("%opencode fork 3").printed
    fork = run_cell("%opencode fork 1").printed.split()[1]
    assert fork != session
    assert ", 1 turn\n" in run_cell(f"%opencode use {fork}").printed
    assert run_cell("%opencode export json").printed.startswith("Written: Nights-only-fork-1")
    assert json.loads(next(work.glob("Nights-only*.json")).read_text())["info"]["id"] == fork
    assert "already exists" in run_cell("%opencode export json").printed
    assert "Written" in run_cell("%opencode export json --force").printed
    assert "Written: out.md" in run_cell("%opencode export -o out.md").printed
    assert (work / "out.md").read_text().startswith("# Nights only")
    assert "Add --yes" in run_cell("%opencode delete").printed
    assert f"Deleted: {fork}" in run_cell("%opencode delete --yes").printed
    assert "There is no session yet" in run_cell("%opencode cost").printed
    assert fork not in run_cell("%opencode sessions").printed
    assert f"Deleted: {session}" in run_cell(f"%opencode delete {session} --yes").printed


def test_disabled_sharing_is_reported(run_cell: RunCell) -> None:
    assert "Sharing is disabled" in run_cell("%opencode share").printed
    assert run_cell("%opencode unshare").printed == "The session was not shared.\n"


def test_permission_shows_and_sets_what_is_asked(run_cell: RunCell, shell: InteractiveShell, work: Path) -> None:
    assert run_cell("%opencode permission").printed.startswith("Permission: ask (edits, shell commands and code ask")
    assert "Permission: edits (" in run_cell("%opencode permission edits").printed
    assert "(this session)" not in run_cell("%opencode permission").printed
    run_cell("%%prompt\nWrite a new file by-mode.md")
    assert (work / "by-mode.md").exists()
    assert "choose from 'ask', 'edits', 'plan'" in run_cell("%opencode permission edit").printed
    run_cell("""%opencode permission '{"bash": "deny"}'""")
    assert "{'bash': 'deny'}" in run_cell("%opencode permission").printed
    run_cell("%opencode permission ask")


def test_permission_lists_and_takes_back_what_was_allowed_always(run_cell: RunCell, shell: InteractiveShell) -> None:
    approvals = workspace_of(shell).ai.approvals
    for command in ("git status *", "ls *"):
        approvals.add({"permission": "bash", "always": [command]})
    assert "  1. bash: git status *\n  2. bash: ls *\n" in run_cell("%opencode permission").printed
    assert "a number from 1 to 2" in run_cell("%opencode permission --forget 3").printed
    assert approvals.given == [("bash", "git status *"), ("bash", "ls *")]
    run_cell("%opencode permission --forget 1")
    assert approvals.given == [("bash", "ls *")]
    assert "Allowed always" not in run_cell("%opencode permission --forget all").printed


def test_a_slash_command_shows_and_sets_the_mode_of_the_session(run_cell: RunCell, shell: InteractiveShell) -> None:
    assert "* ask    edits, shell commands and code ask you first" in run_cell("%%prompt\n/permissions").printed
    assert "Permission: edits" in run_cell("%%prompt\n/permission edits").printed
    session = workspace_of(shell).session
    assert session is not None
    assert session.permission == "edits"
    assert "(this session)" in run_cell("%opencode permission").printed
    session.permission = {"bash": "deny"}
    assert "* {'bash': 'deny'}" in run_cell("%%prompt\n/permissions").printed
    assert "There is no mode sometimes" in run_cell("%%prompt\n/permissions sometimes").printed


def test_the_mode_of_a_session_beats_the_one_that_the_agent_was_started_with(
    run_cell: RunCell, shell: InteractiveShell, work: Path
) -> None:
    run_cell("%opencode permission allow")
    run_cell("%%prompt\n/permissions deny")
    run_cell("%%prompt\nWrite a new file by-deny.md")
    assert not (work / "by-deny.md").exists()
    assert "Permission: ask" in run_cell("%opencode permission ask").printed
    assert workspace_of(shell).session.permission is None  # type: ignore[union-attr]


def test_a_map_asks_the_notebooks_own_agent_in_forks_of_its_session(run_cell: RunCell, session: str) -> None:
    run_cell("%%prompt\nSay exactly: remember this")
    mapped = run_cell(
        "import opencode_nb as oc\n"
        "found = oc.map(['Say exactly: one', 'Say exactly: two'], session='fork')\n"
        "[turn.text for turn in found], len(get_ipython().user_ns['found'][0].session.turns())"
    )
    assert mapped.value == (["one", "two"], 2)
    assert session in run_cell("%opencode sessions").printed
