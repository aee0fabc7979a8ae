"""oc.chat, oc.diff, %opencode chat and %%prompt: they share one agent and one session, and leave no empty session."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import opencode_nb as oc
from opencode_nb.magics.workspace import PASSWORD, Workspace, workspace_of
from tests.magics.conftest import RunCell


@pytest.fixture
def workspace(shell: InteractiveShell, run_cell: RunCell) -> Iterator[Workspace]:
    """The shell's own workspace, started fresh, with what a cell needs."""
    run_cell("import opencode_nb as oc")
    run_cell("%opencode start")
    yield workspace_of(shell)
    run_cell("%load_ext opencode_nb")


def ids(ai: oc.Opencode) -> set[str]:
    return {info["id"] for info in ai.sessions()}


@pytest.mark.parametrize("start", ["%opencode start --demo", "%opencode start", "%opencode stop"])
def test_a_panel_uses_the_notebooks_agent_and_session(workspace: Workspace, run_cell: RunCell, start: str) -> None:
    assert run_cell(start).error is None
    panel = run_cell("panel = oc.chat(); panel").value
    assert panel.session.owner is workspace.ai
    assert panel.session.id == workspace.current().id
    before = ids(workspace.ai)
    run_cell("%%prompt -q\nSay exactly: in the same session")
    assert [turn.text for turn in panel.value] == ["in the same session"]
    assert run_cell("second = oc.chat(); second").value.session.id == panel.session.id
    assert run_cell("oc.diff()").value.diff.files == ()
    assert ids(workspace.ai) == before
    run_cell("panel.close(); second.close()")
    assert workspace.running


def test_a_panel_opened_before_the_magics_shares_their_session(
    workspace: Workspace, shell: InteractiveShell, run_cell: RunCell
) -> None:
    run_cell("%unload_ext opencode_nb")
    panel = run_cell("panel = oc.chat(); panel").value
    panel.send("Say exactly: first").wait()
    run_cell("%load_ext opencode_nb")
    assert panel.session.id in run_cell("%opencode status").printed
    run_cell("%%prompt -q\nSay exactly: second")
    assert [turn.text for turn in panel.value] == ["first", "second"]
    panel.close()


def test_a_panel_opens_a_session_by_name(workspace: Workspace, run_cell: RunCell) -> None:
    named = workspace.ai.session("Winter report").id
    before = ids(workspace.ai)
    for wanted in (named, named[:-5], "winter"):
        panel = run_cell(f"panel = oc.chat({wanted!r}); panel").value
        assert (panel.session.id, panel.session.owner) == (named, workspace.ai)
        panel.close()
    assert workspace.session is None
    assert "No session matches 'summer'" in run_cell("oc.chat('summer')").printed
    assert ids(workspace.ai) == before


def test_an_unused_session_is_deleted(workspace: Workspace, run_cell: RunCell) -> None:
    before = ids(workspace.ai)
    panel = run_cell("panel = oc.chat(); panel").value
    unused = panel.session.id
    panel.close()
    assert workspace.current().id == unused
    assert unused not in run_cell("%opencode start").printed
    assert ids(workspace.ai) == before
    named = workspace.current()
    named.rename("To come back to")
    assert f"%opencode use {named.id}" in run_cell("%opencode start").printed
    assert ids(workspace.ai) == before | {named.id}


def test_a_panel_with_an_agent_of_its_own_leaves_no_empty_session(workspace: Workspace, work: Path) -> None:
    server = workspace.ai.start().server
    assert server is not None
    before = ids(workspace.ai)
    options = {"base_url": server.url, "password": server.password, "directory": work}
    unused, used = oc.chat(**options), oc.chat(**options)
    used.send("Say exactly: used").wait()
    for panel in (unused, used):
        assert panel.session.owner is not workspace.ai
        panel.close()
        assert not panel.session.owner.started
    assert ids(workspace.ai) == before | {used.session.id}
    with pytest.raises(oc.NotFoundError):
        oc.chat("ses_none", **options)


def test_a_program_that_ends_leaves_no_empty_session(workspace: Workspace, work: Path) -> None:
    server = workspace.ai.start().server
    assert server is not None
    before = ids(workspace.ai)
    code = "import opencode_nb as oc; panel = oc.chat(); print(panel.session.id, len(panel.session.owner.sessions()))"
    env = {**os.environ, "OPENCODE_NB_URL": server.url, PASSWORD: server.password}
    done = subprocess.run([sys.executable, "-c", code], cwd=work, env=env, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[1]) == len(before) + 1
    assert ids(workspace.ai) == before


def test_each_visitor_of_an_app_has_a_session_of_their_own() -> None:
    """A marimo app runs each visitor's cells in a separate thread."""
    found: list[Workspace] = []
    threads = [threading.Thread(target=lambda: found.append(workspace_of(None))) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    assert found[0] is not found[1]
    assert workspace_of(None) is workspace_of(None)
