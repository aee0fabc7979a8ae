"""The agent's code while a real %%prompt waits: in the user's namespace, and the cell is the user's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.demo import DemoModel, gate, kernel_tool, text
from opencode_nb.kernel.running.execution import Ran
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.portal import result_of
from tests.magics.conftest import Cell, RunCell

WAIT = 60
"""Seconds for code to end, on however busy a machine."""


@pytest.fixture
def runner(shell: InteractiveShell, run_cell: RunCell) -> Iterator[Runner]:
    """A runner, once the server runs: code waits for a prompt for two seconds only."""
    run_cell("%opencode start\n%prompt warm up")
    runner = Runner(shell)
    yield runner
    runner.history.close()


def prompt_with(
    code: str, runner: Runner, run_cell: RunCell, demo_model: DemoModel, **options: str
) -> tuple[Cell, Ran]:
    """Run a prompt whose turn waits until this code has run; return its cell, and what came of the code."""
    demo_model.queue([[text("done"), gate("agent-code")]])
    future: Future[Ran] = portal.start(runner.run, code, **options)  # waits for the cell
    future.add_done_callback(lambda _future: demo_model.release("agent-code"))
    return run_cell("%%prompt --new\ngo"), result_of(future, WAIT)


def test_code_runs_while_a_prompt_waits(
    runner: Runner, run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    run_cell("'warm'")
    number = shell.execution_count
    cell, ran = prompt_with("from_agent = 1\nprint('of the agent')\n1/0", runner, run_cell, demo_model)
    assert ran.failed
    assert shell.user_ns["from_agent"] == 1
    assert cell.error is None
    assert "of the agent" not in cell.printed
    assert "ZeroDivisionError" not in cell.printed
    assert shell.user_ns["_"].text == "done"
    assert shell.execution_count == number + 1


def test_an_interrupt_stops_the_code_and_the_turn(
    runner: Runner, run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    shell.user_ns["model"] = demo_model
    code = "import os, signal, time\nwhile model.queued: time.sleep(0.01)\n"  # until the turn waits at its gate
    code += "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(90)"
    cell, ran = prompt_with(code, runner, run_cell, demo_model)
    assert ran.interrupted_by_user
    assert "Interrupted: the agent was stopped." in cell.printed
    assert shell.user_ns["_"].status == "aborted"


def test_without_a_page_the_code_for_new_cells_stays_in_its_cards_and_the_output_says_so_once(
    run_cell: RunCell, demo_model: DemoModel
) -> None:
    demo_model.queue([kernel_tool("python", code="1 + 1"), kernel_tool("python", code="2 + 2"), text("Counted.")])
    printed = run_cell("%%prompt --permission allow --cells below\nCount").printed
    assert "Counted." in printed
    assert printed.count("stays in its cards: IPython's next input could hold the code, but no outputs.") == 1
    assert "Did you mean below?" in run_cell("%%prompt --cells belwo\nCount").printed
