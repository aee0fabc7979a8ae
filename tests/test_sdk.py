"""docs/sdk.md: every example runs as it stands on the real server, and every test that a row names exists."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.functions import registry
from opencode_nb.server import Server
from tests.conftest import make_project

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"\*\*(.+?)\*\*\n\n```python\n(.*?)```", DOCUMENT, re.DOTALL)
ROWS = re.findall(r"^\| ([A-EH]\d+) \|.*\| (`tests/.+`) \|$", DOCUMENT, re.MULTILINE)
"""Each capability with its tests: those of a file, of another after a semicolon."""
TESTS = [(row, *file) for row, named in ROWS for file in re.findall(r"`(tests/[\w/]+\.py)`: ([`\w, ]+)", named)]
LATER = {"H1"}
"""Rows that the end of the document names as missing."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("sdk") / "project", snapshots=False)


@pytest.fixture(scope="module")
def shared(opencode_program: Path, server_model: DemoModel, place: Path) -> Iterator[None]:
    """One server that the examples share, as the notebooks of a user do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(server_model.config()))
        patch.chdir(place)
        with oc.Opencode():
            yield


@pytest.fixture
def clean() -> Iterator[None]:
    """Take back what an example leaves to its whole process: tools, and who reads the log."""
    log = logging.getLogger("opencode_nb")
    handlers, level = list(log.handlers), log.level
    yield
    log.handlers[:] = handlers
    log.setLevel(level)
    for tool in registry.decorated():
        tool.remove()


@pytest.mark.parametrize(("title", "example"), EXAMPLES, ids=[title for title, _example in EXAMPLES])
def test_an_example_runs_and_prints(
    title: str,
    example: str,
    shared: None,
    clean: None,
    server: Server,
    demo_model: DemoModel,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"oc": oc, "url": server.url, "password": server.password}
    exec(compile(example, f"docs/sdk.md: {title}", "exec"), names)
    demo_model.reset()
    assert capsys.readouterr().out.strip()


def test_every_row_names_tests_that_exist() -> None:
    missing = []
    for row, file, named in TESTS:
        path = ROOT / file
        there = set(re.findall(r"^(?:async )?def (\w+)", path.read_text("utf-8"), re.M)) if path.is_file() else set()
        missing += [f"{row}: {file}::{name}" for name in re.findall(r"`(\w+)`", named) if name not in there]
    assert missing == []


def test_every_capability_has_its_row() -> None:
    last = {"A": 11, "B": 10, "C": 17, "D": 14, "E": 3, "H": 14}
    wanted = {f"{area}{number}" for area, count in last.items() for number in range(1, count + 1)}
    assert {row for row, _named in ROWS} == wanted - LATER
