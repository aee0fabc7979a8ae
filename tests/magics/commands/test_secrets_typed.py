"""What is typed as a secret in a kernel with a page: it reaches the server, and nothing else has it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.magics.workspace import PASSWORD
from tests.api import mcp_parts
from tests.api.loopback import Loopback, serving
from tests.magics.support_kernel import Kernel, printed
from tests.session.login.plugins import add_login_plugin

KEY = "abc-0123-not-a-known-form"
AUTH = Path("opencode/auth.json")


@pytest.fixture
def guarded() -> Iterator[Loopback]:
    with serving(mcp_parts.guarded) as served:
        yield served


@pytest.fixture
def kernel(server: oc.Server, project: Path) -> Iterator[Kernel]:
    add_login_plugin(project, "demo")
    kernel = Kernel(project, {**os.environ, PASSWORD: server.password})
    kernel.run("%load_ext opencode_nb")
    kernel.run(f"%opencode start --url {server.url}")
    yield kernel
    kernel.close()


def asked(kernel: Kernel) -> list[Any]:
    return [message["content"] for message in kernel.messages if message["msg_type"] == "input_request"]


def test_secrets_are_typed_unseen_and_leave_no_trace(kernel: Kernel, guarded: Loopback) -> None:
    stored = Path(os.environ["XDG_DATA_HOME"]) / AUTH
    said = printed(kernel.run("%opencode login demo --key", answers=(KEY,)))
    assert said.strip().startswith("Logged in to ")
    assert json.loads(stored.read_text())["demo"] == {"type": "api", "key": KEY}
    said = printed(kernel.run("%opencode login demo --method 1", answers=("big", "a-code")))
    assert "Open this page: http://127.0.0.1:9/?plan=big\nLook around." in said
    assert "Logged in to " in said
    assert json.loads(stored.read_text())["demo"] == {"type": "api", "key": "none"}
    removed = printed(kernel.run("%opencode logout demo"))
    assert "Removed the login to demo, if there was one." in removed
    assert "It can still be used: its access comes from the configuration." in removed
    assert "demo" not in json.loads(stored.read_text())

    added = kernel.run(f"%opencode mcp add guarded {guarded.url}/mcp --token", answers=(mcp_parts.TOKEN,))
    assert printed(added).strip() == "guarded: connected"

    wants_login = printed(kernel.run(f"%opencode mcp add other {guarded.url}/mcp"))
    assert wants_login.strip() == "other: needs auth. %opencode mcp auth other logs in."
    landed = f"http://127.0.0.1:19876/mcp/oauth/callback?code={KEY}&state=s"
    logged_in = printed(kernel.run("%opencode mcp auth other", answers=(landed,)))
    assert f"Open this page and allow the access: {guarded.url}/authorize?" in logged_in
    assert logged_in.strip().endswith("other: connected")

    assert [question["password"] for question in asked(kernel)] == [True, False, True, True, True]
    kernel.run("print(get_ipython().history_manager.input_hist_raw, In, Out)")
    for secret in (KEY, mcp_parts.TOKEN):
        assert secret not in str(kernel.messages), "a secret is in an output, an input or the history"
