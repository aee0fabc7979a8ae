"""Notebooks that nobody watches (nbclient), and kernels that end in the middle of a turn."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from opencode_nb.demo import DemoModel, gate, kernel_tool, text, tool
from tests.magics.support_kernel import Kernel, printed
from tests.server.support import CASE, assert_gone, keepers
from tests.support import isolation

CELL_TIMEOUT = 120
"""Seconds that one cell may take; nothing asks and waits for ever where nobody watches."""

Execute = Callable[..., NotebookNode]
LOAD = "%load_ext opencode_nb"


@pytest.fixture
def env(opencode_program: Path, server_model: DemoModel) -> dict[str, str]:
    """A kernel's environment: the scripted model is configured, and the next test's kernel finds the server running."""
    config = json.dumps(server_model.config())
    return {**os.environ, "OPENCODE_CONFIG_CONTENT": config, "OPENCODE_NB_GRACE": isolation.LONG_GRACE}


@pytest.fixture
def execute(env: dict[str, str], project: Path) -> Execute:
    """Execute cells in the project, as nbclient and papermill do: no widgets, no input."""

    def execute_(*cells: str, allow_errors: bool = True) -> NotebookNode:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (LOAD, *cells)])
        resources = {"metadata": {"path": str(project)}}
        NotebookClient(notebook, timeout=CELL_TIMEOUT, resources=resources, allow_errors=allow_errors).execute(env=env)
        return notebook

    return execute_


def data_of(cell: NotebookNode) -> dict[str, Any]:
    """The data of the cell's value."""
    results = [output for output in cell.outputs if output.output_type == "execute_result"]
    assert len(results) == 1, cell.outputs
    return dict(results[0].data)


def text_of(cell: NotebookNode) -> str:
    """What the cell shows, as text."""
    shown = (output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
    return "\n".join(str(part) for part in shown)


def test_edits_are_denied_and_the_output_is_static(execute: Execute, demo_model: DemoModel, project: Path) -> None:
    file = project / "src/temperatures.py"
    before = file.read_text()
    edit = {"filePath": str(file), "oldString": "celsius * 9 / 5 + 32", "newString": "celsius * 1.8 + 32"}
    demo_model.queue([[text("I'll change it. "), tool("edit", **edit)], [text("I could not.")]])
    notebook = execute("%%prompt -o turn\nSimplify the formula", "turn.status, turn.state.decisions[0].by")
    assert file.read_text() == before
    prompt = notebook.cells[1]
    assert {output.output_type for output in prompt.outputs} == {"stream", "execute_result"}
    data = data_of(prompt)
    assert set(data) == {"text/html", "text/markdown", "text/plain"}
    for shown in data.values():
        assert "denied" in shown
        assert "Nobody is available to answer" in shown
    assert "('completed', 'policy')" in text_of(notebook.cells[2])
    assert "widget" not in json.dumps(notebook)


def test_a_question_is_declined(execute: Execute) -> None:
    notebook = execute("%%prompt\nAsk me a question")
    assert "Nobody is available to answer" in data_of(notebook.cells[1])["text/plain"]


def test_a_line_among_others_is_shown_in_its_place(execute: Execute) -> None:
    notebook = execute("print('above')\nx = %prompt Say exactly: what is this?\nprint('below:', x.text)")
    outputs = notebook.cells[1].outputs
    shown = next(place for place, output in enumerate(outputs) if output.output_type == "display_data")
    assert "what is this?" in outputs[shown].data["text/html"]
    assert {output.output_type for output in outputs[:shown] + outputs[shown + 1 :]} == {"stream"}
    assert outputs[0].text.startswith("above\n")
    assert "".join(output.text for output in outputs[shown + 1 :]) == "below: what is this?\n"


def test_permission_allow_lets_a_command_run(execute: Execute, project: Path) -> None:
    execute("%%prompt --permission allow\nRun `touch made`")
    assert (project / "made").exists()


def test_prompt_options_take_effect(execute: Execute, demo_model: DemoModel) -> None:
    notebook = execute(
        "%%prompt -q -o first -f data/measured.csv\nWhat did I send you?",
        "'measured.csv' in first.text, _ is first",
        "%%prompt --new -m demo/demo-gpt-5 -a plan -o second\nSay exactly: second",
        "second.model, second.agent, second.session.id != first.session.id",
        "get_ipython().run_cell_magic('prompt', f'-q -o third -s {first.session.id}', 'Say exactly: third')",
        "third.session.id == first.session.id",
        "%%prompt -b -o background\nSay exactly: background",
        "background.wait(60).text",
        "%%prompt -b -q\nSay exactly: unseen",
        "_.wait(60).text",
    )
    shown = [text_of(cell) for cell in notebook.cells[1:]]
    told = ["Starting OpenCode…", "Model: demo/demo (from your OpenCode configuration): Scripted demo (not an AI)"]
    assert [line for line in shown[0].splitlines() if line] == told
    assert shown[1] == "(True, True)"
    assert "second" in shown[2]
    assert shown[3] == "('demo/demo-gpt-5', 'plan', True)"
    assert shown[4] == ""
    assert shown[5] == "True"
    assert "Running in the background" in shown[6]
    assert shown[7] == "'background'"
    assert shown[8] == ""
    assert shown[9] == "'unseen'"


USED = "[(call.tool.split('_')[1], call.status) for call in _.tools], globals().get('total')"
"""What the last turn did in the kernel, and what it left there."""


def test_code_runs_in_the_kernel_by_policy(execute: Execute, demo_model: DemoModel) -> None:
    """Looking is allowed. Code is denied where nobody can be asked, unless the policy allows it."""
    actions = [kernel_tool("inspect", name="rows"), kernel_tool("python", code="total = sum(rows)"), text("Done.")]
    demo_model.queue(actions)
    demo_model.queue(actions)
    cells = execute("rows = [20, 22]", "%%prompt\nAdd", USED, "%%prompt --permission allow\nAdd", USED).cells
    assert data_of(cells[3])["text/plain"] == "([('inspect', 'completed'), ('python', 'error')], None)"
    assert data_of(cells[5])["text/plain"] == "([('inspect', 'completed'), ('python', 'completed')], 42)"
    assert [cell.execution_count for cell in cells] == [1, 2, 3, 4, 5, 6]


def test_an_error_of_the_agents_code_does_not_end_a_papermill_run(
    env: dict[str, str], demo_model: DemoModel, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from papermill import execute_notebook

    for name, value in env.items():
        monkeypatch.setenv(name, value)
    demo_model.queue(
        [kernel_tool("python", code="total = sum(rows) / 0"), kernel_tool("python", code="total = 42"), text("Done.")]
    )
    cells = [nbformat.v4.new_code_cell(code) for code in (LOAD, "rows = []", "%%prompt --permission allow\nAdd", USED)]
    cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), project / "sum.ipynb")
    ran = execute_notebook(
        str(project / "sum.ipynb"),
        str(project / "ran.ipynb"),
        {"rows": [20, 22]},
        kernel_name="python3",
        language="python",
        cwd=str(project),
        progress_bar=False,
    )
    assert data_of(ran.cells[-1])["text/plain"] == "([('python', 'error'), ('python', 'completed')], 42)"


def test_a_failing_turn_fails_its_cell_with_a_one_line_traceback(execute: Execute) -> None:
    cell = execute("%%prompt\nFail with a provider error 400").cells[1]
    assert [output.output_type for output in cell.outputs][-2:] == ["display_data", "error"]
    error = cell.outputs[-1]
    assert len(error.traceback) == 1
    assert "\n" not in error.traceback[0]
    assert error.traceback[0].startswith("TurnError: ")
    assert error.traceback[0].endswith("(see the turn above)")
    assert set(cell.outputs[-2].data) == {"text/html", "text/markdown", "text/plain"}


def test_a_timeout_stops_the_turn_and_keeps_its_text(execute: Execute, demo_model: DemoModel) -> None:
    demo_model.queue([[text("as far as this "), gate("headless-limit")]])
    cell = execute("%%prompt --timeout 10\ngo").cells[1]
    demo_model.release("headless-limit")
    assert "TurnTimeoutError: Stopped after 10 s" in cell.outputs[-1].traceback[0]
    assert "as far as this" in cell.outputs[-2].data["text/plain"]


def test_a_failing_turn_stops_the_notebook_run(execute: Execute) -> None:
    with pytest.raises(CellExecutionError, match="TurnError"):
        execute("%%prompt -q\nFail with a provider error 400", "'not reached'", allow_errors=False)


# --- a kernel with a front-end that can answer, but shows no widgets --------------------------------------------------


@pytest.fixture
def kernel(env: dict[str, str], project: Path) -> Iterator[Kernel]:
    kernel = Kernel(project, env)
    kernel.run(LOAD)
    yield kernel
    kernel.close()


def test_a_frontend_without_widgets_is_asked_through_input(kernel: Kernel, project: Path) -> None:
    shown = printed(kernel.run("%%prompt\nRun `touch made`", ("", "y")))
    assert (project / "made").exists()
    assert "The agent asks for permission to run a shell command:\ntouch made" in shown
    asked = [m["content"]["prompt"] for m in kernel.messages if m["msg_type"] == "input_request"]
    assert asked[0].startswith("Allow? [y]es, once / [a]lways (touch *)")
    assert asked[1].startswith("Please answer")


def test_a_background_turn_replaces_its_widget_with_static_output(kernel: Kernel, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Slowly "), gate("headless-background"), text("done.")]])
    shown = kernel.run("%%prompt -b -o turn\ngo")
    live = next(m["content"] for m in shown if m["msg_type"] == "display_data")
    assert "application/vnd.jupyter.widget-view+json" in live["data"]
    assert "False" in printed(kernel.run("turn.done"))
    demo_model.release("headless-background")
    static = kernel.wait_for("update_display_data")["content"]
    assert static["transient"] == live["transient"]
    assert set(static["data"]) == {"text/html", "text/markdown", "text/plain"}
    assert "Slowly done." in static["data"]["text/plain"]


def test_an_interrupt_at_a_permission_prompt_aborts_the_turn(kernel: Kernel, project: Path) -> None:
    cell = kernel.start("%%prompt\nRun `touch made`")
    kernel.wait_for("input_request")
    kernel.manager.interrupt_kernel()
    assert "Interrupted: the agent was stopped." in printed(kernel.finish(cell))
    assert not (project / "made").exists()
    assert "aborted" in printed(kernel.run("_.status"))
    assert "still here" in printed(kernel.run("%%prompt\nSay exactly: still here"))


# --- kernels that end in the middle of a turn -------------------------------------------------------------------------


@pytest.fixture
def working(env: dict[str, str], project: Path, tmp_path: Path) -> Iterator[tuple[Kernel, list[psutil.Process]]]:
    """A kernel with a server that is nobody else's, in mid-turn while a shell command goes on; all its processes."""
    kernel = Kernel(project, {**env, CASE: str(tmp_path), "OPENCODE_NB_GRACE": isolation.GRACE})
    try:
        kernel.run(LOAD)
        fifo = tmp_path / "tool-runs"
        os.mkfifo(fifo)
        kernel.start(f"%%prompt --permission allow\nRun `echo $$ > {fifo}; sleep 1000; true`")
        shell = psutil.Process(int(fifo.read_text()))
        server = shell.parent()
        assert server is not None
        yield kernel, [*keepers(server.pid), server, *server.children(recursive=True)]
    finally:
        kernel.close()


def test_a_killed_kernel_leaves_no_processes(working: tuple[Kernel, list[psutil.Process]]) -> None:
    kernel, processes = working
    kernel.manager.signal_kernel(signal.SIGKILL)
    assert_gone(processes)


@pytest.mark.parametrize("now", [True, False], ids=["at once", "asked to end"])
def test_a_restarted_kernel_leaves_no_processes(working: tuple[Kernel, list[psutil.Process]], now: bool) -> None:
    kernel, processes = working
    kernel.manager.restart_kernel(now=now)
    assert_gone(processes)
    kernel.client.wait_for_ready(timeout=CELL_TIMEOUT)
    assert "42" in printed(kernel.run("6 * 7"))


FUNCTIONS = """
import threading
import pandas as pd
import opencode_nb as oc

@oc.tool(read_only=True)
def measured(day: str) -> pd.DataFrame:
    "Return the measurements of a day."
    return pd.DataFrame({"day": [day], "main": [threading.current_thread() is threading.main_thread()]})

@oc.tool
def publish(name: str) -> str:
    return "published" if oc.confirm(f"Publish {name}?") else "kept"
"""


def test_functions_of_a_notebook_are_tools_at_its_privacy_level(execute: Execute, demo_model: DemoModel) -> None:
    again = "@oc.tool(read_only=True)\ndef measured(day: str) -> str:\n    return f'all of {day}'"
    demo_model.queue([kernel_tool("measured", day="monday"), kernel_tool("publish", name="it"), text("Done.")])
    demo_model.queue([kernel_tool("measured", day="monday"), text("Done.")])
    notebook = execute(
        FUNCTIONS,
        '%%prompt -o first --permission \'{"publish": "allow"}\'\nGo',
        again,
        "%%prompt -o second --privacy schema\nGo",
        "%opencode tools",
        "print(*(call.output or call.error for call in (*first.tools, *second.tools)), sep='|')",
    )
    *_, listed, told = notebook.cells
    frame, refused, withheld = text_of(told).split("|")
    assert "monday" in frame
    assert "True" in frame
    assert "Nobody is available to answer" in refused
    assert "all of monday" not in withheld
    assert "privacy level is schema" in withheld
    rules = dict(line.split(maxsplit=1) for line in text_of(listed).splitlines()[:-1])
    assert (rules["measured"], rules["publish"]) == ("allow", "ask")
