"""What every test rests on: nothing of the user's is read or written, and nothing that a test starts outlives the run.

The real `opencode` program, a real server, a real git repository; only the model is scripted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import isolation

if TYPE_CHECKING:  # the package is imported by the fixtures, after the environment was isolated
    from opencode_nb import Client
    from opencode_nb.demo import DemoModel
    from opencode_nb.server import Server

REPOSITORY = Path(__file__).resolve().parents[1]
HOME = pytest.StashKey[str]()

PROJECT_FILES = {
    "README.md": "# Temperatures\n\nReads measurements and summarises them.\n",
    "pyproject.toml": '[project]\nname = "temperatures"\nversion = "0.1.0"\n',
    "src/temperatures.py": (
        '"""Temperatures in degrees Celsius."""\n\n\n'
        "def mean(values: list[float]) -> float:\n"
        "    return sum(values) / len(values)\n\n\n"
        "def to_fahrenheit(celsius: float) -> float:\n"
        "    return celsius * 9 / 5 + 32\n"
    ),
    "tests/test_temperatures.py": (
        "from temperatures import mean\n\n\ndef test_mean() -> None:\n    assert mean([1.0, 3.0]) == 2.0\n"
    ),
    "data/measured.csv": "day,celsius\nmonday,21.5\ntuesday,19.0\n",
}


# --- isolation --------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Isolate before anything is collected, so that no import sees the user's environment either."""
    program = isolation.find_program()
    config.stash[HOME] = tempfile.mkdtemp(prefix="opencode-nb-tests-")
    isolation.isolate(os.environ, Path(config.stash[HOME]), program)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the run kept in its own home."""
    shutil.rmtree(config.stash[HOME], ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what outlived the run, and fail the run for it."""
    if hasattr(session.config, "workerinput"):
        return  # the controller of a distributed run looks, when its workers have ended
    survivors = isolation.end_survivors()
    if survivors:
        session.config.get_terminal_writer().line(
            "\nProcesses outlived the run:\n  " + "\n  ".join(survivors), red=True
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Return the directory for what a run leaves to look at: screenshots, reports."""
    directory = REPOSITORY / "artifacts"
    (directory / "screenshots").mkdir(parents=True, exist_ok=True)
    return directory


# --- the real parts ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def opencode_program() -> Path:
    """Return the `opencode` program; `make` has installed it, else it is installed for this run."""
    from opencode_nb.server import install_binary

    return isolation.find_program() or Path(install_binary())


@pytest.fixture(scope="module")
def demo_model() -> Iterator[DemoModel]:
    """A scripted model that answers as fast as it is asked."""
    from opencode_nb.demo import DemoModel

    with DemoModel(pace=0) as model:
        yield model


@pytest.fixture(scope="module")
def server(opencode_program: Path, demo_model: DemoModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server on the demo model, one for each test module: a start takes 1.3 to 3 seconds.

    Work in `project`: every request may name its own directory.
    """
    from opencode_nb.server import serve

    directory = tmp_path_factory.mktemp("server")
    with serve(config=demo_model.config(), directory=directory, binary=opencode_program) as server:
        yield server


@pytest.fixture
def client(server: Server, project: Path) -> Iterator[Client]:
    """A client of `server` that works in `project`."""
    from opencode_nb import Client

    with Client(server.url, password=server.password, directory=project) as client:
        yield client


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small git repository with one commit: a readme, a module, its test, some data."""
    return make_project(tmp_path / "project")


def make_project(directory: Path) -> Path:
    """Write the files of a small project into `directory`, and commit them."""
    for name, content in PROJECT_FILES.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "First measurements"]):
        subprocess.run(["git", *arguments], cwd=directory, check=True)
    return directory
