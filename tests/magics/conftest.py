"""A real IPython shell in this process, and the results of its cells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb.demo import DemoModel
from tests.conftest import make_project


@dataclass
class Cell:
    """The result of a cell: its value, its exception, and its output (with errors)."""

    value: Any
    error: BaseException | None
    printed: str


RunCell = Callable[[str], Cell]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shell's working directory: a project."""
    return make_project(tmp_path_factory.mktemp("work") / "project")


@pytest.fixture(scope="module")
def shell(opencode_program: Path, server_model: DemoModel, work: Path) -> Iterator[InteractiveShell]:
    """A shell in `work` with the extension loaded and the scripted model configured."""
    config = Config()
    config.HistoryManager.enabled = False
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        patch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(server_model.config()))
        patch.setenv("COLUMNS", "200")  # rich wraps lines if no terminal reports its width
        shell = InteractiveShell.instance(config=config, colors="nocolor")
        shell.run_line_magic("load_ext", "opencode_nb")
        yield shell
        shell.run_line_magic("unload_ext", "opencode_nb")
        InteractiveShell.clear_instance()


@pytest.fixture
def run_cell(shell: InteractiveShell, demo_model: DemoModel, capsys: pytest.CaptureFixture[str]) -> RunCell:
    """Run a cell as a user does: `run_cell("%opencode status").printed`."""

    def run(source: str) -> Cell:
        capsys.readouterr()
        result = shell.run_cell(source, store_history=True)
        printed = capsys.readouterr()
        return Cell(result.result, result.error_before_exec or result.error_in_exec, printed.out + printed.err)

    return run
