"""%opencode start --acp and %%prompt --with: agents in the notebook's cells, in a real shell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets import TraitError

import opencode_nb as oc
from opencode_nb.api.features import FEATURES
from opencode_nb.demo import DemoModel, gate, text
from opencode_nb.magics.settings import OpencodeMagics
from opencode_nb.magics.workspace import workspace_of
from tests.acp.backends import lacking
from tests.acp.conftest import written_agent
from tests.magics.conftest import RunCell


@pytest.fixture(scope="module", autouse=True)
def _notebook(shell: InteractiveShell, opencode_program: Path) -> Iterator[None]:
    """Have `opencode acp` as the notebook's agent, and stop it in the end."""
    shell.run_line_magic("opencode", "start --acp")
    yield
    workspace_of(shell).close()


Prompt = Callable[[str], oc.Turn]


@pytest.fixture
def prompt(run_cell: RunCell, shell: InteractiveShell) -> Prompt:
    """Send a quiet prompt with options on its line; return the turn, once the cell has ended."""

    def send(line: str) -> oc.Turn:
        cell = run_cell(f"%prompt -q {line}")
        assert cell.error is None, cell.printed
        turn: oc.Turn = shell.user_ns["_"]
        return turn

    return send


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_the_notebook_s_agent_answers_and_says_what_it_is(
    run_cell: RunCell, shell: InteractiveShell, prompt: Prompt
) -> None:
    assert run_cell("%prompt -q Say exactly: one").printed == "Agent: OpenCode 1.18.33, an agent: opencode acp\n"
    turn: oc.Turn = shell.user_ns["_"]
    assert (turn.text, turn.session.owner.name) == ("one", "OpenCode")
    session = turn.session.id
    lines = run_cell("%opencode status").printed.splitlines()
    assert lines[0].startswith("OpenCode 1.18.33, an agent: opencode acp, in ")
    assert lines[1].startswith("Log: ")
    assert lines[2] == "Model: the agent's own choice"
    assert lines[3].startswith(f"Session: {session}, ")
    assert session in run_cell("%opencode sessions").printed
    assert "Full log: " in run_cell("%opencode log").printed
    assert run_cell("%opencode model demo/demo-gpt-5").printed == "Model: demo/demo-gpt-5 (chosen for this session)\n"
    assert prompt("/init").prompt == "/init"
    assert prompt("Say exactly: two").model == "demo/demo-gpt-5"
    assert run_cell("%opencode new Another").printed.endswith(" Another\n")
    assert run_cell(f"%opencode use {session[:-2]}").printed.startswith(f"Session: {session}")
    assert run_cell("%opencode restart").printed.startswith("Restarting OpenCode…\nOpenCode 1.18.33, an agent")
    assert prompt("Say exactly: three").session.id == session
    assert run_cell("%opencode stop").printed == "OpenCode stopped; the next %%prompt starts it again.\n"
    assert run_cell("%opencode status").printed == "OpenCode is not running; the next %%prompt starts it.\n"


def test_what_the_agent_lacks_is_told_in_one_line(
    run_cell: RunCell, shell: InteractiveShell, prompt: Prompt, demo_model: DemoModel
) -> None:
    prompt("Say exactly: one")
    rows = lacking()
    ai = workspace_of(shell).ai
    assert {row.feature: row.reason for row in rows} == {name: why for name in FEATURES if (why := ai.lacks(name))}
    for row in rows:
        if row.cell:
            cell = run_cell(row.cell if row.cell.startswith("%") else f"%%prompt\n{row.cell}")
            assert cell.printed == f"NotSupportedError: {row.reason}\n", row
    demo_model.queue([[text(["I begin"]), gate("held")]])
    turn = prompt("--background go")
    assert "has no undo" in run_cell("%opencode undo").printed
    assert turn.session.busy, "what cannot be undone was stopped"
    demo_model.release("held")
    assert turn.wait().text == "I begin"


def test_named_agents_are_started_once_and_keep_their_sessions_apart(
    run_cell: RunCell, shell: InteractiveShell, prompt: Prompt, tmp_path: Path
) -> None:
    command = written_agent(
        tmp_path,
        """
count = 0
def new(params):
    global count
    count += 1
    return {"sessionId": f"s{count}"}
""",
    )
    ours = prompt("Say exactly: ours").session.id
    run_cell(f"%config OpencodeMagics.agents = {{'mine': {command!r}, 'bad': ['no-such-agent']}}")
    before = {*children()}
    name = Path(command[0]).name
    told = run_cell("%prompt -q --with mine hello").printed
    assert told == f"Starting {name}…\nAgent: {name} 7, an agent: {shlex.join(command)}\n"
    assert (shell.user_ns["_"].text, shell.user_ns["_"].session.id) == ("done", "s1")
    assert run_cell("%prompt -q --with mine again").printed == ""
    assert (shell.user_ns["_"].session.id, len(shell.user_ns["_"].session.turns())) == ("s1", 2)
    assert prompt("--with mine --new hello").session.id == "s2"
    assert prompt("Say exactly: ours").session.id == ours
    [*started] = {*children()} - before
    assert len(started) == 2, "a keeper and its agent"
    assert "names no agent 'mime'. Did you mean mine?" in run_cell("%%prompt --with mime\nhello").printed
    assert "There is no program 'no-such-agent' on PATH" in run_cell("%%prompt --with bad\nhello").printed
    shell.Completer.use_jedi = False
    for typed, offered in {
        "%%prompt --wi": ["--with"],
        "%%prompt --with ": ["mine", "bad"],
        "%opencode start --acp m": ["mine"],
        "%opencode start --acp mine --": [],
        "%opencode start --a": ["--agent", "--acp"],
    }.items():
        with provisionalcompleter():
            assert [one.text for one in shell.Completer.completions(typed, len(typed))] == offered
    assert "python" in run_cell("%opencode start --acp mine").printed
    assert prompt("--with mine hello").session.owner is workspace_of(shell).ai
    assert "no list of sessions" in run_cell("%opencode sessions").printed
    assert "in this directory" not in run_cell("%opencode status").printed
    workspace_of(shell).close()
    assert psutil.wait_procs(started, timeout=30)[1] == []


def test_what_does_not_go_with_an_agent_is_refused_and_changes_nothing(
    run_cell: RunCell, shell: InteractiveShell
) -> None:
    assert "--acp does not go with --demo" in run_cell("%opencode start --demo --acp").printed
    assert "--demo goes before it" in run_cell("%opencode start --acp --demo").printed
    assert "no program 'no-such-agent'" in run_cell("%opencode start --acp no-such-agent --acp").printed
    for wrong in ({"mine": "qwen --acp"}, {"mine": []}, {"my agent": ["qwen"]}):
        with pytest.raises(TraitError, match="is no command"):
            OpencodeMagics(agents=wrong)
    with pytest.raises(oc.OpencodeError, match="names no agent 'qwen'"):
        workspace_of(shell).of_agent("qwen")
