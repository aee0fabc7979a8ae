"""A server and a project for all maps of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.api.client import Client
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server
from tests.conftest import make_project


@pytest.fixture(scope="module")
def place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project for all tests of a file: the first prompt in a directory takes a second."""
    directory = make_project(tmp_path_factory.mktemp("many") / "project")
    yield directory
    with Client(server.url, password=server.password, directory=str(directory)) as client:
        client.instance.dispose()


@pytest.fixture
def options(server: Server, place: Path, demo_model: DemoModel) -> dict[str, Any]:
    return {"base_url": server.url, "password": server.password, "directory": place, "permission": "allow"}


@pytest.fixture
def ai(options: dict[str, Any]) -> Iterator[oc.Opencode]:
    with oc.Opencode(**options) as ai:
        yield ai
