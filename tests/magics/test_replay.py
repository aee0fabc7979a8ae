"""%%prompt records turns and plays them, in a cell and in a whole notebook, as nbclient runs it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbformat import NotebookNode

from opencode_nb import quickstart
from opencode_nb.demo import DemoModel
from tests.magics.conftest import RunCell
from tests.support import isolation

CELL_TIMEOUT = 120
"""Seconds that one cell may take on a busy machine."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a recording, not there yet."""
    return tmp_path / "turns.jsonl"


@pytest.fixture
def replaying(run_cell: RunCell, file: Path) -> Iterator[None]:
    """After the test, leave the replay and go on live."""
    yield
    run_cell("%config OpencodeMagics.replay = None")
    run_cell("%config OpencodeMagics.record = None")


def current(run_cell: RunCell) -> str:
    """Return the line about the current session."""
    return run_cell("%opencode status").printed.strip().splitlines()[-1]


def test_a_cell_is_recorded_and_played(
    run_cell: RunCell, shell: InteractiveShell, file: Path, demo_model: DemoModel
) -> None:
    """Found by its expanded text; the current session stays as it is."""
    run_cell("what = 'a rare word'")
    run_cell(f"%%prompt --record {file} -o live\nSay exactly: {{{{what}}}}")
    before, asked = current(run_cell), len(demo_model.requests)
    cell = run_cell(f"%%prompt --replay {file} -o played\nSay exactly: {{{{what}}}}")
    assert [shell.user_ns[name].text for name in ("live", "played", "_")] == ["a rare word"] * 3
    assert cell.printed.count("a rare word") == 1
    assert cell.printed.count("This is a replay, recorded") == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(demo_model.requests) == asked
    assert current(run_cell) == before


def test_a_prompt_that_is_not_recorded_is_one_line(run_cell: RunCell, file: Path) -> None:
    run_cell(f"%%prompt --record {file}\nSay exactly: hello")
    cell = run_cell(f"%%prompt --replay {file}\nSay exactly: hallo")
    assert "'Say exactly: hallo' is not recorded in turns.jsonl" in cell.printed
    assert "'Say exactly: hello'" in cell.printed
    assert len(cell.printed.strip().splitlines()) == 1
    assert "not allowed with argument" in run_cell(f"%%prompt --replay {file} --record {file}\nhello").printed


def test_a_secret_variable_is_not_recorded(run_cell: RunCell, file: Path) -> None:
    run_cell("api_key = 'tok-81723-elephant'")
    run_cell(f"%%prompt --record {file}\nSay exactly: tok-81723-elephant")
    assert file.exists()
    assert "elephant" not in file.read_text()


def test_code_that_ran_in_the_kernel_is_not_run_again(run_cell: RunCell, shell: InteractiveShell, file: Path) -> None:
    prompt = "Run in my kernel: `made = 6 * 7; print(made)`"
    run_cell(f"%%prompt --record {file} --permission allow -o live\n{prompt}")
    assert shell.user_ns.pop("made") == 42
    cell = run_cell(f"%%prompt --replay {file} -o played\n{prompt}")
    assert "made" not in shell.user_ns
    assert "Code that the agent ran in the kernel then was not run again." in cell.printed
    live, played = (shell.user_ns[name] for name in ("live", "played"))
    assert [played.tools[0].output, played.state.shown] == [live.tools[0].output, live.state.shown]


@pytest.mark.usefixtures("replaying")
def test_the_settings_record_and_replay_all_cells(
    run_cell: RunCell, shell: InteractiveShell, file: Path, work: Path, demo_model: DemoModel
) -> None:
    before = (work / "src/temperatures.py").read_text()
    run_cell(f"%config OpencodeMagics.record = {str(file)!r}")
    cells = ["%%prompt\nSay exactly: one", "%%prompt --permission allow\nEdit src/temperatures.py"]

    def texts() -> list[str]:
        return [shell.user_ns["_"].text for cell in cells if run_cell(cell)]

    live = texts()
    run_cell("%opencode undo")
    asked = len(demo_model.requests)
    run_cell(f"%config OpencodeMagics.replay = {str(file)!r}")
    run_cell("%opencode start")
    assert texts() == live
    assert (work / "src/temperatures.py").read_text() != before
    assert "Undone: Edit src/temperatures.py" in run_cell("%opencode undo").printed
    assert (work / "src/temperatures.py").read_text() == before
    assert len(demo_model.requests) == asked
    assert "Replay of" in run_cell("%opencode status").printed
    assert "This is a replay" in run_cell("%opencode models").printed


# --- the whole quickstart ---------------------------------------------------------------------------------------------


def run_quickstart(directory: Path, env: dict[str, str]) -> NotebookNode:
    directory.mkdir()
    notebook = nbformat.read(quickstart.original(), as_version=4)
    resources = {"metadata": {"path": str(directory)}}
    NotebookClient(notebook, timeout=CELL_TIMEOUT, resources=resources).execute(env=env)
    return notebook


def run_with_papermill(directory: Path, env: dict[str, str]) -> NotebookNode:
    directory.mkdir()
    made = directory / "executed.ipynb"
    command = [sys.executable, "-m", "papermill", str(quickstart.original()), str(made), "--cwd", str(directory)]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=CELL_TIMEOUT)
    assert ran.returncode == 0, ran.stderr
    return nbformat.read(made, as_version=4)


VARYING = re.compile(r"quickstart-\w+|\b(msg|ses|prt|call)_\w+|\d+(\.\d+)? m?s\b|0x[0-9a-f]+")
"""Ids, times, and the folder that the notebook makes for itself."""
SAYS_REPLAY = re.compile(
    r'<div [^>]*data-part="replay".*?</div></div>|\*?This is a replay.*\n*|\*?Changed as recorded.*\n*|'
    r"Model: demo.*\n|Replay of .*\n|Starting OpenCode…\n"
)
"""What a replay says of itself, and what it has instead of a server."""


def shown(cell: NotebookNode) -> list[Any]:
    """Return what a cell shows, but for ids, times, and that it is a replay."""
    every = [out.get("data") or {"text": out.text} for out in cell.outputs]
    return [
        {kind: VARYING.sub("", SAYS_REPLAY.sub("", str(data))).rstrip() for kind, data in forms.items()}
        for forms in every
    ]


def of_the_server(cell: NotebookNode) -> bool:
    return "%opencode start" in cell.source or "%opencode stop" in cell.source


def test_the_quickstart_recorded_once_runs_without_server_and_program(
    opencode_program: Path, tmp_path: Path, file: Path
) -> None:
    live = run_quickstart(tmp_path / "live", {**os.environ, "OPENCODE_NB_RECORD": str(file)})
    (tmp_path / "home").mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OPENCODE", "XDG"))}
    env |= {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "OPENCODE_NB_REPLAY": str(file)}
    played = run_with_papermill(tmp_path / "played", env)
    assert [shown(cell) for cell in played.cells if cell.cell_type == "code" and not of_the_server(cell)] == [
        shown(cell) for cell in live.cells if cell.cell_type == "code" and not of_the_server(cell)
    ]
    assert "Replay of" in str(played.cells)
    assert isolation.PROGRAM not in env
