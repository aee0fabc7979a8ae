"""The chat panel in the saved notebook: what was said is there, whoever opens it."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from playwright.sync_api import expect

from opencode_nb.demo import DemoModel, text
from opencode_nb.render.chat import saved
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import OPEN, ChatView
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook
from tests.render.turns import turn

WIDGET = "application/vnd.jupyter.widget-view+json"
SAID = ("first question", "The first answer.", "second question", "The second answer.")


def says_and_keeps(notebook: Notebook, view: ChatView, prompt: str, answer: str) -> None:
    """Send a prompt, and wait until the notebook's document has the answer."""
    view.send(prompt)
    view.says(answer)
    notebook.wait_until_it_holds(answer)


def test_the_conversation_is_saved_while_the_panel_is_used(
    open_notebook: OpenNotebook, lab: Lab, demo_model: DemoModel
) -> None:
    demo_model.queue([[text("The first answer.")], [text("The second answer.")]])
    notebook = open_notebook([OPEN, "panel.close()"], directory=make_project(lab.root / "chat-saved"))
    notebook.run(0)
    view = ChatView(notebook.page)
    view.appears()
    says_and_keeps(notebook, view, "first question", "The first answer.")
    view.message.fill("a draft")
    notebook.page.evaluate("() => { window.field = document.querySelector('.opencode-nb textarea') }")
    view.message.fill("")
    says_and_keeps(notebook, view, "second question", "The second answer.")
    assert notebook.page.evaluate("() => window.field.isConnected"), "the view was built again"
    expect(notebook.output(0).get_by_text("The second answer.")).to_have_count(1)

    (output,) = notebook.save().cells[0].outputs
    assert WIDGET not in output.data
    assert output.metadata["opencode_nb"]["session"].startswith("ses_")
    for exporter in (HTMLExporter(), MarkdownExporter()):
        page, _resources = exporter.from_notebook_node(notebook.saved())
        assert [words for words in SAID if words not in page] == []
        assert WIDGET not in page
    notebook.reload()
    view.appears()
    view.says("The second answer.")
    expect(notebook.output(0).get_by_text("The second answer.")).to_have_count(1)
    notebook.run(1)
    expect(view.root).to_have_count(0)
    expect(notebook.output(0).get_by_text("The second answer.")).to_be_visible()
    received = open_notebook(path=notebook.copy_for_a_stranger(), kernel=None)
    assert [words for words in SAID if words not in received.text(0)] == []


@pytest.mark.parametrize("kernel", [None, "7.4"])
def test_a_trusted_notebook_without_a_kernel_shows_the_conversation(
    open_notebook: OpenNotebook, lab: Lab, kernel: str | None
) -> None:
    """Its page has no widget manager without a kernel, and none that knows the widget with a new one."""
    pieces = [saved.piece(turn({"type": "text", "text": SAID[i + 1]}, prompt=SAID[i])) for i in (0, 2)]
    data = {
        **saved.conversation("Rain", "ses_1", pieces),
        "application/vnd.opencode-nb.gone+json": {"model_id": "gone"},
    }
    cell = nbformat.v4.new_code_cell(OPEN, outputs=[nbformat.v4.new_output("display_data", data)])
    metadata = {} if kernel is None else {"kernelspec": {"name": f"ipykernel-{kernel}", "display_name": kernel}}
    path = lab.root / f"trusted-{kernel}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), path)
    env = {**os.environ, "JUPYTER_DATA_DIR": str(lab.root.parent / "data")}
    subprocess.run([sys.executable, "-m", "nbformat.sign", str(path)], check=True, env=env)
    notebook = open_notebook(path=path, kernel=kernel)
    assert [words for words in SAID if words not in notebook.text(0)] == []
    assert "widget" not in notebook.text(0)
