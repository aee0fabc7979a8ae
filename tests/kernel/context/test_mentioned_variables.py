"""Variables mentioned in a prompt, in a real kernel on a real server."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencode_nb.demo import DemoModel, text
from tests.conftest import make_project
from tests.magics.support_kernel import Kernel, printed

VALUES = """
import pandas
frame = pandas.DataFrame({"city": ["Oslo", "Bergen"], "rain": [763, 2495]})
api_key = "hunter2"
src = "of no interest"
import opencode_nb as oc
"""
COMPOSED = """
from opencode_nb import portal
panel = oc.chat()
portal.run(panel.compose, {text!r}, [], None)
panel._session.turns()[-1].wait()
panel.close()
"""
PANEL = "panel = oc.chat(); turn = panel.send({text!r}); turn.wait(); print(turn.text); panel.close()"


@pytest.fixture(scope="module")
def kernel(
    opencode_program: Path, server_model: DemoModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    env = {**os.environ, "OPENCODE_CONFIG_CONTENT": json.dumps(server_model.config())}
    project = make_project(tmp_path_factory.mktemp("work") / "project", snapshots=False)
    (project / ".opencode/command").mkdir(parents=True)
    (project / ".opencode/command/tell.md").write_text("Tell of $ARGUMENTS")
    kernel = Kernel(project, env, allow_stdin=False)
    kernel.run(VALUES + "%load_ext opencode_nb")
    yield kernel
    kernel.close()


def last_prompt(model: DemoModel) -> str:
    """Return the last user message that the model received."""
    (*_, last) = [one["content"] for one in model.requests[-1]["messages"] if one["role"] == "user"]
    return last if isinstance(last, str) else "\n".join(part.get("text", "") for part in last)


@pytest.mark.parametrize("way", ["%%prompt", "panel"])
def test_mentioned_variables_are_described_to_the_model(kernel: Kernel, demo_model: DemoModel, way: str) -> None:
    asked = "Plot @frame, not @src/temperatures.py, with @api_key. Mail ada@frame.org about @nothing."
    demo_model.queue([[text("Seen.")]])
    cell = f"%%prompt\n{asked}" if way == "%%prompt" else PANEL.format(text=asked)
    assert "Seen." in printed(kernel.run(cell))
    told = last_prompt(demo_model)
    assert asked in told
    assert "`frame` in the notebook's kernel is a `pandas.DataFrame`, 2 rows, 2 columns" in told
    assert "Bergen" in told
    assert "2495" in told
    assert told.count("in the notebook's kernel") == 2
    assert "`api_key` in the notebook's kernel is a `str`. Its name suggests a secret" in told
    assert "hunter2" not in told
    assert "def " in told  # the file's own text


def test_attributes_name_variables_and_suffixes_name_files(kernel: Kernel, demo_model: DemoModel) -> None:
    kernel.run("README = [1]; numbers = [2]")
    demo_model.queue([[text("Seen.")]])
    kernel.run("%%prompt\nTake @numbers.index and (@README.md)")
    told = last_prompt(demo_model)
    assert "`numbers` in the notebook's kernel" in told
    assert "`README` in" not in told
    assert "Reads measurements" in told


def test_an_attribute_that_ends_like_a_file_is_no_mistyped_file(kernel: Kernel, demo_model: DemoModel) -> None:
    kernel.run("class Answer:\n    json = 1\nanswer, other = Answer(), 2")
    demo_model.queue([[text("Seen.")]])
    kernel.run("%%prompt\nTake @answer.json")
    assert "`answer` in the notebook's kernel" in last_prompt(demo_model)
    assert "No such file: @other.json" in str(kernel.run("%%prompt\nTake @other.json"))


@pytest.mark.parametrize("way", ["%%prompt", "panel"])
def test_the_cell_above_comes_with_its_output_and_error(kernel: Kernel, demo_model: DemoModel, way: str) -> None:
    kernel.run("print('rain in', 'Bergen')\nfrom IPython.display import display\n1 / 0")
    demo_model.queue([[text("Seen.")]])
    kernel.run("%%prompt\nWhy @cell and @err?" if way == "%%prompt" else PANEL.format(text="Why @cell and @err?"))
    told = last_prompt(demo_model)
    assert "display\n1 / 0\n```" in told
    assert "It printed:\n```\nrain in Bergen\n```" in told
    assert 'File "Cell In[' in told
    assert told.count("ZeroDivisionError: division by zero\n```") == 2


def test_a_panel_tells_what_changed_and_refuses_what_is_not_there(kernel: Kernel, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Seen.")], [text("Seen again.")]])
    kernel.run("panel = oc.chat(); first = frame[:1]\npanel.send('First').wait()")
    assert "first: DataFrame 1x2 (new)" in last_prompt(demo_model)
    kernel.run("wind = [1, 2, 3]\npanel.send('Second').wait()")
    told = last_prompt(demo_model)
    assert "wind: list of 3 (new)" in told
    assert "first: DataFrame" not in told
    assert "There is no variable fram. Did you mean @frame?" in str(kernel.run("panel.send('See @fram')"))
    assert "There is no Out[999]." in str(kernel.run("panel.send('See @Out[999]')"))
    kernel.run("panel.close()")


@pytest.mark.parametrize("way", ["%%prompt", "panel"])
def test_a_command_of_the_server_takes_mentions(kernel: Kernel, demo_model: DemoModel, way: str) -> None:
    asked = "/tell @frame, @README.md"
    demo_model.queue([[text("Seen.")]])
    kernel.run(f"%%prompt\n{asked}" if way == "%%prompt" else COMPOSED.format(text=asked))
    told = last_prompt(demo_model)
    assert "Tell of @frame, @README.md" in told
    assert "2 rows, 2 columns" in told
    assert told.count("Reads measurements") == 1


def test_a_command_takes_values_that_the_server_does_not_act_on(kernel: Kernel, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Seen.")]])
    kernel.run("%%prompt\n/tell {{len(frame)}} rows")
    assert "Tell of 2 rows" in last_prompt(demo_model)
    sent = len(demo_model.requests)
    kernel.run("note = 'done !`touch ran`'")
    assert "A value in this command has '!`touch ran`'" in printed(kernel.run("%%prompt\n/tell {{note}}"))
    assert "/review runs in a subagent" in printed(kernel.run("%%prompt\n/review @frame"))
    assert "No such file: @src/temperature.py" in printed(kernel.run("%%prompt\n/tell @src/temperature.py"))
    assert len(demo_model.requests) == sent


FIGURE = """
import io, threading
from PIL import Image
from opencode_nb import portal
from opencode_nb.widgets.kernel_context import mentioned
class Figure:
    def _repr_png_(self):
        drew.append(threading.current_thread() is threading.main_thread())
        file = io.BytesIO()
        Image.new("RGB", (3, 2)).save(file, "png")
        return file.getvalue()
drew, fig, panel = [], Figure(), oc.chat()
message = portal.start(mentioned, panel._session._async, "See @fig")
"""

PARTS = "print(message.done() and [part['type'] for part in message.result()][:2])"
LOOKS = 500


def described(kernel: Kernel) -> str:
    """Return the kinds of the message's parts, once they are there: they are made between cells."""
    for _ in range(LOOKS):
        if "False" not in (told := printed(kernel.run(PARTS))):
            return told
    raise TimeoutError("The message was not described")


def test_a_panel_has_figures_drawn_when_no_cell_runs(kernel: Kernel, demo_model: DemoModel) -> None:
    """Libraries that draw expect the main thread, and no code of the user's beside them."""
    kernel.run(FIGURE)
    assert described(kernel) == "['text', 'file']\n"
    demo_model.queue([[text("Seen.")]])
    told = printed(kernel.run("print(panel.send('See @fig').wait().ledger, drew)\npanel.close()"))
    assert re.search(r"fig: full, \d+ tokens, 1 image +mention +demo/demo\n", told)
    assert told.endswith(" [True, False]\n")
    assert "3 x 2 pixels" in last_prompt(demo_model)
