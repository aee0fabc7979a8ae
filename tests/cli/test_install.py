"""`opencode-nb install` as a process: in a terminal, and with its output read by a program."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.server.registry import Registry, serving, tarball
from tests.support.isolation import NPM_OFFLINE

SIZE = 4_000_000
STEP = 60
COMMAND = [sys.executable, "-c", "import sys; from opencode_nb.cli import main; sys.exit(main())", "install"]


@pytest.fixture
def registry(not_quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry with a version that takes a while to download; nothing is installed, npm's cache is empty."""
    with serving(Registry({"1.21.0": tarball("1.21.0", SIZE)}, {"next": "1.21.0"})) as registry:
        monkeypatch.delenv(NPM_OFFLINE)
        monkeypatch.setenv("npm_config_registry", registry.url)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        monkeypatch.delenv("OPENCODE_NB_BINARY", raising=False)
        yield registry


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


def test_stdout_has_only_the_path(registry: Registry, tmp_path: Path) -> None:
    program = tmp_path / "data/opencode-nb/versions/1.21.0/opencode"
    done = run("next")
    assert (done.returncode, done.stdout) == (0, f"{program}\n")
    steps = [line.split()[0] for line in done.stderr.splitlines()]
    assert steps[:6] == ["Finding", "Finding", "Downloading", "Unpacking", "Installing", "Checking"]
    assert run("1.21.0").stderr.splitlines() == done.stderr.splitlines()[6:]  # already installed
    assert "1.21.0          4 MB" in run("--list").stdout
    assert run("--remove", "1.21.0").stdout == "Removed OpenCode 1.21.0: 4 MB freed.\n"
    assert not program.exists()
    again = run("--remove", "1.21.0")
    assert (again.returncode, again.stdout) == (1, "")
    assert "is not installed here, so it can't be removed. Installed: none." in again.stderr


def test_a_terminal_shows_a_bar_and_ctrl_c_keeps_the_download(registry: Registry, tmp_path: Path) -> None:
    registry.holds = True
    options = [*COMMAND[1:], "1.21.0"]
    with pexpect.spawn(COMMAND[0], options, dimensions=(24, 100), timeout=STEP, encoding="utf-8") as terminal:
        terminal.expect(r"Downloading opencode-\S+ 1\.21\.0 [^\r\n]*━[^\r\n]*/4\.\d MB")
        os.kill(terminal.pid, signal.SIGINT)
        terminal.expect(pexpect.EOF)
        assert terminal.wait() == 130
    registry.holds = False
    registry.go_on.set()
    assert run("1.21.0").returncode == 0
    first, second = registry.asked
    assert first is None
    assert second is not None
    assert int(re.findall(r"\d+", second)[0]) > 0
