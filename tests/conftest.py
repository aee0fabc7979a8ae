"""What every test rests on: nothing of the user's is read or written, and nothing that a test starts outlives the run.

The real `opencode` program, a real server, a real git repository; only the model is scripted.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import isolation

if TYPE_CHECKING:  # the package is imported by the fixtures, after the environment was isolated
    from opencode_nb.api.client import Client
    from opencode_nb.demo import DemoModel
    from opencode_nb.server import Server

REPOSITORY = Path(__file__).resolve().parents[1]
HOME = pytest.StashKey[str]()
SURVIVORS = pytest.StashKey[list[str]]()

START_TIMEOUT = 120
"""Seconds until the run's server is ready, on however busy a machine: all tests that need it fail without it."""

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


# --- the quick tests --------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--quick`, which `make quick` gives."""
    parser.addoption("--quick", action="store_true", help="leave out what uses the fixture or marker not_quick")


@pytest.fixture(scope="session")
def not_quick() -> None:
    """Keep every test that uses this, directly or through another fixture, out of `make quick`.

    Fixtures that start the `opencode` program, a browser, a kernel, npm, a type checker or a wheel build take it, so
    the fixtures of a new test decide. A test that does one of these by itself, or runs for seconds, has the marker.
    """


BROWSER_TESTS = Path(__file__).parent / "e2e"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--quick`, do not import what needs JupyterLab and a browser throughout: that takes seconds."""
    return True if config.getoption("quick") and collection_path == BROWSER_TESTS else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--quick`, leave out what uses the fixture or marker `not_quick`."""
    if config.getoption("quick"):
        slow = {item for item in items if is_slow(item)}
        config.hook.pytest_deselected(items=list(slow))
        items[:] = [item for item in items if item not in slow]


def is_slow(item: pytest.Item) -> bool:
    """Tell whether `make quick` leaves this test out."""
    return "not_quick" in getattr(item, "fixturenames", ()) or item.get_closest_marker("not_quick") is not None


# --- isolation --------------------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Isolate before anything is collected, so that no import sees the user's environment either.

    A shell starts what it puts in the background with SIGINT ignored, and every child inherits that: Stop would do
    nothing in any test.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    isolation.without_slow_imports()
    program = None if config.getoption("quick") else isolation.find_program()
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
    session.config.stash[SURVIVORS] = survivors
    if survivors:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what outlived the run."""
    if survivors := config.stash.get(SURVIVORS, []):
        terminalreporter.section("processes outlived the run", red=True)
        terminalreporter.write_line("\n".join(survivors))


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Return the directory for what a run leaves to look at: screenshots, reports."""
    directory = REPOSITORY / "artifacts"
    (directory / "screenshots").mkdir(parents=True, exist_ok=True)
    return directory


# --- the real parts ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def opencode_program(not_quick: None) -> Path:
    """Return the `opencode` program; `make` has installed it, else it is installed for this run."""
    from opencode_nb.server.install import install_binary

    program = isolation.find_program()
    if program is None:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(isolation.NPM_OFFLINE)
            program = install_binary()
    os.environ[isolation.PROGRAM] = str(program)
    return program


@pytest.fixture(scope="session")
def server_model() -> Iterator[DemoModel]:
    """The model behind `server` and what kernels start. Tests take `demo_model`, the same made ready for each."""
    from opencode_nb.demo import DemoModel

    with DemoModel(pace=0) as model:
        yield model


@pytest.fixture
def demo_model(server_model: DemoModel) -> Iterator[DemoModel]:
    """A scripted model that answers as fast as it is asked. It remembers this test's requests only.

    A script that nothing asked for fails the test, and is gone for the next one.
    """
    server_model.reset()
    yield server_model
    left = server_model.queued
    server_model.reset()
    assert left == 0, "the test queued scripts that nothing asked for"


@pytest.fixture(scope="session")
def server(
    opencode_program: Path, server_model: DemoModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A running server on the demo model, one for the run: a start takes 3 seconds of a processor.

    Work in `project`: every request may name its own directory.
    """
    from opencode_nb.server import serve

    directory = tmp_path_factory.mktemp("server")
    config = server_model.config()
    with serve(config=config, directory=directory, binary=opencode_program, timeout=START_TIMEOUT) as server:
        yield server


@pytest.fixture
def client(server: Server, project: Path) -> Iterator[Client]:
    """A client of `server` that works in `project`."""
    from opencode_nb.api.client import Client

    with Client(server.url, password=server.password, directory=str(project)) as client:
        yield client


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small git repository with one commit: a readme, a module, its test, some data.

    `server` forgets it after the test: it keeps threads, files and what was allowed always for each directory.
    """
    directory = make_project(tmp_path / "project")
    yield directory
    if "server" in request.fixturenames:
        forget(request.getfixturevalue("server"), directory)


@pytest.fixture(scope="module")
def shared_project(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project for all tests of a module that change no files and look at no diffs: it has no snapshots.

    The first prompt in a directory costs the server a second of a core, and snapshots half of every other prompt.
    """
    directory = make_project(tmp_path_factory.mktemp("shared") / "project", snapshots=False)
    yield directory
    forget(server, directory)


@pytest.fixture
def workplace(request: pytest.FixtureRequest) -> Path:
    """Where a module's clients work: in `project` for a test that takes it, else in `shared_project`."""
    own = "project" in request.fixturenames
    directory: Path = request.getfixturevalue("project" if own else "shared_project")
    return directory


def forget(server: Server, directory: Path) -> None:
    """Have the server drop what it keeps for a directory."""
    from opencode_nb.api.client import Client

    with Client(server.url, password=server.password, directory=str(directory)) as client:
        client.instance.dispose()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name: `tmp_path` of a worker is too long for one."""
    with tempfile.TemporaryDirectory(prefix="oc-") as directory:
        yield Path(directory)


def make_project(directory: Path, *, snapshots: bool = True) -> Path:
    """Write the files of a small project into `directory`, and commit them."""
    settings = {} if snapshots else {"opencode.json": '{"snapshot": false}\n'}
    for name, content in {**PROJECT_FILES, **settings}.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "First measurements"]):
        subprocess.run(["git", *arguments], cwd=directory, check=True)
    return directory
