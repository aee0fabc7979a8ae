"""A separate server for each test that ends it; the shared one is for tests that only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opencode_nb.server import Server, serve


@pytest.fixture
def start(opencode_program: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`serve` with the real program in the test's own directory; closes all servers at the end."""
    servers: list[Server] = []

    def start(**options: Any) -> Server:
        servers.append(serve(**{"directory": tmp_path, "binary": opencode_program, **options}))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """A broken `opencode`: a shell script with the given lines."""

    def program(lines: str) -> Path:
        path = tmp_path / "broken-opencode"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
        return path

    return program
