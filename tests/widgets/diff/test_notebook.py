"""notebooks/diffs.ipynb runs with nobody watching, and what it saves needs no kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "notebooks/diffs.ipynb"


def test_the_notebook_runs(opencode_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code"].count([]) == sum(
        cell.cell_type == "code" for cell in notebook.cells
    ), "it is kept without outputs"
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    for name in ("view", "static"):
        (output,) = outputs[name]
        assert "application/vnd.jupyter.widget-view+json" not in output.data
        assert "1 file changed" in output.data["text/html"]
        assert "if values else 0.0" in output.data["text/markdown"]
    assert "Nothing was changed" in outputs["refused"][0].text
