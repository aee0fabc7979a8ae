"""Which session a fresh kernel goes on with: the notebook's own, with a proof, or none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from opencode_nb.kernel.notebook import Notebook, current, last_session


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where records are kept in this test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def write(path: Path, *sessions: str) -> Path:
    """Write a notebook whose cells have turns of these sessions."""
    outputs = [{"metadata": {"opencode_nb": {"session": session, "message": "msg_1"}}} for session in sessions]
    cells = [{"id": f"cell-{number}", "outputs": [output]} for number, output in enumerate(outputs)]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "id": "title"}, *cells]}))
    return path


def test_a_restarted_kernel_needs_no_saved_notebook(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path / "a.ipynb", "kernel-1")
    assert notebook.last_session() is None
    notebook.remember("ses_1")
    notebook.remember("ses_2")
    assert Notebook(tmp_path / "a.ipynb", "kernel-1").last_session() == "ses_2"


def test_a_new_notebook_at_an_old_path_has_no_session(tmp_path: Path) -> None:
    Notebook(tmp_path / "a.ipynb", "kernel-1").remember("ses_1")
    for path in (tmp_path / "a.ipynb", write(tmp_path / "a.ipynb")):
        assert Notebook(path, "kernel-2").last_session() is None


def test_a_saved_notebook_continues_its_last_session(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "ses_1", "ses_2")
    assert Notebook(path, "kernel-1").last_session() == "ses_2"
    Notebook(path, "kernel-1").remember("ses_1")
    assert Notebook(path, "kernel-2").last_session() == "ses_1"


def test_a_copied_notebook_does_not_continue_the_originals_session(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", "ses_1")
    Notebook(path, "kernel-1").remember("ses_1")
    copy = Path(shutil.copy(path, tmp_path / "b.ipynb"))
    assert Notebook(copy, "kernel-2").last_session() is None
    path.unlink()  # then it is not a copy: the notebook was renamed
    assert Notebook(copy, "kernel-2").last_session() == "ses_1"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 1}', '{"cells": [{"outputs": [{"metadata": null}, 1]}]}'])
def test_a_damaged_notebook_or_record_has_no_session(tmp_path: Path, state: Path, text: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    assert Notebook(path, "kernel-1").last_session() is None
    Notebook(path, "kernel-1").remember("ses_1")
    for record in (state / "opencode_nb" / "notebooks").iterdir():
        record.write_text(text)
    assert Notebook(path, "kernel-1").last_session() is None


def test_the_cell_of_the_first_turn_is_found(tmp_path: Path) -> None:
    notebook = Notebook(write(tmp_path / "a.ipynb", "ses_1", "ses_1"), "kernel-1")
    assert [notebook.begins_with(cell) for cell in ("title", "cell-0", "cell-1")] == [False, True, False]


def test_without_jupyters_server_there_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/inherited/from/a/terminal.ipynb")
    assert current() is None
    assert last_session() is None
