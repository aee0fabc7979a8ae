"""Cells in a real shell on a real server: their output, their value, and their errors for bad input."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import opencode_nb as oc
from opencode_nb.demo import DemoModel, error, gate, text, usage
from opencode_nb.magics.workspace import PASSWORD
from tests.magics.conftest import RunCell

STEP = 30
"""Seconds for a background turn to continue after its release; usually it takes a tenth of one."""


@pytest.fixture(autouse=True)
def new_session(run_cell: RunCell) -> None:
    """Start each test in its own session."""
    run_cell("%opencode new")


def one_line(printed: str) -> str:
    """Return the error as shown: one line, no traceback."""
    lines = [line for line in printed.splitlines() if line.strip()]
    assert "Traceback" not in printed
    assert len(lines) == 1, printed
    return lines[0]


# --- what a prompt gives ----------------------------------------------------------------------------------------------


def test_the_turn_is_the_cells_value_and_is_shown_once(run_cell: RunCell, shell: InteractiveShell) -> None:
    cell = run_cell("%%prompt -o kept\nSay exactly: a rare word")
    assert cell.printed.count("a rare word") == 1
    number = shell.execution_count - 1
    turns = [shell.user_ns[name] for name in ("_", "kept", f"_{number}")]
    assert {turn.id for turn in turns} == {shell.user_ns["Out"][number].id}
    assert turns[0].text == "a rare word"
    run_cell("6 * 7")
    assert shell.user_ns["_"] == 42
    assert shell.user_ns["__"] is turns[0]


def test_a_quiet_prompt_prints_nothing_and_returns_the_turn(run_cell: RunCell, shell: InteractiveShell) -> None:
    assert run_cell("%%prompt -q\nSay exactly: quietly").printed == ""
    assert shell.user_ns["_"].text == "quietly"
    run_cell("'later'")
    assert shell.user_ns["_"] == "later"


@pytest.mark.parametrize(
    "body",
    [
        "def f(:\n    return {x} + $y `z` 100%",
        "Ünïcödé 日本語 🎉 \u200d \u2028",
        "{1 + 1} $HOME %magic !ls ?help",
        "What is this?",
        "    indented\n\n\n  and more",
        "# a comment\n#%% cell\n%%prompt in prompt",
        "'''\"\"\"\\n \\\\ \\",
    ],
)
def test_a_prompt_is_sent_as_written(run_cell: RunCell, demo_model: DemoModel, body: str) -> None:
    demo_model.queue([[text("Read.")]])
    assert run_cell(f"%%prompt -q -o asked\n{body}\n").error is None
    sent = [part["content"] for part in demo_model.requests[-1]["messages"] if part["role"] == "user"]
    assert json.dumps(body)[1:-1] in json.dumps(sent[-1])


def test_files_are_attached(run_cell: RunCell, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Read.")]])
    run_cell("%%prompt -q -f src/temperatures.py:4-5 -f data/measured.csv\nLook")
    sent = json.dumps(demo_model.requests[-1]["messages"])
    assert "def mean" in sent
    assert "def to_fahrenheit" not in sent
    assert "tuesday,19.0" in sent


def test_options_reach_the_server(run_cell: RunCell, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Planned.")]])
    turn = run_cell("%%prompt -m demo/demo-gpt-5 -a plan -q\ngo") and run_cell("_").value
    assert (turn.model, turn.agent) == ("demo/demo-gpt-5", "plan")


def test_a_session_chosen_by_title_stays_current(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%opencode new Winter report")
    run_cell("%%prompt -q\nSay exactly: one")
    winter = shell.user_ns["_"].session.id
    run_cell("%%prompt --new -q\nSay exactly: two")
    assert shell.user_ns["_"].session.id != winter
    run_cell("%%prompt -q -s winter\nSay exactly: three")
    assert shell.user_ns["_"].session.id == winter
    assert f"Session: {winter} Winter report" in run_cell("%opencode status").printed


def test_the_first_prompt_names_the_model(run_cell: RunCell) -> None:
    run_cell("%opencode start")
    assert run_cell("%%prompt\nSay exactly: hi").printed.startswith(
        "Model: demo/demo (from your OpenCode configuration): Scripted demo (not an AI)\n"
    )
    assert "Model:" not in run_cell("%%prompt\nSay exactly: hi").printed


# --- bad input --------------------------------------------------------------------------------------------------------


def model_and_session(run_cell: RunCell) -> list[str]:
    """Return the model and session from the status; memory and uptime vary."""
    lines = run_cell("%opencode status").printed.splitlines()
    return [line for line in lines if line.startswith(("Model: ", "Session: "))]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("%%prompt -m demo/none\nhi", "ModelError: There is no model demo/none here. Did you mean demo/demo"),
        ("%%prompt -m dmo/demo\nhi", "There is no model dmo/demo here. Did you mean demo/demo"),
        ("%%prompt -m none\nhi", "There is no model none here. Available models: demo/demo"),
        ("%prompt -m none hi", "There is no model none here. Available models: demo/demo"),
        ("%%prompt -a nobody\nhi", "There is no agent 'nobody' here. Available agents: build"),
        ("%%prompt -a plna hi", "There is no agent 'plna' here. Did you mean plan? Available agents: build"),
        ("%%prompt -f none.txt\nhi", "FileNotFoundError: No such file: none.txt"),
        ("%%prompt -f README.m\nhi", "No such file: README.m (looked in "),
        ("%%prompt -f README.m\nhi", "Did you mean README.md? Nothing was sent."),
        ("%%prompt\nLook at @src/temperaturs.py", "Did you mean @src/temperatures.py"),
        ("%prompt what is in @readme.md?", "No such file: @readme.md"),
        ("%%prompt --new look at @nosuch.py", "in backticks, it is sent as text. Nothing was sent."),
        ("%%prompt -s none\nhi", "No session matches 'none'. %opencode sessions lists them."),
        ("%%prompt --colour\nhi", "UsageError: %%prompt: unrecognized arguments: --colour."),
        ("%%prompt --modle demo/demo hi", "unrecognized arguments: --modle. Did you mean --model? %%prompt? lists"),
        ("%prompt --nwe hi", "UsageError: %prompt: unrecognized arguments: --nwe. Did you mean --new? %prompt? lists"),
        ("%%prompt", "UsageError: %%prompt: the prompt is empty. Write on this line or below it what the agent should"),
        ("%%prompt -q", "UsageError: %%prompt: the prompt is empty."),
        ("%%prompt\n  \n\n", "UsageError: %%prompt: the prompt is empty."),
        ("%prompt", "UsageError: %prompt: the prompt is empty. Write on this line what the agent should do."),
        ("%prompt -q", "UsageError: %prompt: the prompt is empty."),
        ("%opencode use none", "No session matches 'none'"),
        ("%opencode stat", "no such command. Did you mean status? Available commands: start, stop"),
        ("%opencode start --dmeo", "unrecognized arguments: --dmeo. Did you mean --demo?"),
        (
            "%opencode mend the bug",
            "no such command. To send it to the agent: `%prompt mend the bug`. Available commands:",
        ),
        ("%opencode prompt fix it?", "To send it to the agent: `%prompt fix it?`."),
        ("%opencode --demo", "Options come after a command: `%opencode start --demo`."),
        ("%opencode start -d no-such-directory", "directory no-such-directory does not exist"),
        ("%opencode start --permission maybe", "invalid choice: 'maybe'"),
        ("%opencode help nothing", "%opencode nothing: no such command."),
        ("%opencode sessions -n many", "invalid int value: 'many'"),
        ("%opencode install 0.0", "'0.0' is not a version"),
    ],
)
def test_bad_input_gives_one_line_and_loses_nothing(
    run_cell: RunCell, shell: InteractiveShell, cell: str, says: str
) -> None:
    run_cell("%%prompt -q\nSay exactly: before")
    before, status = shell.user_ns["_"], model_and_session(run_cell)
    wrong = run_cell(cell)
    assert wrong.error is not None
    assert says in one_line(wrong.printed)
    assert model_and_session(run_cell) == status
    assert shell.user_ns["_"] is before


def test_an_unsent_prompt_leaves_no_session(run_cell: RunCell) -> None:
    run_cell("%%prompt -q\nSay exactly: before")
    sessions = run_cell("%opencode sessions").printed
    for where in ("--new", "--new -b", "--new -a nobody"):
        assert run_cell(f"%%prompt {where} -f none.txt\nhi").error is not None
        assert run_cell("%opencode sessions").printed == sessions
    assert run_cell("%%prompt --new\n/no-such-command").error is not None
    assert run_cell("%opencode sessions").printed == sessions


@pytest.mark.parametrize("where", ["-s {other}", "-s {other} -b -q", "-q"])
@pytest.mark.parametrize("turns", ["undone", "none"])
def test_an_unsent_prompt_leaves_sessions_unchanged(run_cell: RunCell, where: str, turns: str) -> None:
    """A session without visible turns may be in use: its turns are undone, or it has a title."""
    other = run_cell("%opencode new Only a title").printed.split()[2]
    if turns == "undone":
        run_cell("%%prompt -q\nSay exactly: undone")
        assert "Undone" in run_cell("%opencode undo").printed
    if "other" in where:
        run_cell("%opencode new The current one")
    sessions, status = run_cell("%opencode sessions").printed, model_and_session(run_cell)
    wrong = run_cell(f"%%prompt {where.format(other=other)} -f does-not-exist.txt\nhi")
    assert "FileNotFoundError" in one_line(wrong.printed)
    assert run_cell("%opencode sessions").printed == sessions
    assert model_and_session(run_cell) == status
    run_cell(f"%opencode use {other}")
    assert ("Restored everything that was undone." in run_cell("%opencode redo").printed) == (turns == "undone")


@pytest.mark.parametrize(
    "options", ["-m demo/none", "-m none", "--binary ./no-such-program", "--url http://127.0.0.1:9"]
)
def test_a_failed_start_keeps_the_agent_and_its_session(
    run_cell: RunCell, shell: InteractiveShell, options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "wrong")
    run_cell("%%prompt -q\nSay exactly: before")
    before, status = shell.user_ns["_"].session, model_and_session(run_cell)
    assert run_cell(f"%opencode start {options}").error is not None
    assert model_and_session(run_cell) == status
    run_cell("%%prompt -q\nSay exactly: after")
    assert (shell.user_ns["_"].text, shell.user_ns["_"].session.id) == ("after", before.id)


def test_a_session_deleted_elsewhere_is_not_prompted(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%%prompt -q\nSay exactly: before")
    shell.user_ns["_"].session.delete()
    assert run_cell("%%prompt -q\nSay exactly: after").error is None
    assert shell.user_ns["_"].text == "after"


def test_a_failed_turn_is_shown_and_kept_and_fails_the_cell(run_cell: RunCell, shell: InteractiveShell) -> None:
    cell = run_cell("%%prompt\nFail with a provider error 400")
    assert cell.error is not None
    assert "Traceback" not in cell.printed
    assert cell.printed.rstrip().splitlines()[-1].startswith("TurnError: ")
    assert shell.user_ns["_"].status == "error"


def test_a_retry_is_one_line_and_the_last_turn_is_the_value(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    unavailable = [error(503, "Come back later", retry_after_ms=1)] * 6  # as often as the server asks
    demo_model.queue(*unavailable, [text("Here again.")])
    cell = run_cell("%%prompt --retry 2\ngo")
    assert cell.error is None
    told = [line for line in cell.printed.splitlines() if "ProviderOverloadedError: retry 1 of 2 in " in line]
    assert len(told) == 1
    assert told[0].startswith("Come back later")
    assert shell.user_ns["_"].text == "Here again."


@pytest.mark.parametrize("line", ["--retry 2 -b\ngo", "--retry 2\n/init", "--retry 2\n!ls", "--retry x\ngo"])
def test_retry_is_refused_where_no_prompt_is_waited_for(run_cell: RunCell, demo_model: DemoModel, line: str) -> None:
    assert "retry" in one_line(run_cell(f"%%prompt {line}").printed)
    assert demo_model.requests == []


def test_a_timeout_keeps_the_partial_output(run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel) -> None:
    demo_model.queue([[text("as far as this"), gate("cells-limit")]])
    cell = run_cell("%%prompt --timeout 4\ngo")
    demo_model.release("cells-limit")
    assert cell.printed.count("Stopped after 4 s, its time limit.") == 1
    assert "TurnTimeoutError: see the turn above." in cell.printed
    assert cell.printed.count("as far as this") == 1
    assert shell.user_ns["_"].text == "as far as this"


def test_a_cost_near_its_limit_is_said_and_one_above_it_fails_the_cell(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    demo_model.queue([[text("dear"), usage(1000, 100)]])
    assert "Near the budget: $0.0014 of $0.0015 USD used." in run_cell("%%prompt --max-cost 0.0015\ngo").printed
    demo_model.queue([[text("too dear"), usage(1000, 100)]])
    stopped = run_cell("%%prompt --max-cost 0.001\ngo").printed
    assert stopped.count("Stopped at max_cost") == 1
    assert "BudgetExceededError: see the turn above." in stopped
    assert shell.user_ns["_"].text == "too dear"


def test_without_a_provider_the_next_step_is_shown(
    run_cell: RunCell, server_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps({"disabled_providers": ["opencode"]}))
    started = run_cell("%opencode start")
    assert started.error is None
    told = "No model is set up yet. Run one of these, then your prompt:\n  %opencode start --demo  "
    assert f"Model: {told}" in started.printed
    for cell in ("%%prompt\nhi", "%opencode models"):
        printed = run_cell(cell).printed
        assert printed.startswith(told)
        assert re.search(r"opencode auth login +log in to a provider of your own, in a terminal", printed)
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(server_model.config()))
    run_cell("%opencode start")


# --- in the background ------------------------------------------------------------------------------------------------


@pytest.fixture
def running(run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel) -> Iterator[oc.Turn]:
    """A background turn that waits at a gate."""
    name = f"cells-{shell.execution_count}"
    demo_model.queue([[text("begun "), gate(name), text("ended")]])
    cell = run_cell(f"%%prompt -b -o background\n{name}")
    assert cell.error is None
    assert "Running in the background" in cell.printed
    turn = shell.user_ns["background"]
    assert turn is shell.user_ns["_"]
    wait_for_text(turn)
    yield turn
    demo_model.release(name)


def gate_of(turn: oc.Turn) -> str:
    """Return the gate at which `running` waits."""
    return turn.prompt


def wait_for_text(turn: oc.Turn) -> None:
    """Wait until the turn has text."""
    came = threading.Event()
    unsubscribe = turn.session.subscribe(lambda change: came.set() if turn.text else None)
    assert turn.text or came.wait(STEP)
    unsubscribe()


def test_a_background_turn_ends_on_its_own(running: oc.Turn, run_cell: RunCell, demo_model: DemoModel) -> None:
    assert "A turn is running: %opencode abort stops it." in run_cell("%opencode status").printed
    assert not running.done
    demo_model.release(gate_of(running))
    assert running.wait(STEP).text == "begun ended"


def test_a_new_session_does_not_stop_the_background_turn(running: oc.Turn, run_cell: RunCell) -> None:
    printed = run_cell("%opencode new").printed
    assert f"continues: %opencode use {running.session.id}" in printed
    assert run_cell("%%prompt\nSay exactly: meanwhile").error is None
    assert not running.done


def test_a_prompt_in_a_busy_session_says_that_it_waits(
    running: oc.Turn, run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    printed = run_cell("%%prompt -b\nSay exactly: second").printed
    assert printed.startswith("The session is busy: the agent reads this prompt after its current step.")
    second = shell.user_ns["_"]
    demo_model.release(gate_of(running))
    assert second.wait(STEP).text == "second"
    assert running.wait(STEP).text == "begun ended"


@pytest.mark.parametrize("undo", ["%opencode undo", "%%prompt\n/undo"], ids=["subcommand", "command"])
def test_undo_stops_the_background_turn(running: oc.Turn, run_cell: RunCell, undo: str) -> None:
    assert run_cell(undo).printed.startswith(f"Undone: {gate_of(running)}\n")
    assert (running.status, running.text) == ("aborted", "begun ")
    assert "There is nothing to undo" in run_cell(undo).printed


def test_abort_stops_the_background_turn(running: oc.Turn, run_cell: RunCell) -> None:
    assert run_cell("%opencode abort").printed == "Stopped. The partial answer is kept.\n"
    assert (running.status, running.text) == ("aborted", "begun ")
    assert run_cell("%opencode abort").printed == "Nothing was running in this session.\n"


def test_stop_cuts_off_the_background_turn(running: oc.Turn, run_cell: RunCell) -> None:
    printed = run_cell("%opencode stop").printed
    assert "The running turn was cut off" in printed
    with pytest.raises(oc.TurnError, match="The connection to the server was closed"):
        running.wait(STEP)
    assert running.text.strip() == "begun"  # the server trims the end of a text, if it is still running
    again = run_cell("%%prompt\nSay exactly: once more")
    assert again.error is None
    assert "Starting OpenCode…" in again.printed


# --- the server and its sessions --------------------------------------------------------------------------------------


def test_the_next_prompt_starts_a_stopped_server(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%%prompt -q\nSay exactly: before")
    session = shell.user_ns["_"].session.id
    assert "OpenCode stopped; the next %%prompt starts it again." in run_cell("%opencode stop").printed
    assert "OpenCode was not running" in run_cell("%opencode stop").printed
    assert "OpenCode is not running" in run_cell("%opencode").printed
    assert "OpenCode is not running" in run_cell("%opencode abort").printed
    run_cell("%%prompt -q\nSay exactly: after")
    assert shell.user_ns["_"].session.id == session
    restarted = run_cell("%opencode restart").printed
    assert f"Session: {session}" in restarted
    assert f"The previous session is kept: %opencode use {session}" in run_cell("%opencode start").printed


def test_a_shared_server_killed_between_prompts_is_restarted(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%%prompt -q\nSay exactly: before")
    turn = shell.user_ns["_"]
    server, back = turn.session.owner.server, threading.Event()
    server.on_restart(back.set)
    os.kill(server.pid, signal.SIGKILL)
    assert back.wait(STEP)
    assert f"restarted {server.status().restarts} time" in run_cell("%opencode status").printed
    run_cell("%%prompt -q\nSay exactly: after")
    assert shell.user_ns["_"].session.id == turn.session.id


def test_an_own_server_killed_between_prompts_is_started_by_the_next(
    run_cell: RunCell, shell: InteractiveShell
) -> None:
    run_cell("%opencode start --own")
    run_cell("%%prompt -q\nSay exactly: before")
    server, gone = shell.user_ns["_"].session.owner.server, threading.Event()
    server.on_exit(lambda code: gone.set())
    os.kill(server.pid, signal.SIGKILL)
    assert gone.wait(STEP)
    status = run_cell("%opencode status").printed
    assert f"The server exited. Its log: {server.log_path}" in status
    assert "Starting OpenCode…" in run_cell("%%prompt\nSay exactly: after").printed
    run_cell("%opencode start")


def test_sessions_are_listed_found_and_continued(run_cell: RunCell) -> None:
    printed = run_cell("%opencode new Let's go").printed
    first = printed.split()[2]
    run_cell("%opencode new Another one")
    listed = run_cell("%opencode sessions").printed
    assert f"  {first}" in listed
    assert "Let's go" in run_cell("%opencode sessions let's").printed
    assert run_cell("%opencode sessions no such words").printed == "No session here has these words in its title.\n"
    assert len(run_cell("%opencode sessions -n 1").printed.splitlines()) == 1
    assert run_cell(f"%opencode use {first}").printed == f"Session: {first} Let's go, 0 turns\n"
    assert f"* {first}" in run_cell("%opencode sessions").printed


def test_models_and_agents_are_listed(run_cell: RunCell) -> None:
    assert "demo/demo\n" in run_cell("%opencode models").printed
    assert run_cell("%opencode agents").printed.startswith("build ")


def test_help_names_every_command_and_option(run_cell: RunCell, shell: InteractiveShell) -> None:
    printed = run_cell("%opencode help").printed
    for name in ("start", "stop", "restart", "status", "new", "use", "sessions", "models", "abort", "undo", "install"):
        assert f"\n  {name} " in printed
    assert "--demo" in run_cell("%opencode help start").printed
    for shown in (run_cell("%opencode help prompt").printed, shell.find_cell_magic("prompt").__doc__):
        for option in ("--model", "--agent", "--new", "--file", "--permission", "--timeout", "--background", "--quiet"):
            assert option in shown


def test_undo_and_redo_restore_files_in_git(run_cell: RunCell, work: Path) -> None:
    file = work / "src/temperatures.py"
    before = file.read_text()
    run_cell("%%prompt --permission allow\nEdit src/temperatures.py")
    after = file.read_text()
    assert after != before
    printed = run_cell("%opencode undo").printed
    assert printed == "Undone: Edit src/temperatures.py\nRestored: src/temperatures.py\n"
    assert file.read_text() == before
    assert "nothing to undo" in run_cell("%opencode undo").printed
    assert run_cell("%opencode redo").printed == "Restored everything that was undone.\n"
    assert file.read_text() == after
    assert "There is nothing to redo" in run_cell("%opencode redo").printed
    run_cell("%opencode undo")


def test_undo_and_redo_overwrite_hand_edits_only_when_told_to(run_cell: RunCell, work: Path) -> None:
    file = work / "src/temperatures.py"
    before = file.read_text()
    run_cell("%%prompt --permission allow\nEdit src/temperatures.py")
    for act, mine, then in (
        ("undo", "by hand\n", before),
        ("redo", "again\n", "by hand\n"),
        ("undo", "more\n", before),
    ):
        file.write_text(mine)
        assert "Nothing was done: src/temperatures.py: it was changed since" in one_line(
            run_cell(f"%opencode {act}").printed
        )
        assert file.read_text() == mine
        assert "kept for 30 days: src/temperatures.py as " in run_cell(f"%opencode {act} --force").printed
        assert file.read_text() == then


def test_undo_outside_git_reports_what_it_did(run_cell: RunCell, tmp_path: Path) -> None:
    file = tmp_path / "hello.py"
    file.write_text("x = 1\n")
    run_cell(f"%opencode start -d {tmp_path}")
    run_cell("%%prompt --permission allow\nEdit hello.py")
    assert file.read_text() != "x = 1\n"
    assert run_cell("%opencode undo").printed == "Undone: Edit hello.py\nRestored: hello.py\n"
    assert file.read_text() == "x = 1\n"
    run_cell("%%prompt --permission allow\nRun `touch made-by-a-shell`")
    assert "What commands changed is not restored: this is not a git repository." in run_cell("%opencode undo").printed
    run_cell("%%prompt\nSay exactly: nothing happened")
    assert "There were no files to restore." in run_cell("%opencode undo").printed
    run_cell("%opencode start")


# --- the extension itself ---------------------------------------------------------------------------------------------


def test_unload_removes_everything(shell: InteractiveShell, run_cell: RunCell) -> None:
    run_cell("%%prompt -q\nSay exactly: before")
    server = shell.user_ns["_"].session.owner.server
    matchers = len(shell.Completer.custom_matchers)
    run_cell("%unload_ext opencode_nb")
    assert not server.alive
    assert shell.find_cell_magic("prompt") is None
    assert shell.find_line_magic("opencode") is None
    assert shell.find_line_magic("prompt") is None
    assert "not found" in run_cell("x = %prompt what is this?").printed
    assert len(shell.Completer.custom_matchers) == matchers - 1
    assert "not found" in run_cell("%%prompt\nhi").printed
    run_cell("%load_ext opencode_nb")
    run_cell("%reload_ext opencode_nb")
    assert len(shell.Completer.custom_matchers) == matchers
    assert run_cell("%%prompt\nSay exactly: after").error is None


def test_the_doctor_checks_the_agent_in_use(run_cell: RunCell) -> None:
    run_cell("%opencode start --demo")
    lines = run_cell("%opencode doctor").printed.splitlines()
    assert any(line.startswith("✓ Server: running, version ") for line in lines)
    assert any(line.startswith("✓ Model: demo/demo") for line in lines)
    assert lines[-1] == "No problems found." or lines[-1].startswith("no problems, ")
