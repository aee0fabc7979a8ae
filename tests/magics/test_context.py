"""What a prompt from a cell carries of the kernel, in a real shell on a real server: the model's requests tell."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.demo import DemoModel, kernel_tool, text
from opencode_nb.magics.failure import CellError
from tests.magics.conftest import RunCell

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Figure:
    """Draws itself."""

    def _repr_png_(self) -> bytes:
        return PNG


@pytest.fixture(autouse=True)
def new_session(run_cell: RunCell) -> None:
    run_cell("%opencode new")


def last_message(model: DemoModel) -> list[dict[str, Any]]:
    """Return the parts of the last user message that the model received."""
    (*_, last) = [one["content"] for one in model.requests[-1]["messages"] if one["role"] == "user"]
    return [{"type": "text", "text": last}] if isinstance(last, str) else last


def told(model: DemoModel) -> str:
    return "\n".join(part.get("text", "") for part in last_message(model))


def test_a_prompt_carries_values_mentions_and_what_changed(run_cell: RunCell, demo_model: DemoModel) -> None:
    run_cell("rain = [763, 2495]; word = '{{rain}} @README.md'; config = {'api_key': 'hunter2'}")
    run_cell("1 / 0")
    run_cell("%%prompt\nThe sum is {{sum(rain)}}, not {{word}} or {{{{x}}}} or `{{ jinja }}`: see @rain, @err, @In[1].")
    said = told(demo_model)
    assert "The sum is 3258, not {{rain}} @README.md or {{x}} or `{{ jinja }}`: see @rain" in said
    assert "`rain` in the notebook's kernel is a `list`" in said
    assert "ZeroDivisionError: division by zero" in said
    assert "rain: list of 2 (new)" in said
    assert "Reads measurements" not in said  # the file that a value named
    assert "hunter2" not in said
    run_cell("rain.append(1); del word")
    run_cell("%%prompt\nAgain")
    assert "rain: list of 3 (was of 2)\nword: removed" in told(demo_model)
    run_cell("%%prompt\nAnd again")
    assert told(demo_model) == "And again"


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("Mean {{nothing.mean()}}", "{{nothing.mean()}}: NameError"),
        ("Look at @Out[999]", "There is no Out[999]."),
        ("Look at @measuremnts", "There is no variable measuremnts. Did you mean @measurements?"),
        ("Look at @measurements and @no-such.csv", "No such file: @no-such.csv"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sent(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel, prompt: str, says: str
) -> None:
    shell.user_ns["measurements"] = [1]
    before = len(demo_model.requests)
    error = run_cell(f"%%prompt\n{prompt}").error
    assert isinstance(error, CellError)
    assert says in str(error)
    assert "Nothing was sent" in str(error)
    assert len(demo_model.requests) == before
    shell.user_ns.pop("measurements")


def test_an_agent_or_a_file_is_no_mistyped_variable(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel, work: Path
) -> None:
    shell.user_ns.update(generals=1, READMES=2)
    (work / "README").write_text("read me")
    run_cell("%%prompt\nAsk @general about @README")
    assert "read me" in told(demo_model)


def test_images_are_attached_from_expressions_and_paths(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel, work: Path
) -> None:
    shell.user_ns.update(fig=Figure(), png=PNG)
    (work / "plot.png").write_bytes(PNG)
    run_cell("%%prompt -i fig -i png -i plot.png\nCompare with @fig")
    images = [part for part in last_message(demo_model) if part["type"] == "image_url"]
    assert len(images) == 4
    for wrong, says in (("42", "A `int` is not a figure"), ("nothing", "NameError"), ("README.md", "is no image")):
        error = run_cell(f"%%prompt -i {wrong}\nLook").error
        assert f"-i {wrong}: " in str(error)
        assert says in str(error)
    assert "withholds images" in str(run_cell("%%prompt -i fig --privacy schema\nLook").error)


LOOK = """
import opencode_nb as oc
api_key = "Xw9-hunter2-hunter2-Xw9"
@oc.tool(read_only=True)
def look() -> str:
    return f"hunter2000 {api_key}"
"""


def test_functions_keep_the_setting_for_prompts_that_python_sends(run_cell: RunCell, demo_model: DemoModel) -> None:
    run_cell(LOOK)
    for setting, seen in (("None", True), ("'schema'", False)):
        run_cell(f"%config OpencodeMagics.privacy = {setting}")
        demo_model.queue([kernel_tool("look"), text("Done.")])
        assert run_cell("with oc.Opencode() as ai:\n    turn = ai.ask('go')").error is None
        told = str(demo_model.requests[-1]["messages"])
        assert ("hunter2000" in told) is seen
        assert "Xw9" not in told, "it is the value of a variable with a secret's name"
    run_cell("%config OpencodeMagics.privacy = None\nlook.remove()")


def test_a_stricter_level_stays_and_says_what_it_does_not_cover(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    shell.user_ns["marked"] = ["hunter2000"]
    assert "Privacy" not in run_cell("%%prompt\nSee @marked").printed
    assert "hunter2000" in told(demo_model)
    printed = run_cell("%%prompt --privacy names\nSee @marked, {{marked}}").printed
    assert "Privacy level: names. Not covered: what code writes to files" in printed
    assert "--new starts a session without it" in printed
    assert "hunter2000" not in told(demo_model)
    assert "`marked` in the notebook's kernel is a `list`" in told(demo_model)
    assert "Privacy" not in run_cell("%%prompt\nSee @marked again").printed
    assert "hunter2000" not in told(demo_model)
    lines = run_cell("%opencode ledger").printed.splitlines()
    assert any("marked: full, " in line and "demo/demo" in line for line in lines)
    assert any("marked: names, " in line and "demo/demo" in line for line in lines)
    assert "hunter2000" not in "".join(lines)


def test_the_setting_is_the_level_of_sessions_without_one(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENCODE_NB_PRIVACY", "none")
    shell.user_ns["marked"] = ["hunter2000"]
    assert "Privacy level: none" in run_cell("%%prompt\nSee @marked").printed
    assert (
        told(demo_model)
        == "See @marked\n[Withheld: the user's privacy level is none; the rest needs names or schema or full.]"
    )


def test_the_context_of_the_next_prompt_is_shown_and_not_sent(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    shell.user_ns["rain"] = [763, 2495]
    before = len(demo_model.requests)
    shown = run_cell("%opencode context Look at @rain, {{len(rain)}} values").printed
    assert "- text, about 6 tokens:\n    Look at @rain, 2 values" in shown
    assert "- rain, about" in shown
    assert "rain: list of 2 (new)" in shown
    assert "privacy level full" in shown
    assert len(demo_model.requests) == before
    assert "Nothing left the kernel" in run_cell("%opencode ledger").printed
    run_cell("%%prompt\nLook at @rain, {{len(rain)}} values")
    for part in last_message(demo_model):
        for line in part["text"].splitlines():
            assert line in shown


def test_the_last_error_is_sent_to_be_fixed(run_cell: RunCell, demo_model: DemoModel) -> None:
    run_cell("def ratio(n):\n    return 1 / n\nratio(0)")
    demo_model.queue([[text("Fixed.")]])
    assert "Fixed." in run_cell("%opencode fix without changing ratio").printed
    assert "Fix the last error. without changing ratio" in told(demo_model)
    assert "ZeroDivisionError" in told(demo_model)
    assert "return 1 / n" in told(demo_model)


def test_the_output_of_a_cell_is_sent_to_be_explained(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    run_cell("rain = [763, 2495]\nrain")
    number = shell.execution_count - 1
    run_cell("1 / 0")
    demo_model.queue([[text("It is rain.")]], [[text("By zero.")]], [[text("A sum.")]])
    assert "It is rain." in run_cell(f"%opencode explain Out[{number}] briefly").printed
    assert f"Explain the output of cell In[{number}]. briefly" in told(demo_model)
    assert "2495" in told(demo_model)
    run_cell(f"%opencode explain {number + 1}")
    assert "It failed with a `ZeroDivisionError`" in told(demo_model)
    run_cell("%opencode explain why not zero")
    assert f"Explain the output of cell In[{number + 1}]. why not zero" in told(demo_model)
    assert "There is no cell In[9999]." in run_cell("%opencode explain [9999]").printed
