"""The agent's code in a real IPython shell: what comes of it, and that the user's shell is as it was."""

from __future__ import annotations

import asyncio
import builtins
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.kernel.running.execution import Ran
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.session.permissions import agent_code
from opencode_nb.session.permissions.jobs import Jobs
from opencode_nb.tools.privacy import Level
from tests.kernel.running.conftest import served, told

Run = Callable[..., Ran]


def kinds(ran: Ran) -> list[tuple[str, str]]:
    return [(block["kind"], block.get("text", "")) for block in ran.blocks]


def test_output_comes_in_its_order(run: Run) -> None:
    ran = run("import sys\nprint('a'); print('b')\nprint('c', file=sys.stderr)\ndisplay(5)\nprint('d')\n'val' + 'ue'")
    assert kinds(ran) == [
        ("stdout", "a\nb\n"),
        ("stderr", "c\n"),
        ("value", "5"),
        ("stdout", "d\n"),
        ("value", "'value'"),
        ("changes", "sys: new module"),
    ]
    assert not ran.failed
    assert told(ran.outgoing).endswith("d\n'value'\nDone.\nChanged: sys: new module")


def test_a_level_below_full_gets_no_output(run: Run) -> None:
    ran = run("x = 'hush'; print(x)\nx\n{}['secret']")
    assert told(ran.outgoing, Level.NAMES) == "Failed: KeyError.\nChanged: x: new str"
    assert told(ran.outgoing, Level.SCHEMA) == "Failed: KeyError.\nChanged: x: new str 4 characters"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("1/0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError"),
        ("  x = 1\n y = 2", "IndentationError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("input('Sure?')", "cannot ask the user: input()"),
        ("import getpass; getpass.getpass()", "cannot ask the user: getpass()"),
        ("breakpoint()", "cannot stop in a debugger: breakpoint()"),
        ("import pdb; pdb.set_trace()", "cannot stop in a debugger: pdb.set_trace()"),
        ("%debug", "cannot stop in a debugger: %debug"),
        ("await something", "Top-level await is not possible here"),
        ("class E(Exception):\n    def __str__(self): return 1/0\nraise E", "E"),
    ],
)
def test_an_error_is_the_results_alone(
    run: Run, shell: InteractiveShell, capsys: pytest.CaptureFixture[str], code: str, line: str
) -> None:
    before = [getattr(sys, name, None) for name in ("last_type", "last_value", "last_traceback", "last_exc")]
    ran = run(code)
    assert ran.failed
    assert line in dict(kinds(ran))["error"]
    assert "\x1b" not in told(ran.outgoing)
    assert [getattr(sys, name, None) for name in ("last_type", "last_value", "last_traceback", "last_exc")] == before
    assert capsys.readouterr() == ("", "")


def test_a_traceback_begins_in_the_agents_code(run: Run) -> None:
    ran = run("def inner():\n    return {}['k']\n\ninner()")
    text = dict(kinds(ran))["error"]
    assert text.startswith("Traceback (most recent call last):\n  File ")
    assert "site-packages" not in text
    assert "opencode_nb" not in text
    assert "return {}['k']" in text


def test_the_users_shell_is_as_it_was(run: Run, shell: InteractiveShell) -> None:
    shell.run_cell("41 + 1", store_history=True)
    streams = sys.stdout, sys.stderr, sys.displayhook, builtins.input, signal.getsignal(signal.SIGINT)
    kept = {name: shell.user_ns[name] for name in ("_", "__", "_i", "_ii", "In", "Out")}
    kept = {name: value.copy() if hasattr(value, "copy") else value for name, value in kept.items()}
    own = set(vars(shell)), set(vars(shell.display_formatter)), shell.display_pub, shell.execution_count
    for code in ("'agent'", "1/0", "x ="):
        run(code)
    assert (sys.stdout, sys.stderr, sys.displayhook, builtins.input, signal.getsignal(signal.SIGINT)) == streams
    assert {name: shell.user_ns[name] for name in kept} == kept
    assert (set(vars(shell)), set(vars(shell.display_formatter)), shell.display_pub, shell.execution_count) == own
    assert shell.last_execution_succeeded


def test_magics_shell_lines_and_help_work(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "hello" in told(run("!echo hello").outgoing)
    assert "Wall time" in told(run("%time 1 + 1").outgoing)
    assert "Return the number of items" in told(run("len?").outgoing)
    assert capsys.readouterr() == ("", "")


def test_threads_of_the_user_keep_their_output(
    run: Run, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    go, gone = threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        print("the user's")
        gone.set()

    thread = threading.Thread(target=work)
    thread.start()
    shell.user_ns.update(go=go, gone=gone)
    code = "import threading\nt = threading.Thread(target=print, args=('mine',))\nt.start(); t.join()"
    assert told(run(f"{code}\ngo.set()\ngone.wait(9)").outgoing).startswith("mine\nTrue\n")
    thread.join()
    assert capsys.readouterr().out == "the user's\n"


def test_what_changed_is_one_line(run: Run, shell: InteractiveShell) -> None:
    shell.run_cell("import pandas as pd\ndf = pd.DataFrame({'a': range(9)})\ngone = rebound = 1\nsame = [1]\nmore = {}")
    ran = run("df = df[df.a > 2]\ndel gone\nrebound = 2\nmore['k'] = 1\nnew = 1.5\n_hidden = 1")
    (changes,) = [text for kind, text in kinds(ran) if kind == "changes"]
    assert changes.split("; ") == [
        "df: DataFrame 9x1 -> 6x1",
        "rebound: int, rebound",
        "more: dict 0 items -> 1 items",
        "new: new float",
        "removed: gone",
    ]


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("show", ["df", "display(df)"])
def test_a_frame_is_a_table_with_its_secrets_masked(run: Run, library: str, show: str) -> None:
    code = f"import {library} as lib\ndf = lib.DataFrame({{'name': ['Ann'] * 99, 'api_key': ['hush'] * 99}})\n{show}"
    ran = run(code)
    (table,) = [block for block in ran.blocks if block["kind"] == "table"]
    assert table["columns"] == ["name", "api_key"]
    assert table["size"] == "99 rows, 2 columns"
    assert table["rows"][0][0] == "Ann"
    assert len(table["rows"]) == 20
    assert "hush" not in told(ran.outgoing) + str(table)
    assert "99 rows, 2 columns" in told(ran.outgoing)


def test_long_output_keeps_its_head_and_its_tail(run: Run) -> None:
    ran = run("print('start'); [print('x' * 1000) for _ in range(2000)]; print('end')")
    text = told(ran.outgoing)
    assert len(text) < 30_000
    assert text.startswith("start\n")
    assert "end\n" in text
    assert "characters left out" in text


def test_a_progress_bar_is_its_last_state(run: Run) -> None:
    ran = run("import time\nfor i in range(101): print(f'\\r\\x1b[32m{i}%\\x1b[0m', end='')")
    assert kinds(ran)[0] == ("stdout", "100%")


# --- interrupts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    ["while True: pass", "import time; time.sleep(60)", "import numpy\nwhile True: numpy.ones(10**5).sort()"],
)
def test_the_limit_ends_code(run: Run, code: str) -> None:
    ran = run(code, timeout=0.3)
    assert ran.failed
    assert "Stopped, as it took longer than 0.3 s." in told(ran.outgoing, Level.NAMES)
    assert not run("1").failed


def test_code_that_swallows_an_interrupt_is_interrupted_again(run: Run) -> None:
    code = "import time\nfor _ in range(2):\n    try: time.sleep(60)\n    except KeyboardInterrupt: print('no')"
    ran = run(code, timeout=0.1)
    assert "it took longer than 0.1 s" in told(ran.outgoing, Level.NAMES)
    assert "it has ended" in told(ran.outgoing, Level.NAMES)


def test_code_that_swallows_every_interrupt_is_told_of(runner: Runner, shell: InteractiveShell) -> None:
    go = threading.Event()
    shell.user_ns["go"] = go
    code = "while not go.is_set():\n    try: go.wait(60)\n    except KeyboardInterrupt: pass"

    async def both() -> tuple[Ran, Ran]:
        first = await runner.run(code, timeout=0.1)
        second = await runner.run("1")
        go.set()
        return first, second

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opencode_nb.kernel.running.runner.PATIENCE", 0.1)
        first, second = served(lambda: portal.start(both))  # type: ignore[arg-type,misc]
    assert "The code still runs: it went on after 5 interrupts." in told(first.outgoing, Level.NAMES)
    assert "Nothing was run" in told(second.outgoing, Level.NAMES)


def test_code_that_is_stopped_while_it_waits_never_runs(runner: Runner, shell: InteractiveShell) -> None:
    shell.user_ns["ran"] = []

    async def both() -> tuple[Ran, Ran]:
        first = asyncio.ensure_future(runner.run("import time; time.sleep(60)", timeout=0.3))
        second = asyncio.ensure_future(runner.run("ran.append(1)", session="b"))
        await asyncio.sleep(0)  # both are in the queue
        runner.stop("b", "the user pressed Stop")
        return await first, await second

    _first, second = served(lambda: portal.start(both))  # type: ignore[arg-type,misc]
    assert told(second.outgoing, Level.NAMES) == "Nothing was run: the user pressed Stop."
    assert shell.user_ns["ran"] == []


def test_stop_interrupts_one_sessions_code_only(runner: Runner) -> None:
    def both() -> Future[Any]:
        return portal.start(_two, runner)

    stopped, other = served(both)  # type: ignore[misc]
    assert "Stopped, as the turn was stopped." in told(stopped.outgoing, Level.NAMES)
    assert told(other.outgoing) == "'other'\nDone.\n"


async def _two(runner: Runner) -> tuple[Ran, Ran]:
    started: Future[None] = Future()
    runner._shell.user_ns["started"] = started
    first = asyncio.ensure_future(runner.run("started.set_result(None)\nwhile True: pass", session="a"))
    second = asyncio.ensure_future(runner.run("'other'", session="b"))
    await asyncio.wrap_future(started)
    runner.stop("a")
    return await first, await second


def test_the_users_interrupt_is_the_cells_too(runner: Runner, shell: InteractiveShell) -> None:
    future: list[Future[Ran]] = []

    def work() -> Future[Ran]:
        future.append(
            portal.start(runner.run, "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)")
        )
        return future[0]

    with pytest.raises(KeyboardInterrupt):
        served(work)
    ran = future[0].result(9)
    assert ran.interrupted_by_user
    assert "Stopped, as the user interrupted it." in told(ran.outgoing, Level.NAMES)


def test_code_cannot_wait_for_its_own_session(run: Run, shell: InteractiveShell) -> None:
    shell.user_ns["ask"] = agent_code.refuse_waiting
    assert "cannot prompt the agent's own session" in told(run("ask('mine')", session="mine").outgoing)
    assert not run("ask('another')", session="mine").failed
    agent_code.refuse_waiting("mine")


def test_a_prompt_that_ends_leaves_no_call_hanging(runner: Runner) -> None:
    """Without a kernel, the main thread cannot be reached then: the call says so."""
    over: Future[None] = Future()
    over.set_result(None)
    Jobs().serve_until(over)
    with pytest.raises(Exception, match="waits for the user to type"):
        portal.run(runner.run, "1")
