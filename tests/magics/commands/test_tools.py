"""%opencode mcp, tools, init, login: in a shell that nobody sits at, on the server of the run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import opencode_nb as oc
from opencode_nb.demo import DemoModel, text
from opencode_nb.magics.workspace import PASSWORD
from tests.api import mcp_parts
from tests.magics.conftest import RunCell
from tests.session.login.plugins import add_login_plugin

CALCULATOR = f"{sys.executable} {mcp_parts.__file__}"


@pytest.fixture(autouse=True)
def joined(run_cell: RunCell, work: Path, server: oc.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work on the server of the run, which none of these starts."""
    add_login_plugin(work, "demo")
    monkeypatch.setenv(PASSWORD, server.password)
    run_cell(f"%opencode start --url {server.url}")
    yield
    run_cell("%opencode stop")


def completed(shell: InteractiveShell, line: str) -> dict[str, str]:
    """Return what Tab offers at the end of a line, and what is shown beside it."""
    with provisionalcompleter():
        return {found.text: found.type for found in shell.Completer.completions(line, len(line))}


def test_mcp_servers_are_listed_added_and_disconnected(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_cell("%opencode mcp").printed.startswith("There are no MCP servers: %opencode mcp add")
    monkeypatch.setenv("WORDS_KEY", "a secret of the environment")
    assert run_cell(f"%opencode mcp add calc {CALCULATOR} --env WORDS_KEY").printed == "calc: connected\n"
    assert run_cell(f"%opencode mcp add other -- {CALCULATOR} --flag").printed == "other: connected\n"
    run_cell("%%prompt -q\nSay exactly: one")
    assert {"calc_add", "other_add"} <= set(demo_model.offered())
    assert run_cell("%opencode mcp disconnect other").printed.startswith("other: disconnected.")
    assert run_cell("%opencode mcp").printed.splitlines() == ["calc: connected", "other: disabled"]
    assert run_cell("%%prompt\n/mcp").printed.splitlines()[:2] == ["calc: connected", "other: disabled"]
    assert list(completed(shell, "%opencode mcp dis")) == ["disconnect"]
    assert completed(shell, "%opencode mcp connect ").items() >= {("calc", "connected"), ("other", "disabled")}
    assert run_cell("%opencode mcp connect other").printed == "other: connected\n"
    assert run_cell("%%prompt\n/mcp disconnect other").printed.startswith("other: disconnected.")
    assert run_cell("%%prompt\n/mcps connect other").printed == "other: connected\n"


WRONG = (
    ("mcp conect", "no such action. Did you mean connect or disconnect?"),
    ("mcp connect", "name the server. %opencode mcp lists them."),
    ("mcp connect clac", "There is no MCP server clac. Did you mean calc?"),
    ("mcp add fresh", "give a URL, or a command"),
    ("mcp add fresh npx -y some-server", "unrecognized arguments: -y some-server. Options come last, and -- before a"),
    ("mcp add fresh /no/such/program", "MCP server fresh failed: ENOENT"),
    ("mcp add nbfresh http://127.0.0.1:9/mcp", "kept for the kernel's tools"),
    ("mcp add fresh npx --env NO_SUCH_VARIABLE", "no environment variable NO_SUCH_VARIABLE"),
    ("mcp add fresh http://127.0.0.1:9/mcp --token", "Nobody can be asked for it here"),
    ("mcp disconnect calc and more", "too many words"),
    ("login demmo", "There is no provider demmo. Did you mean demo?"),
    ("login demo --method 9", "has no method 9: 3 is the last"),
    (
        "login demo --key",
        "Nobody can be asked here: log in where a cell can ask, or in a terminal: opencode",
    ),
)
"""A line, and what its error says."""


def test_a_wrong_line_says_what_to_type(run_cell: RunCell) -> None:
    run_cell(f"%opencode mcp add calc {CALCULATOR}")
    for line, says in WRONG:
        ran = run_cell(f"%opencode {line}")
        assert says in ran.printed, line
        assert ran.error is not None, line


def test_tools_are_listed_with_what_the_policy_makes_of_them(run_cell: RunCell) -> None:
    run_cell(f"%opencode mcp add calc {CALCULATOR}")
    shown = tools(run_cell)
    assert shown["bash"] == shown["edit"] == shown["write"] == "ask"
    assert shown["glob"] == shown["calc_*"] == "allow"
    assert shown["read"] == "allow, but ask for *.env, ask for *.env.*"
    run_cell("%config OpencodeMagics.permission = {'bash': {'*': 'ask', 'git *': 'allow'}, 'calc_*': 'deny'}")
    shown = tools(run_cell)
    assert shown["bash"] == "ask, but allow for git *"
    assert shown["calc_*"] == "deny"
    run_cell("%config OpencodeMagics.permission = 'deny'")
    assert tools(run_cell)["edit"] == "deny"
    run_cell("%config OpencodeMagics.permission = None")


def tools(run_cell: RunCell) -> dict[str, str]:
    lines = [line.split(maxsplit=1) for line in run_cell("%opencode tools").printed.splitlines()[:-1]]
    return {line[0]: line[1] for line in lines}


def test_init_runs_the_server_s_command_as_a_turn(run_cell: RunCell, demo_model: DemoModel) -> None:
    demo_model.queue([text("Written.")])
    ran = run_cell("%opencode init mind the data")
    assert "Written." in ran.printed
    assert "mind the data" in str(demo_model.requests[-1])
    assert "AGENTS.md" in str(demo_model.requests[-1])


def test_providers_are_listed_with_their_ways_to_log_in(run_cell: RunCell, shell: InteractiveShell) -> None:
    lines = run_cell("%opencode login").printed.splitlines()
    assert " ".join(lines[0].split()) == "demo configuration With a code; With a device; With a key"
    assert lines[-1].endswith("in a terminal: opencode auth login")
    assert completed(shell, "%opencode login dem") == {"demo": "configuration"}
    ways = run_cell("%opencode login demo").printed.splitlines()
    assert ways[1:4] == ["  1  With a code", "  2  With a device", "  3  With a key"]
    assert ways[-1] == "%opencode login demo --method N logs in with one of them."
