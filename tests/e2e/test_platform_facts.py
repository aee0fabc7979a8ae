"""What Jupyter does on each ipykernel that we promise to work with. The package's design rests on these facts:
when one of them changes, this fails first, and says which."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import KERNELS

COUNTER = '''
import threading
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = """
    export default { render({ model, el, signal }) {
      const list = document.createElement("ul");
      const button = document.createElement("button");
      button.textContent = "Count";
      button.addEventListener("click", () => model.send({ kind: "clicked" }), { signal });
      el.replaceChildren(button, list);
      model.on("msg:custom", (content) => {
        const item = document.createElement("li");
        item.textContent = content.text;
        list.append(item);
      });
      for (const delay of [0, 300, 1000]) setTimeout(() => model.send({ kind: "hello" }), delay);
    } };
    """

def make_counter():
    counter, heard, clicked = Counter(), threading.Event(), threading.Event()
    def on_message(widget, content, buffers):
        {"hello": heard, "clicked": clicked}[content["kind"]].set()
    counter.on_msg(on_message)
    return counter, heard, clicked
'''
"""A widget that lists what it is sent. `heard`: its page can be heard; `clicked`: its button was pressed."""

STREAM = """
counter, heard, clicked = make_counter()
gate = threading.Event()
def stream():
    while not gate.wait(0.05):
        counter.send({"text": "an item"})
    counter.send({"text": "the last item"})
display(counter)
threading.Thread(target=stream).start()
asked = input("go on? ")
gate.set()
"""
"""Blocks in `input()` until the test has seen that another thread streams meanwhile."""

CLICK = """
counter, heard, clicked = make_counter()
if {cured} and hasattr(counter.comm, "_reply_subshell_for"):
    counter.comm._reply_subshell_for = None
display(counter)
print("heard", heard.wait({patience}))
print("clicked", clicked.wait({patience}))
"""
"""Blocks in Python until the page is heard and its button is pressed, or patience (seconds) ends."""

LONG, SHORT = 60, 2
"""Seconds: more than any delivery takes on a busy machine; enough for one to have come, as it takes milliseconds."""

every_kernel = pytest.mark.parametrize("kernel", KERNELS)


@every_kernel
def test_the_notebook_uses_the_requested_kernel_version(open_notebook: OpenNotebook, kernel: str) -> None:
    notebook = open_notebook(["import ipykernel\nprint(ipykernel.__version__)", "1 + 1"], kernel=kernel)
    assert notebook.run(0).startswith(f"{kernel}.")
    assert notebook.run(1) == "2"
    saved = notebook.save()
    assert saved["cells"][1]["outputs"][0]["data"]["text/plain"] == "2"


@every_kernel
def test_a_thread_streams_into_a_widget_while_the_cell_blocks(open_notebook: OpenNotebook, kernel: str) -> None:
    notebook = open_notebook([COUNTER, STREAM], kernel=kernel)
    notebook.run(0)
    output = notebook.start(1)
    expect(output.get_by_role("listitem").nth(2)).to_have_text("an item")
    assert notebook.running(1)
    notebook.answer(1, "yes")
    expect(output.get_by_role("listitem").last).to_have_text("the last item")
    notebook.wait(1)


@pytest.mark.parametrize(
    ("kernel", "cured", "delivered"),
    [("7.4", True, True), ("7.4", False, False), ("7.3", True, True), ("7.3", False, True), ("6.31", True, False)],
)
def test_a_click_reaches_a_blocked_cell_only_where_the_kernel_allows_it(
    open_notebook: OpenNotebook, kernel: str, cured: bool, delivered: bool
) -> None:
    patience = LONG if delivered else SHORT
    notebook = open_notebook([COUNTER, CLICK.format(cured=cured, patience=patience)], kernel=kernel)
    notebook.run(0)
    output = notebook.start(1)
    if delivered:
        expect(output.get_by_text("heard True")).to_be_visible()
    output.get_by_role("button", name="Count").click()
    notebook.wait(1)
    assert f"heard {delivered}" in notebook.text(1)
    assert f"clicked {delivered}" in notebook.text(1)


@every_kernel
def test_stop_interrupts_a_blocked_cell(open_notebook: OpenNotebook, kernel: str) -> None:
    source = "import threading\nprint('blocked')\nthreading.Event().wait()"
    notebook = open_notebook([source, "'still here'"], kernel=kernel)
    output = notebook.start(0)
    expect(output.get_by_text("blocked")).to_be_visible()
    notebook.interrupt()
    notebook.wait(0)
    assert "KeyboardInterrupt" in notebook.text(0)
    assert notebook.run(1) == "'still here'"


@every_kernel
def test_input_is_answered_while_the_cell_blocks(open_notebook: OpenNotebook, kernel: str) -> None:
    notebook = open_notebook(["answer = input('Allow? ')\nanswer.upper()"], kernel=kernel)
    notebook.start(0)
    notebook.answer(0, "yes")
    notebook.wait(0)
    assert "'YES'" in notebook.text(0)


def test_saved_output_survives_a_reload_in_the_dark_theme(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["6 * 7"])
    notebook.run(0)
    notebook.save()
    notebook.set_theme("dark")
    notebook.screenshot("dark")
    notebook.reload()
    assert notebook.text(0) == "42"


STATIC = """
from IPython.display import HTML, display
display(HTML('<style>.probe { color: red }</style>'
    '<div class="probe" data-part="text" role="log" id="probe" onclick="alert(1)"'
    ' style="color: light-dark(rgb(0,0,0),#ffffff); background-color: light-dark(#ffffff,#000000); max-height: 40px">'
    '<details open><summary>Two files</summary><ins>added</ins></details></div>'))
"""


FORMULAS = """
from IPython.display import HTML, display
from opencode_nb.render.markdown.convert import to_html
display(HTML('<div class="opencode-nb mathjax_ignore tex2jax_ignore">' + to_html(
    r'Let $x^2$ and \\(\\frac{a}{b}\\) cost $5, not $10, and $\\href{javascript:alert(1)}{z}$.') + '</div>'))
"""


def test_formulas_are_typeset_in_an_untrusted_notebook(open_notebook: OpenNotebook) -> None:
    """By the browser where the notebook is trusted, else by JupyterLab's MathJax: its sanitizer removes MathML."""
    notebook = open_notebook([FORMULAS])
    notebook.run(0)
    own = notebook.output(0).locator("p")
    expect(own.locator("math")).to_have_count(2)
    assert own.locator("math").last.evaluate("math => math.getBoundingClientRect().height") > 10
    expect(own.locator("mjx-container")).to_have_count(0)
    said = str(own.evaluate("node => { getSelection().selectAllChildren(node); return getSelection().toString() }"))
    assert " ".join(said.split()) == (
        r"Let $x^2$ and $\frac{a}{b}$ cost $5, not $10, and $\href{javascript:alert(1)}{z}$."
    )
    notebook.screenshot("trusted")
    received = open_notebook(path=notebook.copy_for_a_stranger(), kernel=None)
    shown = received.output(0).locator("p")
    expect(shown.locator("mjx-container")).to_have_count(2)
    for typeset in shown.locator("mjx-container").all():
        assert typeset.evaluate("node => node.getBoundingClientRect().height") > 10
        assert typeset.evaluate("node => node.closest('.oc-tex').getBoundingClientRect().width") > 5
    expect(shown.locator("a")).to_have_count(0)
    expect(shown.locator(".oc-mathml").first).to_be_hidden()
    expect(shown).to_contain_text("cost $5, not $10")
    received.screenshot("stranger")


def test_an_untrusted_notebook_keeps_only_sanitised_html(open_notebook: OpenNotebook) -> None:
    """Untrusted and without a kernel: HTML keeps classes, details and some inline style; a widget is its `text/plain`.

    `light-dark()` stays only if its first colour is `rgb()` or `rgba()`, and not in shorthands.
    """
    notebook = open_notebook([STATIC, COUNTER + "display(Counter())"])
    notebook.run(0)
    notebook.run(1)
    expect(notebook.output(1).get_by_role("button", name="Count")).to_be_visible()
    received = open_notebook(path=notebook.copy_for_a_stranger(), kernel=None)
    probe = received.output(0).locator(".probe")
    expect(probe.get_by_text("added")).to_be_visible()
    expect(probe.locator("details")).to_have_attribute("open", "")
    assert probe.get_attribute("style") == "color:light-dark(rgb(0,0,0),#ffffff);max-height:40px"
    assert [probe.get_attribute(name) for name in ("data-part", "role", "id", "onclick")] == [None] * 4
    expect(received.output(0).locator("style")).to_have_count(0)
    assert received.text(1).startswith("<__main__.Counter object")
