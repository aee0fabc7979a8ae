"""The program installed by the real npm, from the real registry, into a data directory of the test's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opencode_nb.errors import BinaryNotFoundError, ServerError
from opencode_nb.server import binary, find_binary, install_binary
from opencode_nb.server.binary import PINNED_VERSION, binary_version, versions_directory
from opencode_nb.server.install import UNFINISHED


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with nothing in it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("OPENCODE_NB_BINARY", raising=False)
    return tmp_path / "data"


def test_two_at_once_are_both_right_and_one_more_has_nothing_to_do(data: Path) -> None:
    steps: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        installs = [pool.submit(install_binary, progress=lambda step, written: steps.append(step)) for _ in range(2)]
        programs = {install.result() for install in installs}
    assert programs == {versions_directory() / PINNED_VERSION / "opencode"}
    program = programs.pop()
    assert program.is_relative_to(data)
    assert binary_version(program) == PINNED_VERSION
    assert [path.name for path in versions_directory().iterdir()] == [PINNED_VERSION]  # nothing unfinished
    assert any(step.startswith("Downloading") for step in steps)
    before = program.stat()
    assert install_binary() == program
    assert program.stat() == before


def test_npm_of_the_python_package_where_there_is_no_other(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(data))
    assert find_binary(install_binary()) == versions_directory() / PINNED_VERSION / "opencode"


def test_install_that_was_killed_is_never_found(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os, signal\nfrom opencode_nb.server import install_binary\n"
        "def progress(step, written):\n    if written: os.kill(os.getpid(), signal.SIGKILL)\n"
        "install_binary(progress=progress)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert [path.name.startswith(UNFINISHED) for path in versions_directory().iterdir()] == [True]
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(binary, "INSTALLER_PLACES", ())
    with pytest.raises(BinaryNotFoundError):
        find_binary()


def test_what_killed_installs_left_goes_with_time(data: Path) -> None:
    old, new = (versions_directory() / f"{UNFINISHED}{age}" for age in ("old", "new"))
    for directory in (old, new):
        directory.mkdir(parents=True)
    os.utime(old, (0, 0))
    with pytest.raises(ServerError):
        install_binary("999.0.0")
    assert (old.exists(), new.exists()) == (False, True)


def test_no_network(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(data / "cache"))
    with pytest.raises(ServerError, match="registry could not be reached"):
        install_binary()
    assert list(versions_directory().iterdir()) == []


def test_version_that_does_not_exist(data: Path) -> None:
    with pytest.raises(ServerError, match="There is no such version"):
        install_binary("999.0.0")
    assert list(versions_directory().iterdir()) == []


@pytest.mark.parametrize("version", ["", "latest", "../1.18.33", "1.18.33; rm"])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(ServerError, match="is no version"):
        install_binary(version)


def test_place_that_can_not_be_written(data: Path) -> None:
    data.write_text("in the way")
    with pytest.raises(ServerError, match="could not be installed in"):
        install_binary()


def test_callers_exception_ends_npm_and_leaves_nothing() -> None:
    class StopItError(Exception):
        pass

    npm_runs = threading.Event()

    def progress(step: str, written: int) -> None:
        npm_runs.set()
        raise StopItError

    with pytest.raises(StopItError):
        install_binary(progress=progress)
    assert npm_runs.is_set()
    assert list(versions_directory().iterdir()) == []
