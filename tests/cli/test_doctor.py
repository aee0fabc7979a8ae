"""`opencode-nb doctor`: what it reports about real sound and broken set-ups."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from opencode_nb import cli, doctor
from opencode_nb.demo import DemoModel

SECRET = "sk-nobody-may-read-this"


class Visit(NamedTuple):
    code: int
    out: str
    checks: dict[str, dict[str, Any]]

    def status(self, name: str) -> str:
        return str(self.checks[name]["status"])


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def visit(directory: Path, **env: str | None) -> Visit:
        for name, value in env.items():
            monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
        code = cli.main(["doctor", "--json", "--directory", str(directory)])
        out = capsys.readouterr().out
        report = json.loads(out)
        assert report["ok"] is (code == 0)
        for check in report["checks"]:
            assert (check["status"] == "ok") == (check["next_step"] == ""), check
        return Visit(code, out, {check["name"]: check for check in report["checks"]})

    return visit


def program(directory: Path, script: str) -> str:
    """A program that is not OpenCode."""
    path = directory / "opencode"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_sound_set_up_has_no_problems(
    visit: Any, project: Path, server_model: DemoModel, opencode_program: Path
) -> None:
    config = json.dumps(server_model.config())
    found = visit(project, OPENCODE_CONFIG_CONTENT=config, SOME_API_KEY=SECRET, OPENCODE_SERVER_PASSWORD=SECRET)
    assert found.code == 0
    assert found.checks["Program"]["text"].startswith(str(opencode_program))
    assert "1.17.0 or newer is needed" in found.checks["Version"]["text"]
    assert "started and answered in" in found.checks["Server"]["text"]
    assert "demo/demo" in found.checks["Model"]["text"]
    assert "from your OpenCode configuration" in found.checks["Model"]["text"]
    assert {found.status(name) for name in ("ripgrep", "git", "Python", "Jupyter", "Logs", "State")} == {"ok"}
    assert "SOME_API_KEY" in found.checks["Keys"]["text"]
    assert "OPENCODE_CONFIG_CONTENT" in found.checks["Settings"]["text"]
    assert found.status("OPENCODE_SERVER_PASSWORD") == "warning"
    assert SECRET not in found.out


def test_no_model_and_no_repository_are_reported_as_text(
    tmp_path: Path, opencode_program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", "--directory", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"! git: {tmp_path} is not in a repository: turns have no diffs there and cannot be undone" in lines
    assert "    → Run `git init` there (no commit needed)." in lines
    (model,) = [line for line in lines if line.startswith("✗ Model:")]
    assert "none was chosen" in model or "No model is set up" in model
    assert "opencode auth login" in lines[lines.index(model) + 1]
    assert lines[-1].startswith("1 problem, ")


def test_a_missing_program_and_missing_tools_are_reported(visit: Any, tmp_path: Path) -> None:
    found = visit(tmp_path, OPENCODE_NB_BINARY=None, PATH=str(tmp_path))
    assert found.code == 1
    assert found.status("Program") == "problem"
    for place in (f"PATH ({tmp_path})", "~/.opencode/bin", "opencode-nb/versions"):
        assert place in found.checks["Program"]["text"]
    assert "opencode-nb install" in found.checks["Program"]["next_step"]
    assert "Server" not in found.checks
    assert found.status("ripgrep") == found.status("git") == "warning"
    named = visit(tmp_path, OPENCODE_NB_BINARY="/nowhere/opencode")
    assert "$OPENCODE_NB_BINARY=/nowhere/opencode" in named.checks["Program"]["text"]


def test_unusable_programs_are_problems(visit: Any, tmp_path: Path) -> None:
    old = visit(tmp_path, OPENCODE_NB_BINARY=program(tmp_path, "echo 1.2.3"))
    assert (old.code, old.status("Version")) == (1, "problem")
    assert "OpenCode 1.2.3 (1.17.0 or newer is needed" in old.checks["Version"]["text"]
    assert "Server" not in old.checks
    broken = visit(tmp_path, OPENCODE_NB_BINARY=program(tmp_path, "exit 3"))
    assert "ended with exit code 3" in broken.checks["Version"]["text"]
    script = '[ "$1" = --version ] && echo 1.2.3 || { echo no such thing >&2; exit 4; }'
    let_pass = visit(tmp_path, OPENCODE_NB_BINARY=program(tmp_path, script), OPENCODE_NB_SKIP_VERSION_CHECK="1")
    assert let_pass.status("Version") == "warning"
    assert let_pass.status("Server") == "problem"
    assert "no such thing" in let_pass.checks["Server"]["text"]


def test_opencode_2_is_reported_and_not_started(visit: Any, tmp_path: Path) -> None:
    script = 'touch "$0.run"; [ "$1" = --version ] && rm "$0.run" && echo opencode 2.3.0'
    named = visit(tmp_path, OPENCODE_NB_BINARY=program(tmp_path, script))
    assert (named.code, named.status("Version")) == (1, "problem")
    assert "OpenCode 2.3.0 (1.17.0 or newer is needed, and older than 2" in named.checks["Version"]["text"]
    assert "opencode-nb install" in named.checks["Version"]["next_step"]
    assert "Server" not in named.checks
    (tmp_path / "other").mkdir()
    program(tmp_path / "other", '[ "$1" = --version ] && echo 1.19.0 || exit 4')
    found = visit(tmp_path, OPENCODE_NB_BINARY=None, PATH=f"{tmp_path}:{tmp_path / 'other'}:/usr/bin:/bin")
    assert found.checks["Program"]["text"].startswith(str(tmp_path / "other"))
    assert f"OpenCode 2.3.0 at {tmp_path / 'opencode'}" in found.checks["Passed over"]["text"]
    assert not (tmp_path / "opencode.run").exists()


def test_unusable_directories_and_settings_are_problems(visit: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    found = visit(
        tmp_path, OPENCODE_NB_BINARY="/nowhere", XDG_STATE_HOME=str(file), OPENCODE_CONFIG_CONTENT=f'{{"key": "{SECRET}'
    )
    assert found.status("Logs") == found.status("State") == "problem"
    assert "Not a directory" in found.checks["Logs"]["text"]
    assert f"Make {file} a writable directory" in found.checks["Logs"]["next_step"]
    assert found.status("OpenCode's data") == "ok"
    assert found.status("OPENCODE_CONFIG_CONTENT") == "problem"
    assert SECRET not in found.out


GOOD = {
    "ipython": "9.18.1",
    "ipykernel": "7.4.0",
    "jupyterlab": "4.6.6",
    "ipywidgets": "8.1.9",
    "jupyterlab_widgets": "3.0.17",
    "anywidget": "0.11.0",
}


@pytest.mark.parametrize(
    ("change", "name", "status"),
    [
        ({}, "Jupyter", "ok"),
        ({"ipykernel": "6.31.0"}, "ipykernel", "warning"),
        ({"ipykernel": "6.20.1"}, "ipykernel", "problem"),
        ({"ipykernel": None}, "ipykernel", "warning"),
        ({"jupyterlab": "3.6.8"}, "jupyterlab", "problem"),
        ({"jupyterlab_widgets": None}, "jupyterlab_widgets", "problem"),
        ({"anywidget": "0.9.9"}, "anywidget", "problem"),
        ({"ipywidgets": "7.8.1"}, "ipywidgets", "problem"),
        ({"ipywidgets": "8.2.0rc1"}, "Jupyter", "ok"),
    ],
)
def test_incompatible_versions_are_reported(change: dict[str, str | None], name: str, status: str) -> None:
    versions = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    worst = list(doctor.jupyter_findings(versions))[-1]
    assert (worst.name, worst.status) == (name, status)


def test_visual_studio_code_is_recognised() -> None:
    code = "import ipykernel; from opencode_nb import doctor; print(doctor._frontend())"
    env = {**os.environ, "VSCODE_PID": "1"}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True).stdout
    assert shown.startswith("! Front end: VS Code delivers no clicks while a cell runs")
