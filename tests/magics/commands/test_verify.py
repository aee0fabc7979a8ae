"""%opencode verify and %%prompt --verify, in the kernel of a notebook with a page, and `opencode-nb verify`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

import opencode_nb as oc
from opencode_nb import cli
from opencode_nb.api.verifying import VERIFYING
from opencode_nb.demo import DemoModel, kernel_tool, text, tool
from opencode_nb.magics.workspace import PASSWORD
from tests.magics.conftest import RunCell
from tests.magics.support_kernel import Kernel, printed
from tests.verify.corpus import code, value, write
from tests.verify.corpus import printed as stdout

BROKEN = "print(1 / 0)"
MENDED = "print(1 / 2)"


@pytest.fixture
def notebook(project: Path) -> Path:
    """A notebook whose second cell raises, and that verifies itself in its third."""
    cells = code("x = 2", count=1), code(BROKEN, stdout("0.5\n"), count=2), code("%opencode verify", count=3)
    return write(project / "work.ipynb", *cells)


@pytest.fixture
def kernel(server: oc.Server, project: Path, notebook: Path) -> Iterator[Kernel]:
    """The kernel that Jupyter's server has started for the notebook."""
    environment = {PASSWORD: server.password, "JPY_SESSION_NAME": str(notebook)}
    kernel = Kernel(project, {**os.environ, **environment})
    kernel.run("%load_ext opencode_nb")
    yield kernel
    kernel.close()


def mending(notebook: Path) -> list[object]:
    """Return the script of a turn that mends the notebook."""
    command = f"sed -i 's|1 / 0|1 / 2|' {notebook.name}"
    return [tool("bash", command=command, description="Mend it"), text("Mended.")]


def start_in_cell(kernel: Kernel, cell_id: str, source: str) -> str:
    """Start a cell as JupyterLab does, which sends its id along."""
    content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": True}
    message = kernel.client.session.msg("execute_request", content, metadata={"cellId": cell_id})
    kernel.client.shell_channel.send(message)
    return str(message["header"]["msg_id"])


def asked(kernel: Kernel) -> list[str]:
    """Return what the kernel asked so far."""
    return [one["content"]["prompt"] for one in kernel.messages if one["msg_type"] == "input_request"]


def test_a_notebook_is_verified_without_being_asked_or_is_not_mended(
    kernel: Kernel, notebook: Path, server: oc.Server, demo_model: DemoModel
) -> None:
    said = printed(kernel.run("%opencode verify", answers=("n",)))
    assert "The notebook was not run." in said
    said = printed(kernel.finish(start_in_cell(kernel, "not-saved-yet", "%opencode verify"), answers=("yes",)))
    assert "work.ipynb is not sound: 1 cell raises." in said
    assert "1 cell raises, 1 cell was not run again, 1 cell shows what it showed." in said
    assert "ZeroDivisionError: division by zero" in said
    assert "It was run as it was saved at " in said
    assert "The saved file does not have this cell: save the notebook" in said
    assert "This cell asks for permission to run the cells of a notebook in a fresh kernel:" in said
    assert "Notebook: work.ipynb" in said
    assert asked(kernel) == ["Allow? [y]es, once / [n]o, or say why not: "] * 2

    kernel.run(f"%opencode start --url {server.url}")
    demo_model.queue(kernel_tool("result", value=3), mending(notebook))  # what mends need not answer the schema
    said = printed(kernel.run("%%prompt --verify -o cells --schema int\nHow many cells?", answers=("yes", "y", "yes")))
    assert len(asked(kernel)) == 5
    assert "work.ipynb is not sound" in said
    assert "work.ipynb is sound, as far as it was run" in said
    assert "StructuredOutputError" not in said
    assert printed(kernel.run("print(cells)")).strip() == "3"
    assert nbformat.read(notebook, 4).cells[1].source == MENDED
    told = json.dumps(demo_model.requests[-1])
    assert "Mend the notebook" in told
    assert "ZeroDivisionError" in told

    kernel.run("%%prompt --record turns.jsonl\nSay exactly: recorded")
    prompts = "%%prompt --replay turns.jsonl -o turn\nSay exactly: recorded", "turn.text"
    cells = [code("%load_ext opencode_nb"), code(prompts[0], count=2), code(prompts[1], value("'recorded'"), count=3)]
    write(notebook.with_name("played.ipynb"), *cells)
    said = printed(kernel.run("%opencode verify played.ipynb --yes"))
    assert "played.ipynb is sound." in said
    assert "1 cell was played from a recording, 2 cells show what they showed." in said


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write(tmp_path / "sound.ipynb", code("1", value("1")))


def test_a_notebook_is_run_where_nobody_can_be_asked(
    run_cell: RunCell, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {
        f"%opencode verify {sound}": "Nobody can be asked here whether to run the cells of sound.ipynb",
        "%opencode verify": "name the notebook's file",
        "%%prompt --verify\nhello": "name the notebook's file",
        f"%opencode verify {sound.with_name('none.ipynb')} --yes": "There is no file",
        f"%opencode verify {sound} --mend often": "'often' is not a whole number above 0",
        "%%prompt --verify -b\nhello": "--verify is for prompts that the cell waits for",
        "%%prompt --verify\n/undo": "name the notebook's file",
        "%%opencode --verify Double it\nhalf": "name the notebook's file",
        "%%opencode --verify --insert Double it\nhalf": "which lacks the code to insert: remove one",
    }
    assert {line: expected in run_cell(line).printed for line, expected in said.items()} == dict.fromkeys(said, True)
    monkeypatch.setenv(VERIFYING, "1")
    assert "only prompts with --replay are run" in run_cell("%%prompt\nhello").printed
    assert "not verified once more from within" in run_cell(f"%opencode verify {sound} --yes").printed


def test_the_command_runs_a_notebook_unasked(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(sound)]) == 1
    assert "Nobody can be asked here" in capsys.readouterr().err
