"""Several clients on one server, in one directory: each session has its own kernel's tools, and the others none."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.tools.names import own_tool, server_name
from tests.magics.support_kernel import Kernel, printed

TERMINAL_TIMEOUT = 120
"""Seconds for a prompt of OpenCode's own command; it takes about 3."""


def test_two_kernels_and_a_terminal_see_none_of_the_others_tools(
    opencode_program: Path,
    project: Path,
    short_path: Path,
    demo_model: DemoModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(demo_model.config()))
    with (
        oc.Opencode(directory=project, binary=opencode_program) as ai,
        closing(Kernel(project, os.environ)) as first,
        closing(Kernel(project, os.environ)) as second,
    ):
        names = []
        for kernel in (first, second):
            kernel.run("%load_ext opencode_nb")
            kernel.run("%%prompt -q -o turn\nhello")
            names.append(server_name(printed(kernel.run("turn.session.id")).strip("'")))
        ai.session().prompt("hello")
        assert ai.server
        terminal = [str(opencode_program), "run", "--attach", ai.server.url, "--dir", str(project), "hello"]
        password = {"OPENCODE_SERVER_PASSWORD": ai.server.password or ""}
        subprocess.run(
            terminal, env={**os.environ, **password}, check=True, capture_output=True, timeout=TERMINAL_TIMEOUT
        )
        first.run("%%prompt -q\nhello again")
        offered = [servers_offered(demo_model, n) for n in range(1, len(demo_model.requests) + 1)]
        assert offered == [{names[0]}, {names[1]}, set(), set(), {names[0]}]


def servers_offered(model: DemoModel, request: int) -> set[str]:
    """Return the names of the kernels' servers whose tools the model got with this request."""
    return {name.split("_")[0] for name in model.offered(request) if own_tool(name)}
