"""%%prompt --schema and %%opencode, in a real shell on a real server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import opencode_nb as oc
from opencode_nb.demo import DemoModel, kernel_tool, text
from tests.magics.conftest import RunCell
from tests.magics.support_kernel import Kernel, printed

STEP = 10
"""Seconds for a message that is there."""

CODE = "Like this:\n\n```python\ndouble = 2 * half\n```\n\nor\n\n```sh\nls\n```\n"


def asked(model: DemoModel) -> str:
    """Return the text of the last prompt."""
    return json.dumps(model.requests[-1]["messages"][-1])


# --- values -----------------------------------------------------------------------------------------------------------


def test_the_variable_gets_the_value_and_the_cell_the_turn(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    run_cell("from dataclasses import dataclass\nfrom typing import Literal\n@dataclass\nclass P:\n    name: str")
    demo_model.queue(kernel_tool("result", value=[{"name": "Ada"}]))
    cell = run_cell("%%prompt -o people --schema list[P]\nWho?")
    assert cell.error is None
    assert shell.user_ns["people"] == [shell.user_ns["P"]("Ada")]
    assert isinstance(shell.user_ns["_"], oc.Turn)
    assert 'Result: [{"name": "Ada"}]' in cell.printed
    demo_model.queue(text("b"), text("c"), text("c"))
    assert run_cell('x = %prompt -q --schema Literal["a","b"] Which?').error is None
    assert shell.user_ns["x"].data == "b"
    failed = run_cell('%%prompt -q -o people --schema Literal["a","b"]\nWhich?')
    assert "StructuredOutputError" in failed.printed
    assert shell.user_ns["people"] == [shell.user_ns["P"]("Ada")]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (
            "%%prompt --schema nowhere\nx",
            "--schema nowhere: NameError: name 'nowhere' is not defined. Nothing was sent.",
        ),
        ("%%prompt --schema 3\nx", "--schema 3: schema=3 is not a type."),
        ("%%prompt --schema {'type':3}\nx", "is not a valid JSON schema: "),
        ("%%prompt --schema int\n!ls", "does not take --schema"),
        ("%%prompt -b -o x --schema int\nx", "use `_.wait().data` instead"),
        ("%%opencode\nx = 1", "the instruction is empty"),
        ("%%opencode -b explain --insert\nx = 1", "remove --background"),
        ("%%opencode --insert --run explain\nx = 1", "not allowed with argument"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(run_cell: RunCell, demo_model: DemoModel, cell: str, says: str) -> None:
    shown = run_cell(cell).printed
    assert says in shown
    assert "Traceback" not in shown
    assert demo_model.requests == []


# --- code -------------------------------------------------------------------------------------------------------------


def test_an_instruction_is_about_the_code_below_it(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel
) -> None:
    demo_model.queue(text(CODE))
    cell = run_cell("%%opencode Explain @nothing, {{please}}\n@decorated\ndef f():\n    '''```'''  # {{x}}\n")
    assert "NameError" in cell.printed  # of the instruction's own expression, as in a prompt
    cell = run_cell("%%opencode Explain this\n@decorated\ndef f():\n    '''```'''  # {{x}}\n")
    assert json.dumps("Explain this\n\n````python\n@decorated\ndef f():\n    '''```'''  # {{x}}\n````")[1:-1] in asked(
        demo_model
    )
    assert cell.error is None
    assert shell.user_ns["_"].text.strip() == CODE.strip()


def test_the_answer_s_code_is_put_into_a_cell_or_run_once_it_is_allowed(
    run_cell: RunCell, shell: InteractiveShell, demo_model: DemoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[tuple[str, bool]] = []
    monkeypatch.setattr(shell, "set_next_input", lambda code, replace=False: put.append((code, replace)))
    demo_model.queue(*[text(CODE)] * 4, text("No code."))
    assert run_cell("%%opencode Double it --insert\nhalf = 4").error is None
    assert run_cell("%%opencode --replace Double it\nhalf = 4").error is None
    assert put == [("double = 2 * half", False), ("double = 2 * half", True)]
    assert "half = 4" in asked(demo_model)
    assert "one ```python block" in asked(demo_model)

    run_cell("half = 21")
    refused = run_cell("%%opencode --run Double it\nhalf")  # nobody can be asked: stdin is no terminal
    assert "The code was not run. Nobody is available" in refused.printed
    assert "double" not in shell.user_ns
    assert run_cell("%%opencode --run --permission allow Double it\nhalf").error is None
    assert shell.user_ns["double"] == 42
    assert "no Python code: there is nothing to run" in run_cell("%%opencode --run --permission allow x\n1").printed


def test_tab_offers_the_options_on_the_line_and_python_below_it(shell: InteractiveShell) -> None:
    with_options = shell.Completer.completions
    from IPython.core.completer import provisionalcompleter

    with provisionalcompleter():
        assert "--replace" in [one.text for one in with_options("%%opencode --rep", 16)]
        assert "--schema" in [one.text for one in with_options("%%prompt --sch", 14)]
    assert "put the answer's code in place of this cell" in shell.find_cell_magic("opencode").__doc__


@pytest.fixture(scope="module")
def kernel(opencode_program: Path, server_model: DemoModel, work: Path) -> Iterator[Kernel]:
    kernel = Kernel(work, {**os.environ, "OPENCODE_CONFIG_CONTENT": json.dumps(server_model.config())})
    yield kernel
    kernel.close()


def test_a_kernel_hands_code_to_its_page_and_asks_there(kernel: Kernel, demo_model: DemoModel) -> None:
    demo_model.queue(text(CODE), text(CODE), kernel_tool("result", value=2.5))
    kernel.run("%load_ext opencode_nb\nhalf = 4")
    kernel.run("%%opencode Double it --replace\nhalf = 4")
    asked = kernel.run("%%opencode --run Double it\nhalf", answers=("y",))
    assert "double = 2 * half" in printed(asked)
    kernel.run("%%prompt -o factor --schema float\nHow much?")
    assert "10.5" in printed(kernel.run("factor + double"))
    while kernel.client.shell_channel.msg_ready():  # behind the replies to what asked whether it is ready
        kernel.messages.append(kernel.client.get_shell_msg(timeout=STEP))
    put = [message["content"]["payload"] for message in kernel.messages if message["content"].get("payload")]
    assert put == [[{"source": "set_next_input", "text": "double = 2 * half", "replace": True}]]
