"""The `opencode-nb` command, and the notebook it runs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from opencode_nb import cli, quickstart
from opencode_nb.errors import OpencodeError


def write(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_markdown_cell("# Title"), *map(nbformat.v4.new_code_cell, sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.not_quick  # starts a kernel
def test_a_notebook_is_run_and_printed_cell_by_cell(tmp_path: Path) -> None:
    original = write(
        tmp_path / "small.ipynb", "x = 6\nprint('now')\nx * 7", "from pathlib import Path\nPath('here').touch()"
    )
    said: list[str] = []
    executed, page = quickstart.run(original, tmp_path / "out", said.append)
    assert said == ["# Title\n", ">>> x = 6\n... print('now')\n... x * 7", "now\n42\n", said[3], ""]
    assert nbformat.read(executed, 4).cells[1].outputs[1].data["text/plain"] == "42"
    assert "42" in page.read_text(encoding="utf-8")
    assert (tmp_path / "out" / "here").exists()
    assert nbformat.read(original, 4).cells[1].outputs == []


@pytest.mark.not_quick  # starts a kernel
def test_a_failing_cell_is_reported_and_earlier_output_kept(tmp_path: Path) -> None:
    original = write(tmp_path / "small.ipynb", "1 / 0", "'never'")
    said: list[str] = []
    with pytest.raises(OpencodeError, match="ZeroDivisionError: division by zero"):
        quickstart.run(original, tmp_path / "out", said.append)
    assert "ZeroDivisionError" in said[-1]
    assert nbformat.read(tmp_path / "out" / "small.ipynb", 4).cells[1].outputs[0].ename == "ZeroDivisionError"


def test_the_quickstart_is_copied_once(tmp_path: Path) -> None:
    copy = quickstart.copy_to(tmp_path / "demo")
    assert copy.read_bytes() == quickstart.original().read_bytes()
    copy.write_text("mine")
    assert quickstart.copy_to(tmp_path / "demo").read_text() == "mine"


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["demo", "--no-such-option"]])
def test_a_wrong_command_line_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: opencode-nb" in capsys.readouterr().err


def test_errors_are_one_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["install", "no version"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("opencode-nb: 'no version' is not a version")
    assert "Traceback" not in printed.err


def test_the_demo_runs_the_quickstart_headless(
    opencode_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where the notebook creates its project
    assert cli.main(["demo", "--directory", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr().out
    assert "scripted demo" in printed
    assert "+    return sum(values) / len(values) if values else 0.0" in printed
    assert "Restored: statistics_of_days.py" in printed
    assert f"As a web page:     {tmp_path}/demo/quickstart.html" in printed
    executed = nbformat.read(tmp_path / "demo" / "quickstart.ipynb", 4)
    assert "widgets" not in executed.metadata
    assert {output.output_type for cell in executed.cells for output in cell.get("outputs", [])} <= {
        "stream",
        "execute_result",
    }
    assert "data-file" in (tmp_path / "demo" / "quickstart.html").read_text(encoding="utf-8")
