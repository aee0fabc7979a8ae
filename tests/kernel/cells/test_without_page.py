"""What each tool answers where no page can be reached: in a console, a headless run, a kernel that cannot hear it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells.tools import CellTools
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.tools.tool import Call, Result

Ask = Callable[..., str]


@pytest.fixture
def ask(shell: InteractiveShell) -> Iterator[Ask]:
    """Call a tool of the session, while a prompt waits: `ask("cells", start=1)` returns its answer."""
    runner = Runner(shell)
    made = CellTools(shell, runner)
    tools = {tool.name: tool for tool in made.tools}
    kept = made.of("ses_alone")

    def ask(name: str, *, waits: bool = True, **given: Any) -> str:
        start = partial(portal.start, tools[name].call, Call("ses_alone", given))
        result = served(start) if waits else start().result()
        return "".join(piece.text for piece in result.outgoing.pieces)

    yield ask
    assert made.of("ses_alone") is kept
    runner.history.close()


def served(start: Callable[[], Future[Result]]) -> Result:
    """Start a call while this thread serves jobs, as a waiting %%prompt does; return its result."""
    jobs, done = Jobs(), Future[Result]()
    jobs.post(lambda: start().add_done_callback(lambda future: done.set_result(future.result())))
    jobs.serve_until(done)
    return done.result()


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of this kernel's notebook."""
    printed = {"output_type": "stream", "name": "stdout", "text": ["1\n"]}
    cells = [
        {"id": "a", "cell_type": "code", "source": ["print(1)"], "execution_count": 3, "outputs": [printed]},
        {"id": "b", "cell_type": "markdown", "source": "# Title"},
    ]
    path = tmp_path / "saved.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr(notebook, "current", lambda: notebook.Notebook(path, "kernel-1"))


@pytest.mark.usefixtures("saved")
def test_cells_are_read_as_saved_and_not_changed(ask: Ask) -> None:
    told = ask("cells")
    assert told.startswith(
        "saved.ipynb: 2 cells, indices from 0. The page cannot be reached: this is the file as it was"
    )
    assert "0 id=a code In[3]\nprint(1)\n--- output\n1\n" in told
    for name, given in (
        ("edit_cell", {"source": "x"}),
        ("move_cell", {"index": 1}),
        ("delete_cell", {}),
        ("run_cell", {}),
    ):
        assert ask(name, id="a", **given).startswith("The notebook's page cannot be reached, so its cells were not")


def test_without_a_known_file_nothing_is_read(ask: Ask) -> None:
    assert ask("cells").startswith("No notebook can be read")


def test_code_becomes_the_next_input_once(ask: Ask, shell: InteractiveShell) -> None:
    assert "only code can be inserted" in ask("insert_cell", source="# Title", type="markdown")
    assert "becomes the user's next input" in ask("insert_cell", source="first = 1", index=0)
    assert "you have set it" in ask("insert_cell", source="second = 2")
    assert shell.rl_next_input == "first = 1"
    shell.execution_count += 1
    assert "becomes the user's next input" in ask("insert_cell", source="third = 3")


def test_where_nobody_would_see_the_next_input_it_is_not_set(ask: Ask, shell: InteractiveShell) -> None:
    assert "were not changed" in ask("insert_cell", source="x", waits=False)
    shell.kernel = SimpleNamespace(_allow_stdin=False)  # as nbclient runs cells
    assert "were not changed" in ask("insert_cell", source="x")
    assert not hasattr(shell, "rl_next_input")
