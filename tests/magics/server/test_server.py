"""%opencode start, status, stop, restart, log, tui: with an own, a shared and a joined server."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pexpect
import psutil
import pytest
from IPython.core.interactiveshell import InteractiveShell

import opencode_nb as oc
from opencode_nb.magics.workspace import PASSWORD
from tests.magics.conftest import RunCell
from tests.magics.support_kernel import Kernel, printed

STEP = 30

HOLDER = """
import sys, opencode_nb as oc
with oc.Opencode() as ai:
    print(ai.server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(work: Path, shell: InteractiveShell) -> Iterator[subprocess.Popen[str]]:
    """Another process of the same user that holds the shared server; its first line is the server's process id."""
    environment = {**os.environ, "JPY_SESSION_NAME": "/home/a person/other.ipynb"}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.communicate()


def server_of(shell: InteractiveShell) -> oc.Server:
    server: oc.Server = shell.user_ns["_"].session.owner.server
    return server


def test_status_shows_program_server_users_and_sessions(
    run_cell: RunCell, shell: InteractiveShell, opencode_program: Path
) -> None:
    run_cell("%%prompt -q\nSay exactly: one")
    server = server_of(shell)
    lines = run_cell("%opencode status").printed.splitlines()
    assert lines[0].startswith(f"OpenCode {server.version} at {server.url}, in ")
    assert lines[1] == f"Program: {opencode_program}"
    told = re.fullmatch(r"Server: shared, process (\d+), (\d+) MB, up (?:\d+ min )?\d+ s", lines[2])
    assert told
    assert int(told[1]) == server.pid
    assert int(told[2]) > 100
    assert lines[3].startswith("Used by: ")
    assert lines[3].endswith(" (this kernel)")
    assert lines[4] == f"Log: {server.log_path}"
    assert lines[5].startswith("Model: demo/demo")
    assert re.fullmatch(r"Session: ses_\w+ .*, \$0\.\d{4} \(1 in this directory\)", lines[6])
    assert "opencode server listening" in run_cell("%opencode log 10000").printed
    assert len(run_cell("%opencode log 1").printed.splitlines()) == 2


def test_other_users_of_the_server_are_listed_and_not_disturbed(
    run_cell: RunCell, shell: InteractiveShell, other: subprocess.Popen[str]
) -> None:
    run_cell("%%prompt -q\nSay exactly: before")
    server, session = server_of(shell), shell.user_ns["_"].session.id
    assert other.stdout is not None
    assert int(other.stdout.readline()) == server.pid
    named = f"other.ipynb (process {other.pid})"
    assert named in run_cell("%opencode status").printed
    refused = run_cell("%opencode restart")
    assert refused.error is not None
    assert f"used by {named}: a restart cuts off" in refused.printed
    pid = server.pid
    assert f"the server keeps running for {named}" in run_cell("%opencode stop").printed
    run_cell("%%prompt -q\nSay exactly: joined again")
    assert (server_of(shell).pid, shell.user_ns["_"].session.id) == (pid, session)
    assert "Restarting OpenCode…" in run_cell("%opencode restart --force").printed
    assert server_of(shell).pid != pid
    run_cell("%%prompt -q\nSay exactly: after the restart")
    assert shell.user_ns["_"].session.id == session


def test_status_does_not_wait_for_a_restarting_server(run_cell: RunCell, shell: InteractiveShell) -> None:
    run_cell("%%prompt -q\nSay exactly: before")
    server = server_of(shell)
    process = psutil.Process(server.pid)
    keeper = process.parent()
    assert keeper is not None
    down = threading.Event()

    def stay_down() -> None:
        if not down.is_set():
            keeper.suspend()
            down.set()

    server.on_down(stay_down)
    process.kill()
    assert down.wait(STEP)
    lines = run_cell("%opencode status").printed.splitlines()
    keeper.resume()
    assert lines[0] == "OpenCode is restarting; the next %%prompt waits for it."
    assert lines[-1] == f"Log: {server.log_path}"
    run_cell("%%prompt -q\nSay exactly: back")
    assert shell.user_ns["_"].text == "back"
    told = run_cell("%opencode status").printed
    assert f"OpenCode {server.version} at {server.url}" in told
    assert re.search(r"\nConnection: works again; failed \d+ times?, last (\d+ min )?\d+ s ago: .+", told)


def test_an_own_server_is_started_and_stopped(
    run_cell: RunCell, shell: InteractiveShell, other: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = run_cell("%opencode start --own").printed
    assert "Server: this kernel's own, process " in started
    assert "Used by" not in started
    assert other.stdout is not None
    run_cell("%%prompt -q\nSay exactly: mine")
    assert int(other.stdout.readline()) != server_of(shell).pid
    before = server_of(shell).pid
    assert run_cell("%opencode restart").error is None
    assert server_of(shell).pid != before
    assert run_cell("%opencode stop").printed == "OpenCode stopped; the next %%prompt starts it again.\n"
    monkeypatch.setenv("OPENCODE_NB_SHARED", "0")
    assert "Server: this kernel's own" in run_cell("%opencode start").printed
    run_cell("%config OpencodeMagics.shared = True")
    assert "Server: shared" in run_cell("%opencode start").printed
    run_cell("%config OpencodeMagics.shared = None")


def test_a_running_server_is_joined_and_left_running(
    run_cell: RunCell, shell: InteractiveShell, server: oc.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run_cell(f"%opencode start --url {server.url}")
    assert "AuthenticationError" in refused.printed
    monkeypatch.setenv(PASSWORD, server.password)
    connected = run_cell(f"%opencode start --url {server.url}").printed
    assert connected.startswith(f"Connecting…\nOpenCode {server.version} at {server.url}, in ")
    assert "Log: " not in connected
    run_cell("%%prompt -q\nSay exactly: joined")
    assert shell.user_ns["_"].text == "joined"
    assert "was not started from here: restart it where it was" in run_cell("%opencode restart").printed
    assert "There is no log" in run_cell("%opencode log").printed
    assert "was not started from here" in run_cell("%opencode tui").printed
    assert "Disconnected; the server keeps running." in run_cell("%opencode stop").printed
    run_cell("%%prompt -q\nSay exactly: and again")
    assert shell.user_ns["_"].text == "and again"
    assert server.alive
    monkeypatch.delenv(PASSWORD)
    run_cell("%opencode start")


def test_the_password_of_a_running_server_is_asked_for_and_kept_from_the_notebook(
    server: oc.Server, work: Path
) -> None:
    kernel = Kernel(work, os.environ)
    try:
        kernel.run("%load_ext opencode_nb")
        messages = kernel.run(f"%opencode start --url {server.url}", answers=(server.password,))
        assert f"OpenCode {server.version} at {server.url}" in printed(messages)
        (asked,) = [message["content"] for message in kernel.messages if message["msg_type"] == "input_request"]
        assert asked == {"prompt": f"Password of {server.url} (empty for none): ", "password": True}
        assert server.password not in str(kernel.messages)
    finally:
        kernel.close()


def test_the_terminal_ui_is_attached_without_showing_the_password(
    run_cell: RunCell, shell: InteractiveShell, work: Path
) -> None:
    run_cell("%opencode new Seen in the terminal")
    run_cell("%%prompt -q\nSay exactly: shown in the terminal")
    server, session = server_of(shell), shell.user_ns["_"].session.id
    command, note = run_cell("%opencode tui").printed.splitlines()
    assert server.password not in command + note
    assert f" attach {server.url} --dir {work} --session {session}" in command
    file = Path(re.findall(r"\$\(cat (.*?)\)", command)[0])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    with pexpect.spawn("sh", ["-c", f"exec env {command}"], dimensions=(40, 120), timeout=STEP) as terminal:
        terminal.expect("shown in the terminal")
        argv = Path(f"/proc/{terminal.pid}/cmdline").read_text()
        assert server.url in argv
        assert server.password not in argv
    assert run_cell("%opencode status").error is None


def test_the_terminal_uis_password_file_is_deleted_with_its_process(work: Path, shell: InteractiveShell) -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell as Shell\nshell = Shell.instance()\n"
        "shell.run_line_magic('load_ext', 'opencode_nb')\nshell.run_line_magic('opencode', 'tui')\n"
    )
    command = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    (named,) = re.findall(r"\$\(cat (.*?)\)", command)
    assert not Path(named).exists()


def test_doctor_checks_the_server_in_use(run_cell: RunCell) -> None:
    run_cell("%opencode start")
    told = run_cell("%opencode doctor").printed
    assert re.search(r"Server: running, version \d", told)
    assert told.splitlines()[-1] == "No problems found." or re.search(r"\d+ problem|no problems", told.splitlines()[-1])
