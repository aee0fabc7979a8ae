"""The README's Python, run as it stands, in a project, on the real server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from opencode_nb.demo import DemoModel

README = Path(__file__).resolve().parents[1] / "README.md"
PROGRAMS = [
    code
    for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    if "import" in code or "oc." in code
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda code: code.splitlines()[0])
def test_the_readmes_python_runs(
    program: str,
    project: Path,
    opencode_program: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with DemoModel(pace=0) as model:
        monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(model.config()))
        monkeypatch.chdir(project)
        exec(compile("import opencode_nb as oc\n" + program, README.name, "exec"), {})
    assert capsys.readouterr().out


def test_there_are_programs_to_run() -> None:
    assert len(PROGRAMS) == 4
