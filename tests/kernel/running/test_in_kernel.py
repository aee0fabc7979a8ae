"""The agent's code in a real kernel: while it idles, while a cell computes or awaits, and while a prompt waits."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support_lab import KERNELS
from tests.magics.support_kernel import Kernel, Message, printed

WAIT = 60
"""Seconds for a result, on however busy a machine."""


@pytest.fixture(scope="module", params=KERNELS)
def kernel(
    request: pytest.FixtureRequest, not_quick: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])}
    kernel = Kernel(tmp_path_factory.mktemp("kernel"), env, allow_stdin=False, python=KERNELS[request.param])
    kernel.run("from tests.kernel.running.kernel_code import ask, prompt, runner")
    yield kernel
    kernel.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a result of `ask` goes."""
    return tmp_path / "result"


def result(file: Path) -> tuple[str, bool, bool]:
    """Wait for a result of `ask`."""
    deadline = time.monotonic() + WAIT
    while not file.exists():
        assert time.monotonic() < deadline, "the agent's code has not ended"
        time.sleep(0.01)  # the file is renamed into its place when it is complete
    text, failed, by_user = json.loads(file.read_text())
    return text, failed, by_user


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + WAIT
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} was not made"
        time.sleep(0.01)  # for the same reason


def numbers(messages: list[Message]) -> list[int]:
    """Return the numbers that a cell's messages give it."""
    return [m["content"]["execution_count"] for m in messages if "execution_count" in m["content"]]


def kinds(messages: list[Message]) -> list[str]:
    return [m["msg_type"] for m in messages if m["msg_type"] not in ("status", "execute_reply")]


def test_a_waiting_cell_keeps_its_number_its_value_and_its_output(kernel: Kernel) -> None:
    code = "print('out'); display(5)\nimport os, sys; print('err', file=sys.stderr)\nx = 6\n!echo shell\n"
    code += "_ = os.system('echo program')\n1/0"
    messages = kernel.run(f"prompt({code!r})\n'mine'")
    assert kinds(messages) == ["execute_input", "stream", "execute_result"]
    assert len(set(numbers(messages))) == 1
    assert "ZeroDivisionError" in printed(messages)
    assert "program" in printed(messages)
    assert "x: new int" in printed(messages)
    after = kernel.run("_, x, len(Out) == len(set(Out)), In[-2][:6]")
    assert "('mine', 6, True, 'prompt')" in printed(after)
    assert numbers(after)[0] == numbers(messages)[0] + 1


def test_an_idle_kernel_runs_code_that_awaits(kernel: Kernel, file: Path) -> None:
    before = kernel.run("'mine'")
    cell = kernel.run(
        f"ask('import asyncio\\nawait asyncio.sleep(0)\\nprint(1)\\nawaited = 7\\n{{}}[0]', {str(file)!r})"
    )
    text, failed, _by_user = result(file)
    assert text.startswith("1\nTraceback")
    assert "awaited: new int" in text
    assert failed
    assert kinds(cell) == ["execute_input"]
    after = kernel.run("_, awaited")
    assert "('mine', 7)" in printed(after)
    assert numbers(after)[0] == numbers(before)[0] + 2
    assert not [m for m in kernel.messages if m["msg_type"] == "error"]


def test_code_waits_for_a_computing_cell(kernel: Kernel, file: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    loop = f"import pathlib\norder = [0]\nwhile not pathlib.Path({str(go)!r}).exists(): pass\norder.append(1)"
    cell = kernel.start(f"ask('order.append(2)\\norder', {str(file)!r})\nprint('computing')\n{loop}")
    kernel.wait_for("stream")
    assert not file.exists()
    go.touch()
    assert kinds(kernel.finish(cell)) == []
    assert result(file)[0].startswith("[0, 1, 2]")


def test_code_does_not_enter_an_awaiting_cell(kernel: Kernel, file: Path) -> None:
    ask = f"ask('order.append(2)\\norder', {str(file)!r})"
    cell = f"import asyncio\norder = [0]\n{ask}\nfor _ in range(20): await asyncio.sleep(0.02)\norder.append(1)"
    assert kinds(kernel.run(cell)) == ["execute_input"]
    assert result(file)[0].startswith("[0, 1, 2]")


def test_a_failed_cell_before_does_not_sweep_the_call_away(kernel: Kernel, file: Path) -> None:
    kernel.run(f"ask('\"ran\"', {str(file)!r})\nimport time; time.sleep(0.5)\n1/0")  # long enough to queue the request
    assert result(file)[0].startswith("'ran'")
    kernel.messages.clear()


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(90)",
        "while True: sorted(range(10**5))",
        "import asyncio\nawait asyncio.sleep(90)",
        "import asyncio\nawait asyncio.sleep(0)\nwhile True: pass",
    ],
)
@pytest.mark.parametrize("by_user", [False, True], ids=["limit", "interrupt"])
def test_endless_code_of_an_idle_kernel_ends(
    kernel: Kernel, file: Path, tmp_path: Path, code: str, *, by_user: bool
) -> None:
    began = tmp_path / "began"
    code = f"import pathlib; pathlib.Path({str(began)!r}).touch()\n{code}"
    kernel.run(f"ask({code!r}, {str(file)!r}, timeout={90 if by_user else 0.2})")
    if by_user:
        wait_for(began)
    start = time.monotonic()
    if by_user:
        os.kill(kernel.pid, signal.SIGINT)
    text, failed, told_by_user = result(file)
    assert time.monotonic() - start < 5  # a second on an idle machine
    assert (failed, told_by_user) == (True, by_user)
    assert ("the user interrupted it" if by_user else "it took longer than 0.2 s") in text
    assert printed(kernel.run("'alive'")) == "'alive'"
    assert not [m for m in kernel.messages if m["msg_type"] == "error"]


def test_an_interrupt_of_the_waiting_cell_ends_code_and_cell(kernel: Kernel) -> None:
    cell = kernel.start("prompt('import os, signal, time\\nos.kill(os.getpid(), signal.SIGINT)\\ntime.sleep(90)')")
    assert kinds(kernel.finish(cell)) == ["execute_input", "error"]
    kernel.messages.clear()


def test_await_under_a_waiting_cell_is_refused_with_the_reason(kernel: Kernel) -> None:
    assert "Top-level await is not possible" in printed(kernel.run("prompt('await 1')"))
