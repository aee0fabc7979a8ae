"""Hostile text from model, tools, files and errors is only ever text: live, at the end, saved and reopened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Dialog, Locator, Request, expect

from opencode_nb.demo import DemoModel, error, gate, reason, text, tool
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_lab import Lab
from tests.support.browser import press_answer

HOSTILE: dict[str, str] = json.loads((Path(__file__).parents[1] / "render/fixtures/hostile.json").read_text("utf-8"))
TURN_TIMEOUT = 30_000
"""Milliseconds for a step of a turn to show."""

RUN = "window.__xss = 1"
XSS = f"<img src=x onerror='{RUN}'><script>{RUN}</script>"
ATTRIBUTE = f'" onmouseover="{RUN}" autofocus onfocus="{RUN}" x="'
FILE_NAME = f"<img src=x onerror='{RUN}'>.md"
LABEL = f"label {XSS}"
LEFT_OUT = {"lone_surrogate"}
"""What is no Unicode, so that no JSON carries it."""
LONG = 1000
"""Characters; from there on a case tries the parser's patience only, which the renderer's own tests do."""
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

FORBIDDEN = """root => [...root.querySelectorAll("*")].flatMap((node) => {
  const found = [];
  if (/^(script|iframe|object|embed|link|meta|base|style|svg|math|form)$/i.test(node.tagName)
      && !node.matches(".oc-mathml > math, mjx-container math")
      && !node.matches("form[data-intent=question], form[data-intent=permission], svg[data-icon^='ui-components:']"))
    found.push(node.outerHTML);
  for (const { name, value } of node.attributes) {
    if (/^on|^srcdoc$|^action$|^formaction$/i.test(name)) found.push(`${name}=${value}`);
    if (/^src/i.test(name) && !/^data:image[/](png|jpeg|gif|webp);base64,/.test(value)) found.push(`${name}=${value}`);
    if (name === "style" && /url|expression/i.test(value)) found.push(`${name}=${value}`);
  }
  if (node.href && !["http:", "https:", "mailto:"].includes(node.protocol)) found.push(node.outerHTML);
  return found;
})"""
"""What may not be among the nodes of an output: what runs or loads something, or leads to where that happens."""


HOLDS = """([node, texts]) => {
  const squeezed = (text) => text.replaceAll(/\\s+/g, "");
  return texts.every((text) => squeezed(node.textContent).includes(squeezed(text)));
}"""


class Watch:
    """What a page did that hostile text wants: dialogs opened, addresses called."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.seen: list[str] = []
        self._home = home
        self._context = context
        context.on("dialog", self._dialog)
        context.on("request", self._request)

    def _dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self._home, "data:", "blob:", "file:")):
            self.seen.append(f"request {request.url}")

    def end(self) -> None:
        """Look no longer."""
        self._context.remove_listener("dialog", self._dialog)
        self._context.remove_listener("request", self._request)


@pytest.fixture
def watch(context: BrowserContext, lab: Lab) -> Iterator[Watch]:
    watch = Watch(context, lab.url)
    yield watch
    watch.end()
    assert watch.seen == []


@pytest.fixture
def work(lab: Lab) -> Path:
    """A project with a file of everything hostile, inside what JupyterLab serves."""
    work = make_project(lab.root / "hostile")
    (work / "hostile.txt").write_text("\n\n".join(sendable().values()), encoding="utf-8")
    return work


def sendable() -> dict[str, str]:
    """The cases that can be said here."""
    return {name: case for name, case in HOSTILE.items() if len(case) < LONG and name not in LEFT_OUT}


def script(work: Path) -> list[list[object]]:
    """One turn with hostile text in everything that a model, a tool or a provider can say."""
    everything = "\n\n".join(sendable().values())
    question = {"header": LABEL, "question": f"Which? {XSS}", "options": [{"label": LABEL, "description": ATTRIBUTE}]}
    said = [reason(f"Thinking {everything}"), text(f"Saying {XSS}\n\n{everything}\n\nsaid."), gate("hostile")]
    return [
        [*said, tool(f"mcp_{XSS}", **{XSS: ATTRIBUTE})],
        [tool("write", filePath=str(work / FILE_NAME), content=f"{XSS}\n{everything}")],
        [tool("bash", command=f"cat hostile.txt # {XSS}", description=f"Show {ATTRIBUTE}{XSS}")],
        [tool("grep", pattern="</script>|onerror", include="*.txt")],
        [tool("question", questions=[question])],
        [error(400, f"Refused: {XSS}")],
    ]


def assert_harmless(where: Locator, *texts: str) -> None:
    """All these are text there, and nothing else has come of them. JupyterLab draws outputs when it has time."""
    where.page.wait_for_function(HOLDS, arg=[where.element_handle(), list(texts)])
    assert where.evaluate(FORBIDDEN) == []
    assert where.page.evaluate("window.__xss") is None


def test_hostile_text_is_never_rendered_as_markup(
    open_notebook: OpenNotebook, demo_model: DemoModel, watch: Watch, work: Path
) -> None:
    demo_model.queue(script(work))
    notebook = open_notebook(["%load_ext opencode_nb", "%%prompt\ngo"], directory=work)
    notebook.run(0)
    output = notebook.start(1)
    live = output.locator('[data-key="root"]')
    expect(live.locator('[data-part="text"]')).to_contain_text("said.", timeout=TURN_TIMEOUT)
    assert_harmless(live, XSS)
    notebook.screenshot("streaming")
    demo_model.release("hostile")
    for tool_name in ("edit", "bash"):
        asked = live.locator('[data-part="permission"]', has_text=tool_name)
        expect(asked).to_be_visible(timeout=TURN_TIMEOUT)
        assert_harmless(asked, FILE_NAME if tool_name == "edit" else f"cat hostile.txt # {XSS}")
        notebook.screenshot(f"asked-{tool_name}")
        press_answer(asked.get_by_role("button", name="Allow once", exact=True))
    asked = live.locator('[data-part="question"]')
    expect(asked).to_be_visible(timeout=TURN_TIMEOUT)
    assert_harmless(asked, f"Which? {XSS}", LABEL, ATTRIBUTE)
    notebook.screenshot("question")
    asked.get_by_label(LABEL).check()
    asked.get_by_role("button", name="Answer", exact=True).click()
    notebook.wait(1, timeout=TURN_TIMEOUT)
    plain = [case for case in sendable().values() if not CONTROLS.search(case)]
    everywhere = (XSS, FILE_NAME, f"mcp_{XSS}", LABEL, f"Refused: {XSS}", f"cat hostile.txt # {XSS}", *plain)
    assert_harmless(output, *everywhere)
    notebook.save()
    notebook.reload()
    assert_harmless(notebook.output(1), *everywhere)
    received = open_notebook(path=notebook.copy_for_a_stranger(), kernel=None)
    assert_harmless(received.output(1), *everywhere)
    (work / FILE_NAME).unlink()
