"""notebooks/kernel.ipynb runs with nobody watching, and what it saves needs no kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "notebooks/kernel.ipynb"


def data_of(outputs: list[Any], kind: str) -> str:
    return "\n".join(str(output.data.get(kind, "")) for output in outputs if "data" in output)


def test_the_notebook_runs(opencode_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code), "it is kept without outputs"
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = {cell.id: cell.outputs for cell in code}
    assert "AAPL" in data_of(outputs["look"], "text/html")
    ran = data_of(outputs["run"], "text/html")
    assert ran.count("data:image/png;base64,") == 1
    assert "mean growth a year" in ran
    assert "application/vnd.jupyter.widget-view+json" not in str(outputs["run"])
    assert "growth: new" in data_of(outputs["value"], "text/plain")
    assert "stocks: full" in outputs["ledger"][0].text
    assert "Restored in the kernel: plt, growth." in outputs["undo"][0].text
    assert data_of(outputs["undo"], "text/plain").strip() == "False"
