"""notebooks/chat.ipynb runs with nobody watching, and a terminal is told what to do instead."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from opencode_nb.errors import OpencodeError
from opencode_nb.magics.line import LineMagic
from opencode_nb.magics.workspace import Workspace

NOTEBOOK = Path(__file__).parents[3] / "notebooks/chat.ipynb"


def test_the_notebook_runs(opencode_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in code if cell.outputs] == [], "it is kept without outputs"
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = {
        cell.id: "".join(output.get("text") or output.data["text/plain"] for output in cell.outputs) for cell in code
    }
    assert shown["panel"].startswith("Chat panel on ")
    assert shown["send"] == "'hello from Python'"
    assert shown["value"] == "[('Say exactly: hello from Python', 'completed')]"
    assert "hello from Python" in shown["export"]
    (panel,) = [output for cell in code if cell.id == "panel" for output in cell.outputs]
    assert "hello from Python" in panel.data["text/html"], "what was said later is not in it"
    assert "vnd.jupyter.widget" not in json.dumps(notebook)


def test_opencode_chat_in_a_terminal_points_to_the_tui() -> None:
    assert not InteractiveShell.initialized()
    with pytest.raises(OpencodeError, match="%opencode tui"):
        LineMagic(Workspace()).run("chat")
