"""A session on the real server, and a recording of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server


@pytest.fixture
def ai(server: Server, project: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    """A client that allows what the agent asks for."""
    with oc.Opencode(base_url=server.url, password=server.password, directory=project, permission="allow") as ai:
        yield ai


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a recording, not there yet."""
    return tmp_path / "turns.jsonl"
