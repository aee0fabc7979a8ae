"""A real page for the widgets' JavaScript: no Jupyter, only a model that stands where anywidget's would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comm
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page

import opencode_nb as oc
from opencode_nb.demo import DemoModel
from opencode_nb.server import Server
from opencode_nb.widgets import assets
from tests.support.browser import chromium
from tests.widgets.panel import Panel
from tests.widgets.wire import Wire

MODEL = """
window.makeModel = () => {
  const listeners = [], state = {};
  return {
    sent: [],
    get: (name) => state[name],
    on: (event, callback) => listeners.push({ event, callback }),
    off(event, callback) {
      const index = listeners.findIndex((one) => one.event === event && one.callback === callback);
      if (index >= 0) listeners.splice(index, 1);
    },
    send(content) { this.sent.push(content); },
    set(name, value) { state[name] = value; this.tell(`change:${name}`); },
    tell(event, ...content) { for (const one of [...listeners]) if (one.event === event) one.callback(...content); },
    get listening() { return listeners.length; },
  };
};
window.load = async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  return (await import(url)).default;
};
"""
"""A model with anywidget's face, and a module imported as anywidget does it: from a blob URL."""


class Widget:
    """A widget's module with its model, in a page of its own."""

    def __init__(self, page: Page, module: str = "turn/turn.js") -> None:
        self.page = page
        page.evaluate(MODEL)
        page.evaluate(
            "async source => { window.widget = await load(source); window.model = makeModel() }", assets.script(module)
        )

    def stop_clock(self) -> None:
        """It is 1000 s after the epoch until `pass_time` says otherwise, however long a test takes for what it does."""
        self.page.clock.install(time=0)
        self.page.clock.pause_at(1000)

    def pass_time(self, ms: int) -> None:
        """Let this much time pass at once; the clock has been stopped."""
        self.page.clock.run_for(ms)

    def render(self, name: str = "view") -> Locator:
        """One more view of the model; `name` is the id of its element."""
        self.page.evaluate(
            """name => {
              const el = document.createElement("div"), controller = new AbortController();
              el.id = name;
              document.body.append(el);
              const cleanup = widget.render({ model, el, signal: controller.signal });
              (window.views ??= {})[name] = { cleanup, controller };
            }""",
            name,
        )
        return self.page.locator(f"#{name} > [data-key=root]")

    def snapshot(self, n: int, html: str) -> None:
        """Set the trait, as Python does."""
        self.page.evaluate("snapshot => model.set('snapshot', snapshot)", {"n": n, "html": html})

    def message(self, content: dict[str, Any]) -> None:
        """A custom message from Python."""
        self.page.evaluate("content => model.tell('msg:custom', content, [])", content)

    def patch(self, n: int, *ops: list[Any]) -> None:
        """Batch n of operations."""
        self.message({"kind": "patch", "n": n, "ops": list(ops)})

    def sent(self, *kinds: str) -> list[dict[str, Any]]:
        """What the page has sent so far, of these kinds or all but hello."""
        messages = self.page.evaluate("model.sent")
        return [item for item in messages if (item["kind"] in kinds if kinds else item["kind"] != "hello")]


@pytest.fixture(scope="package")
def browser(not_quick: None) -> Iterator[Browser]:
    """A Chromium for this package only."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile for each test: a clock that a test has stopped stands still in all pages of its profile."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """An empty page; an error in it fails the test."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def widget(page: Page) -> Widget:
    """The widget, not rendered yet."""
    return Widget(page)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The other end of the comm of the next widget that is made."""
    wire = Wire()
    monkeypatch.setattr(comm, "create_comm", wire.make)
    yield wire
    wire.unplug()


@pytest.fixture
def ai(server: Server, workplace: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    """What panels are made with, on the test run's server."""
    with oc.Opencode(base_url=server.url, password=server.password, directory=workplace) as ai:
        yield ai


@pytest.fixture
def shown(ai: oc.Opencode, wire: Wire) -> Iterator[Panel]:
    """A panel on a new session."""
    panel = oc.chat(ai.session())
    yield Panel(panel, wire)
    panel.close()
