"""A cell whose turn has failed, in a kernel with a page: the failure is told once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencode_nb.demo import DemoModel
from opencode_nb.demo.script import error
from tests.magics.support_kernel import Kernel

MESSAGE = "No such luck"


@pytest.fixture
def kernel(opencode_program: Path, server_model: DemoModel, project: Path) -> Iterator[Kernel]:
    kernel = Kernel(project, {**os.environ, "OPENCODE_CONFIG_CONTENT": json.dumps(server_model.config())})
    kernel.run("%load_ext opencode_nb")
    yield kernel
    kernel.close()


def told(kernel: Kernel, options: str) -> tuple[bool, str]:
    """Run a prompt that fails; return whether the turn tells the message, and the cell's red line.

    What programs read of the error has the message in any case.
    """
    said = kernel.run(f"%%prompt {options}\nTry it")
    messages = [message["content"] for message in said if message["msg_type"] != "execute_reply"]
    turns = [content["data"]["text/plain"] for content in messages if "text/html" in content.get("data", {})]
    (error,) = [content for content in messages if "traceback" in content]
    (line,) = error["traceback"]
    assert MESSAGE in error["evalue"]
    return any(MESSAGE in turn for turn in turns), line


def test_a_failure_is_told_in_the_turn_or_in_the_red_line(kernel: Kernel, server_model: DemoModel) -> None:
    server_model.queue([error(400, MESSAGE)])
    assert told(kernel, "") == (True, "TurnError: see the turn above.")
    server_model.queue([error(400, MESSAGE)])
    in_turn, line = told(kernel, "-q")
    assert not in_turn
    assert MESSAGE in line
