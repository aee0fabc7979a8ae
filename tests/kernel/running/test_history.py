"""What the agent is told of what ran, and of what runs now."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.kernel.running.execution import Ran
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.kernel.running.tools import running_tools
from opencode_nb.tools.privacy import Level
from opencode_nb.tools.tool import Call, Result
from tests.kernel.running.conftest import told

Run = Callable[..., Ran]


def test_cells_and_the_agents_code_come_in_order(run: Run, runner: Runner, shell: InteractiveShell) -> None:
    shell.run_cell("print('printed')\n1 + 1", store_history=True)
    run("print('agent')")
    shell.run_cell("{}['secret']", store_history=True)
    text = told(runner.history.recent(10))
    assert text == (
        "In[1]: print('printed')\n1 + 1\nIn[1] printed:\nprinted\nOut[1]: 2\n\n"
        "The agent's code: print('agent')\nagent\n\n"
        "In[2]: {}['secret']\nIn[2] failed: KeyError: 'secret'\n\n"
    )
    assert told(runner.history.recent(10), Level.SCHEMA) == (
        "In[1]:\n\nThe agent's code:\n\nIn[2]:\nIn[2] failed: KeyError\n\n"
    )
    assert told(runner.history.recent(1)).startswith("In[2]")


def test_cells_before_the_first_prompt_are_known(shell: InteractiveShell) -> None:
    shell.run_cell("'early'", store_history=True)
    history = Runner(shell).history
    assert "Out[1]: 'early'" in told(history.recent(5))
    history.close()


def test_progress_tells_what_runs_without_values(runner: Runner, shell: InteractiveShell) -> None:
    seen: list[str] = []
    code = "def inner(secret):\n    look()\ninner('hush')"
    shell.user_ns["look"] = lambda: seen.extend(told(runner.history.progress(), level) for level in Level)
    assert told(runner.history.progress()) == "The kernel is idle."
    shell.run_cell(code, store_history=True)
    full = seen[Level.FULL]
    assert "A cell of the user's has been running for 0." in full
    assert "def inner(secret)" in full
    assert "in inner" in full
    assert "site-packages" not in full
    assert "inner" not in seen[Level.SCHEMA]
    assert told(runner.history.progress()) == "The kernel is idle."


def test_the_main_thread_is_free_between_cells(runner: Runner, shell: InteractiveShell) -> None:
    shell.user_ns["look"] = lambda: runner.is_free
    assert runner.is_free
    assert shell.run_cell("look()").result is False
    assert runner.is_free


@pytest.mark.parametrize(
    ("tool", "arguments", "error"),
    [
        ("python", {}, "`code` is missing"),
        ("python", {"code": ["1"]}, "`code` is missing"),
        ("python", {"code": "1", "timeout": "soon"}, "`timeout` must be"),
        ("python", {"code": "1", "timeout": 1e9}, "`timeout` must be"),
        ("python", {"code": "1", "timeout": float("nan")}, "`timeout` must be"),
        ("history", {"count": 0}, "`count` must be"),
        ("history", {"count": None}, "`count` must be"),
    ],
)
def test_wrong_arguments_are_told(runner: Runner, tool: str, arguments: dict[str, object], error: str) -> None:
    result = call(runner, tool, arguments)
    assert result.failed
    assert error in told(result.outgoing, Level.NAMES)


def test_only_python_asks(runner: Runner) -> None:
    assert {tool.name: tool.asks for tool in running_tools(runner, stay)} == {
        "python": True,
        "history": False,
        "progress": False,
    }


async def stay(_call: Call, _code: str, ran: Ran) -> Ran:
    return ran


def call(runner: Runner, name: str, arguments: dict[str, object]) -> Result:
    (tool,) = [tool for tool in running_tools(runner, stay) if tool.name == name]
    return portal.run(tool.call, Call("ses_1", arguments))


def test_history_and_progress_need_no_main_thread(runner: Runner) -> None:
    assert threading.current_thread() is threading.main_thread()
    assert told(call(runner, "history", {}).outgoing) == "Nothing has run yet."
    assert told(call(runner, "progress", {}).outgoing) == "The kernel is idle."
