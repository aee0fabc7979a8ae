"""A real IPython shell in this process, and what its cells gave."""

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
    """What a cell gave: its value, the exception it raised, and what it printed (errors too)."""

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
    """A shell with the extension loaded, in `work`, for which the scripted model is configured."""
    config = Config()
    config.HistoryManager.enabled = False
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        patch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(server_model.config()))
        patch.setenv("COLUMNS", "200")  # rich wraps lines where no terminal tells its width
        shell = InteractiveShell.instance(config=config, colors="nocolor")
        shell.run_line_magic("load_ext", "opencode_nb")
        yield shell
        shell.run_line_magic("unload_ext", "opencode_nb")
        InteractiveShell.clear_instance()


@pytest.fixture
def run_cell(shell: InteractiveShell, demo_model: DemoModel, capsys: pytest.CaptureFixture[str]) -> RunCell:
    """Run a cell as a person does: `run_cell("%opencode status").printed`."""

    def run(source: str) -> Cell:
        capsys.readouterr()
        result = shell.run_cell(source, store_history=True)
        printed = capsys.readouterr()
        return Cell(result.result, result.error_before_exec or result.error_in_exec, printed.out + printed.err)

    return run
