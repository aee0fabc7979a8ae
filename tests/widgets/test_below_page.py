"""What waits below the fold of a long output is told at the top of what is in sight, with the way there."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from opencode_nb.widgets import assets
from tests.widgets.chat.page import PERMISSION, permission
from tests.widgets.conftest import Widget

STATUS = (
    '<div data-key="s" class="oc-bar" role="status"><span class="oc-info">Working</span>'
    '<button type="button" data-intent="stop">Stop</button></div>'
)
LONG = '<div data-key="p" style="height:3000px">A long answer</div>'

NOTEBOOK = """([width, scrolled]) => {
  const view = document.getElementById("view");
  const [page, area] = [document.createElement("div"), document.createElement("div")];
  Object.assign(page.style, { height: "400px", width: `${width}px`, overflow: "auto", marginTop: "50px" });
  Object.assign(area.style, { overflowY: "auto", maxHeight: scrolled ? "300px" : "none" });
  document.body.append(page);
  page.append(area);
  area.append(view);
  window.scroller = scrolled ? area : page;
}"""
"""Put the view into an output area, which cuts off what is too wide, on a page that scrolls; or the area scrolls."""


class Output:
    """A long output with its status at the end, and the line that tells of it."""

    def __init__(self, page: Page, *, scrolled: bool = False, width: int = 700) -> None:
        page.add_style_tag(content=assets.styles("core/base.css", "core/rows.css"))
        self.widget = Widget(page)
        self.root = self.widget.render()
        page.evaluate(NOTEBOOK, [width, scrolled])
        self.widget.snapshot(0, LONG + '<div data-key="q" data-part="requests"></div>' + STATUS)
        self.bar = page.get_by_role("region", name="Out of sight below")

    def scroll(self, top: int) -> None:
        self.widget.page.evaluate("top => { scroller.scrollTop = top }", top)

    def button(self, name: str) -> Locator:
        return self.bar.get_by_role("button", name=name, exact=True)

    def ask(self, **more: Any) -> None:
        card = permission({**PERMISSION, **more}, "q1")
        self.widget.patch(1, ["put", "q1", "q", card])


@pytest.fixture(params=[False, True], ids=["long", "scrolled"])
def output(page: Page, request: pytest.FixtureRequest) -> Output:
    return Output(page, scrolled=request.param)


def test_status_and_stop_are_repeated_at_the_top(output: Output) -> None:
    expect(output.bar).to_contain_text("Working")
    output.button("Stop").click()
    assert output.widget.sent() == [{"kind": "stop"}]
    output.button("Go to the end").click()
    expect(output.bar).to_be_hidden()
    expect(output.root.get_by_role("button", name="Stop")).to_be_in_viewport()


def test_a_request_below_the_fold_shows_a_jump_at_the_top(output: Output) -> None:
    output.ask()
    expect(output.bar).to_contain_text("Permission needed bash This session wants to run a shell command")
    output.button("Go to the request").click()
    expect(output.bar).to_be_hidden()
    expect(output.root.get_by_role("group", name="Permission needed")).to_be_focused()
    expect(output.root.get_by_role("button", name="Allow once")).to_be_in_viewport()


def test_the_jump_stays_at_the_top_of_the_visible_output(output: Output) -> None:
    for top in (0, 700, 1500):
        output.scroll(top)
        output.widget.page.wait_for_function(
            """() => {
              const bar = document.querySelector(".oc-below").getBoundingClientRect();
              return Math.abs(bar.top - scroller.getBoundingClientRect().top) < 2;
            }"""
        )
    output.scroll(9999)
    expect(output.bar).to_be_hidden()


def test_no_jump_is_shown_for_visible_or_finished_turns(output: Output) -> None:
    output.widget.patch(1, ["drop", "p"])
    expect(output.bar).to_be_hidden()
    output.widget.patch(2, ["put", "p", "root", LONG, "q"], ["drop", "s"])
    expect(output.root).to_contain_text("A long answer")
    expect(output.bar).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000])
def test_screenshots(page: Page, artifacts: Any, theme: str, width: int) -> None:
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.add_style_tag(content=":root { color-scheme: light dark }")
    output = Output(page, width=width)
    output.ask()
    expect(output.button("Go to the request")).to_be_visible()
    page.screenshot(path=artifacts / "screenshots" / f"below-{theme}-{width}.png")
