"""The server's password is nowhere but in the server's environment, in what it runs, and in this process's objects."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server
from tests.magics.support_kernel import Kernel

HANDED_OVER = "password"
"""The file in which a test's kernel tells the test what to look for."""

STORE = "opencode.db"
"""The server's own store: it keeps what a tool printed, and a tool that prints its environment prints the password."""


def forms_of(password: str) -> list[bytes]:
    """How it could be written: plain, and as a basic-auth header."""
    return [password.encode(), base64.b64encode(f"opencode:{password}".encode())]


def assert_without(data: bytes, password: str, where: object) -> None:
    for form in forms_of(password):
        at = data.find(form)
        assert at < 0, f"{where}: …{data[max(0, at - 200) : at]!r}"


def holders(password: str, kind: str) -> set[int]:
    """The processes whose /proc/PID/{kind} (cmdline or environ) has the password."""
    found = set()
    for process in psutil.process_iter():
        try:
            data = Path(f"/proc/{process.pid}/{kind}").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if any(form in data for form in forms_of(password)):
            found.add(process.pid)
    return found


def strangers(password: str, server: int) -> set[int]:
    """Who has the password in its environment, and is neither the server nor started by it."""
    found = holders(password, "environ")
    server_and_below = {server, *(process.pid for process in psutil.Process(server).children(recursive=True))}
    return {pid for pid in found - server_and_below if psutil.pid_exists(pid)}


@pytest.fixture
def env(opencode_program: Path, server_model: DemoModel, tmp_path: Path) -> dict[str, str]:
    """A kernel's environment: the scripted model is configured, and all that is written goes below one directory."""
    home = tmp_path / "home"
    directories = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
    (tmp_path / "tmp").mkdir()
    home.mkdir()
    own = {"HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "TMPDIR": str(tmp_path / "tmp"), **directories}
    return {**os.environ, **own, "OPENCODE_CONFIG_CONTENT": json.dumps(server_model.config())}


@pytest.fixture
def kernel(env: dict[str, str], project: Path) -> Iterator[Kernel]:
    kernel = Kernel(project, env)
    yield kernel
    kernel.close()


CELLS = (
    "%load_ext opencode_nb",
    "%opencode start",
    "%%prompt --permission allow\nEdit src/temperatures.py",
    "%%prompt --permission allow\nRun `env`",
    "%opencode sessions",
    "_",
    "session = _.session; ai = session.owner; ai, session, ai.server, ai.client, ai._async.client, ai.client.session",
    "%%prompt\nFail with a provider error 400",
    "%%prompt -m demo/none\nhi",
    "%opencode undo",
    "ai.client.session.get('ses_none')",
    "import os; os.kill(ai.server.pid, 9)",
    "ai.client.session.list()",
    "%opencode status",
    "%%prompt\nSay exactly: back again",
    "%opencode help",
)


def test_no_message_file_or_command_line_contains_the_password(kernel: Kernel, tmp_path: Path, project: Path) -> None:
    for cell in CELLS[:7]:
        kernel.run(cell)
    kernel.run("%%prompt\nRun `touch made`", ("y",))
    tell = f"from pathlib import Path; Path({str(tmp_path / HANDED_OVER)!r}).write_text(ai.server.password)"
    kernel.run(tell)
    password = (tmp_path / HANDED_OVER).read_text()
    assert len(password) >= 32
    assert holders(password, "cmdline") == set()
    for cell in CELLS[7:]:
        kernel.run(cell)
    kernel.run(tell)
    assert (tmp_path / HANDED_OVER).read_text() == password  # the server that was killed is back
    (tmp_path / HANDED_OVER).unlink()
    assert {"comm_open", "comm_msg"} <= {message["msg_type"] for message in kernel.messages}
    kernel.run("%opencode stop")
    for message in kernel.messages:
        assert_without(json.dumps(message, default=str).encode(), password, message["msg_type"])
    for file in [*tmp_path.rglob("*"), *project.rglob("*")]:
        if file.is_file() and not file.name.startswith(STORE):
            assert_without(file.read_bytes(), password, file)
    assert list((tmp_path / "home").rglob("server-*.log"))


def test_only_the_server_and_its_tools_have_the_password_in_environ(
    kernel: Kernel, tmp_path: Path, project: Path
) -> None:
    fifo = tmp_path / "tool-runs"
    os.mkfifo(fifo)
    kernel.run("%load_ext opencode_nb")
    kernel.run("%%prompt -q -o turn\nSay exactly: hi")
    server = "turn.session.owner.server"
    tell = f"from pathlib import Path; Path('told').write_text(f'{{{server}.pid}} {{{server}.password}}')"
    kernel.run(tell)
    pid, password = (project / "told").read_text().split()
    (project / "told").unlink()
    assert int(pid) in holders(password, "environ")
    assert strangers(password, int(pid)) == set()
    cell = kernel.start(f"%%prompt --permission allow\nRun `echo $$ > {fifo}; sleep 1000; true`")
    shell = int(fifo.read_text())
    assert shell in holders(password, "environ")
    assert strangers(password, int(pid)) == set()
    assert holders(password, "cmdline") == set()
    kernel.manager.interrupt_kernel()
    kernel.finish(cell)


def test_no_saved_notebook_contains_the_password(env: dict[str, str], project: Path, tmp_path: Path) -> None:
    tell = "Path('told').write_text(ai.server.password)"
    cells = [nbformat.v4.new_code_cell(cell) for cell in (*CELLS[:7], f"from pathlib import Path; {tell}", *CELLS[7:])]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(project)}}
    NotebookClient(notebook, timeout=120, resources=resources, allow_errors=True).execute(env=env)
    saved = nbformat.writes(notebook).encode()
    assert b"back again" in saved
    assert_without(saved, (project / "told").read_text(), "notebook")


# --- objects in this process ------------------------------------------------------------------------------------------


def shown(value: Any) -> bytes:
    """Everything that a notebook or a log would show of it."""
    bundle = getattr(value, "_repr_mimebundle_", None)
    return "\n".join([repr(value), str(value), f"{value}", str(bundle() if bundle else "")]).encode()


def test_no_repr_contains_the_password(server: Server, project: Path, demo_model: DemoModel) -> None:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        session = ai.session()
        turn = session.prompt("Say exactly: hi")
        originals = [ai._async, ai._async.client, session._async]
        for value in (server, ai, session, turn, ai.client, ai.client.session, ai.client.operations, *originals):
            assert_without(shown(value), server.password, type(value))
        for value in (turn.provenance, turn.messages, turn.tools, turn.state, session._async.transcript.info):
            assert_without(repr(value).encode(), server.password, type(value))


@pytest.mark.parametrize("how", ["nobody listens", "refused", "not found"])
def test_no_error_contains_the_password(server: Server, how: str, unused_url: str) -> None:
    password = server.password if how == "not found" else server.password + "-and-more"
    url = unused_url if how == "nobody listens" else server.url
    with oc.Client(url, password=password, max_retries=0) as client, pytest.raises(oc.OpencodeError) as raised:
        client.session.get("ses_none")
    frames = traceback.walk_tb(raised.value.__traceback__)
    local = [repr(frame.f_locals) for frame, _ in frames if "opencode_nb" in frame.f_code.co_filename]
    told = "".join([*traceback.format_exception(raised.value), *local, repr(vars(raised.value)), repr(vars(client))])
    assert_without(told.encode(), password, how)
    assert_without(told.encode(), server.password, how)


@pytest.fixture
def unused_url() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_server_that_fails_to_start_does_not_reveal_the_password(tmp_path: Path) -> None:
    program = tmp_path / "opencode"
    shutil.copyfile("/bin/false", program)
    program.chmod(0o755)
    password = secrets.token_urlsafe()
    with pytest.raises(oc.ServerError) as raised:
        oc.serve(binary=program, env={"OPENCODE_SERVER_PASSWORD": password}, directory=tmp_path)
    told = "".join(traceback.format_exception(raised.value)) + repr(vars(raised.value))
    assert_without(told.encode(), password, "error")
