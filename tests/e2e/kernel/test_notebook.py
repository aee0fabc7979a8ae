"""The notebooks about the kernel and about values run with nobody watching, and what they save needs no kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


def data_of(outputs: list[Any], kind: str) -> str:
    return "\n".join(str(output.data.get(kind, "")) for output in outputs if "data" in output)


@pytest.fixture
def run(
    opencode_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, list[Any]]]:
    """Run a notebook of the package; return the outputs of its code cells by id."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def run_(name: str) -> dict[str, list[Any]]:
        notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert not any(cell.outputs for cell in code), "it is kept without outputs"
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
        return {cell.id: cell.outputs for cell in code}

    return run_


def test_values_are_labels_frames_and_results_of_a_tool(run: Callable[[str], dict[str, list[Any]]]) -> None:
    outputs = run("values.ipynb")
    labels = data_of(outputs["labels"], "text/plain")
    assert [line.split()[-1] for line in labels.splitlines()[1:]] == ["good", "bad", "neutral"]
    assert "Alan Turing  1912" in data_of(outputs["frame"], "text/plain")
    assert "'completed', '3'" in data_of(outputs["called"], "text/plain")


def test_the_agent_looks_runs_code_and_takes_it_back(run: Callable[[str], dict[str, list[Any]]]) -> None:
    outputs = run("kernel.ipynb")
    assert "AAPL" in data_of(outputs["look"], "text/html")
    ran = data_of(outputs["run"], "text/html")
    assert ran.count("data:image/png;base64,") == 1
    assert "mean growth a year" in ran
    assert "application/vnd.jupyter.widget-view+json" not in str(outputs["run"])
    assert "growth: new" in data_of(outputs["value"], "text/plain")
    assert "stocks: full" in outputs["ledger"][0].text
    assert "Restored in the kernel: plt, growth." in outputs["undo"][0].text
    assert data_of(outputs["undo"], "text/plain").strip() == "False"
