"""The background loop, in interpreters of their own: how a process ends can only be seen from outside."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from queue import SimpleQueue

import pytest

from opencode_nb import portal
from opencode_nb.session.permissions.jobs import next_of

PROCESS_SECONDS = 60.0
INTERRUPTS = 30
"""How often one is sent: each third is lost where nothing is done about it."""


def python(code: str, *, interrupt_after: str = "") -> subprocess.CompletedProcess[str]:
    """Run the code with every warning an error; SIGINT when it has printed `interrupt_after`."""
    command = [sys.executable, "-W", "error", "-u", "-c", textwrap.dedent(code)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    early = ""
    if interrupt_after:
        while (text := process.stdout.readline()) and interrupt_after not in text:
            early += text
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PROCESS_SECONDS)
    return subprocess.CompletedProcess(command, process.returncode, early + out, err)


def test_results_and_exceptions_come_back() -> None:
    async def divide(a: float, *, by: float) -> float:
        await asyncio.sleep(0)
        return a / by

    assert portal.run(divide, 6, by=3) == 2
    with pytest.raises(ZeroDivisionError):
        portal.run(divide, 1, by=0)
    assert portal.start(divide, 4, by=2).result(10) == 2


def test_it_is_one_loop_in_one_thread_for_everybody() -> None:
    async def where() -> tuple[int, int]:
        return threading.get_ident(), id(asyncio.get_running_loop())

    found = {portal.run(where)}
    thread = threading.Thread(target=lambda: found.add(portal.run(where)))
    thread.start()
    thread.join()
    assert len(found) == 1
    assert found.pop()[0] != threading.get_ident()


def test_inside_a_running_loop_and_never_on_itself() -> None:
    async def inner() -> str:
        return "inner"

    async def outer() -> str:
        return portal.run(inner)

    assert asyncio.run(outer()) == "inner"
    with pytest.raises(RuntimeError, match="await the async version"):
        portal.run(outer)


def test_cancelling_the_future_cancels_the_function() -> None:
    started, ended = threading.Event(), threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    future = portal.start(work)
    assert started.wait(10)
    assert future.cancel()
    assert ended.wait(10)
    with pytest.raises(CancelledError):
        future.result()


def test_a_timeout_error_of_the_function_is_its_own() -> None:
    async def late() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        portal.run(late)


def test_context_variables_go_along() -> None:
    who = contextvars.ContextVar("who", default="nobody")

    async def ask() -> str:
        return who.get()

    token = who.set("me")
    try:
        assert portal.run(ask) == "me"
    finally:
        who.reset(token)


def test_an_interrupt_cancels_and_is_raised_again() -> None:
    done = python(
        """
        import asyncio, sys
        from opencode_nb import portal

        def say(text):  # in one write: two threads speak
            sys.stdout.write(text + "\\n")

        async def work():
            try:
                say("working")
                await asyncio.sleep(3600)
            finally:
                say("cleaned up")

        async def nothing():
            return "still there"

        try:
            portal.run(work)
        except KeyboardInterrupt:
            say("interrupted")
        say(portal.run(nothing))
        """,
        interrupt_after="working",
    )
    assert done.stderr == ""
    assert set(done.stdout.split("\n")) >= {"interrupted", "cleaned up", "still there"}
    assert done.returncode == 0


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda: portal.result_of(Future()), id="a future"),
        pytest.param(lambda: next_of(SimpleQueue()), id="a queue"),
    ],
)
def test_an_interrupt_gets_through_at_the_moment_when_the_waiting_begins(wait: Callable[[], object]) -> None:
    """A wait without an end goes on for ever where the interrupting thread is just being handed the interpreter."""
    begins, ended = threading.Event(), False

    def interrupt() -> None:
        while not ended:
            begins.wait()
            begins.clear()
            os.kill(os.getpid(), signal.SIGINT)

    def begin_and_wait() -> None:
        begins.set()
        wait()

    thread = threading.Thread(target=interrupt)
    thread.start()
    for number in range(INTERRUPTS):
        ended = number == INTERRUPTS - 1
        with pytest.raises(KeyboardInterrupt):
            begin_and_wait()
    thread.join()


def test_the_interpreter_ends_at_once_and_in_silence() -> None:
    done = python(
        """
        import asyncio
        from opencode_nb import portal

        async def for_ever():
            try:
                await asyncio.sleep(3600)
            finally:
                print("cleaned up")

        async def nothing(): pass

        portal.start(for_ever)
        portal.run(nothing)
        print("end")
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["end", "cleaned", "up"]


def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    done = python(
        """
        import os
        from opencode_nb import portal

        async def pid(): return os.getpid()

        assert portal.run(pid) == os.getpid()
        child = os.fork()
        if child == 0:
            assert portal.run(pid) == os.getpid()
            print("child")
        else:
            assert os.waitpid(child, 0)[1] == 0
            assert portal.run(pid) == os.getpid()
            print("parent")
        """
    )
    assert (done.returncode, done.stdout.split()) == (0, ["child", "parent"]), done.stderr


def test_an_open_client_and_stream_do_not_keep_the_interpreter_or_warn() -> None:
    from tests.api.loopback import serving
    from tests.api.test_sse import streaming

    with serving(streaming()) as server:
        done = python(
            f"""
            from opencode_nb.api.client import Client

            client = Client({server.url!r})
            events = client.event.subscribe().__enter__()
            print(next(events).type)
            """
        )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "server.connected", "")


def test_it_cannot_be_used_any_more_at_the_very_end() -> None:
    done = python(
        """
        import atexit

        def late():
            from opencode_nb import portal
            async def nothing(): pass
            try:
                portal.run(nothing)
            except RuntimeError as error:
                print(error)

        atexit.register(late)
        from opencode_nb import portal
        async def nothing(): pass
        portal.run(nothing)
        """
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "exiting" in done.stdout
