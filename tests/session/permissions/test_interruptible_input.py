"""A question at `input()` that is answered elsewhere: nobody has to press Enter any more."""

from __future__ import annotations

import os
import pty
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil
import pytest

from opencode_nb.api.client import Client
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server
from tests.magics.support_kernel import Kernel, printed

CODE = """
import os, signal
import opencode_nb as oc
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would this one
ai = oc.Opencode(base_url=os.environ["TEST_URL"], password=os.environ["TEST_PASSWORD"], directory=os.getcwd())
turn = ai.session().prompt("Edit src/temperatures.py")
print("ENDED", turn.status, [decision.by for decision in turn.state.decisions])
try:
    print("NEXT", input("Anything else? "))
except KeyboardInterrupt:
    print("INTERRUPTED")
ai.close()
"""


@pytest.fixture
def environment(server: Server, demo_model: DemoModel) -> dict[str, str]:
    return {**os.environ, "TEST_URL": server.url, "TEST_PASSWORD": server.password}


def allow(client: Client) -> None:
    (request,) = client.permission.list()
    client.permission.reply(request["id"], reply="once")


class Terminal:
    """A program at a terminal of its own; `until` gives what it has shown once a text is in it."""

    def __init__(self, process: Popen[bytes], screen: int) -> None:
        self.process = process
        self._screen = screen
        self.shown = ""

    def until(self, text: str) -> str:
        while text not in self.shown:
            data = os.read(self._screen, 4096)
            assert data, self.shown
            self.shown += data.decode()
        return self.shown

    def waits(self) -> None:
        """Wait until it reads: between its prompt and the read, Python sees an interrupt only after the next line."""
        while psutil.Process(self.process.pid).status() != psutil.STATUS_SLEEPING:
            os.sched_yield()

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())


@contextmanager
def terminal(command: list[str], **options: Any) -> Iterator[Terminal]:
    screen, end = pty.openpty()
    with Popen(command, stdin=end, stdout=end, stderr=end, start_new_session=True, **options) as process:
        os.close(end)
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        try:
            yield Terminal(process, screen)
        finally:
            watchdog.cancel()
            process.kill()
            os.close(screen)


def test_an_answer_elsewhere_ends_the_terminal_prompt(
    environment: dict[str, str], project: Path, client: Client
) -> None:
    with terminal([sys.executable, "-c", CODE], cwd=project, env=environment) as shell:
        shell.until("Allow? ")
        allow(client)
        shown = shell.until("ENDED completed ['another client']")
        assert "(Answered elsewhere.)" in shown
        assert "Traceback" not in shown
        shell.until("Anything else? ")
        shell.type("no\n")
        shell.until("NEXT no")
    assert "scripted demo" in (project / "src/temperatures.py").read_text()


def test_an_answer_elsewhere_ends_the_kernel_input_request(
    environment: dict[str, str], project: Path, client: Client
) -> None:
    kernel = Kernel(project, environment)
    try:
        cell = kernel.start(CODE)
        assert "Allow? " in kernel.wait_for("input_request")["content"]["prompt"]
        allow(client)
        assert kernel.wait_for("input_request")["content"]["prompt"] == "Anything else? "
        kernel.client.input("no")
        shown = printed(kernel.finish(cell)) + printed(kernel.messages)
        assert "ENDED completed ['another client']" in shown
        assert "NEXT no" in shown
    finally:
        kernel.close()


def test_ctrl_c_at_the_prompt_raises_keyboard_interrupt(environment: dict[str, str], project: Path) -> None:
    with terminal([sys.executable, "-c", CODE], cwd=project, env=environment) as shell:
        shell.until("Allow? ")
        shell.waits()
        os.killpg(shell.process.pid, 2)
        shell.until("KeyboardInterrupt")


def test_a_turn_timeout_ends_the_prompt(environment: dict[str, str], project: Path, demo_model: DemoModel) -> None:
    limited = CODE.replace('py")', 'py", timeout=8)')
    with terminal([sys.executable, "-c", limited], cwd=project, env=environment) as shell:
        shell.until("Allow? ")
        shell.until("its time limit")
        assert shell.process.wait(30) == 1
