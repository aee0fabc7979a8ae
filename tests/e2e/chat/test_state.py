"""The chat panel in a real JupyterLab: whatever happens to page, kernel, stream or server, it shows what is so."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from opencode_nb.demo import DemoModel, gate, reason, text, tool
from opencode_nb.server import Server
from tests.conftest import make_project
from tests.e2e.conftest import OpenNotebook
from tests.e2e.support_chat import OPEN, TURN_TIMEOUT, ChatView
from tests.e2e.support_lab import Lab
from tests.e2e.support_notebook import Notebook
from tests.support.browser import press_answer
from tests.support.history import import_history
from tests.support.proxy import Proxy

COMPUTE = "import time\nend = time.time() + 600\nwhile time.time() < end: sum(range(1000))"
KILL = "import os, signal\nos.kill(panel.session.owner.server.pid, signal.SIGKILL)"
GONE_S = 30
"""Seconds that a network is gone."""
LONG = "ses_" + "0" * 26
MESSAGES = 2_000

SCROLL_UP = "log => { log.scrollTop = 0 }"
FIRST = "log => log.querySelector(':scope > article').dataset.message"
AGREE = """
logs => {
  const [one, other] = logs.map((log) => [...log.querySelectorAll("[data-part]")].map((part) => part.innerText).join());
  return one === other;
}
"""
COUNT = "log => [log.querySelectorAll(':scope > article').length, log.querySelectorAll('*').length]"

Open = Callable[..., tuple[Notebook, ChatView]]


@pytest.fixture
def opened(open_notebook: OpenNotebook, lab: Lab, request: pytest.FixtureRequest) -> Open:
    """Open a notebook in a project, with a panel in its first cell and more cells below."""

    def open_(*cells: str, kernel: str = "7.4", code: str = OPEN) -> tuple[Notebook, ChatView]:
        work: Path = make_project(lab.root / re.sub(r"\W+", "-", request.node.name))
        notebook = open_notebook([code, *cells], directory=work, kernel=kernel)
        notebook.run(0)
        view = ChatView(notebook.page)
        view.appears()
        return notebook, view

    return open_


def bash(command: str = "echo allowed") -> list[object]:
    return [tool("bash", command=command, description="Say it")]


@pytest.mark.parametrize(("kernel", "code"), [("7.4", OPEN), ("7.3", "%load_ext opencode_nb\n%opencode chat")])
def test_the_panel_streams_and_takes_answers_while_a_cell_runs(
    opened: Open, demo_model: DemoModel, kernel: str, code: str
) -> None:
    demo_model.queue([bash(), [text("It said so."), gate(f"computing-{kernel}"), text("And that was all.")]])
    notebook, view = opened(COMPUTE, kernel=kernel, code=code)
    notebook.start(1)
    notebook.wait_until_running(1)
    view.send("Say it")
    press_answer(view.button("Allow once"))
    view.says("It said so.")
    demo_model.release(f"computing-{kernel}")
    view.says("And that was all.")
    view.rests()
    assert notebook.running(1)
    notebook.interrupt()
    notebook.wait(1)
    assert notebook.console == []


def test_an_old_kernel_streams_during_a_cell_and_takes_answers_after_it(opened: Open, demo_model: DemoModel) -> None:
    demo_model.queue([bash(), [text("It said so.")]])
    notebook, view = opened("panel.send('Say it')\n" + COMPUTE, kernel="6.31")
    notebook.start(1)
    for _ in ("shown", "pressed"):  # a press while the command is out of sight only shows it
        view.button("Allow once").click(timeout=TURN_TIMEOUT)
    assert notebook.running(1)
    expect(view.button("Allow once")).to_be_visible()
    notebook.interrupt()
    view.says("It said so.")
    view.rests()


@pytest.mark.parametrize("kernel", ["7.4", "6.31"])
def test_a_page_reloaded_during_a_turn_or_request_shows_the_same(
    opened: Open, demo_model: DemoModel, kernel: str
) -> None:
    reload = f"reload-{kernel}"
    demo_model.queue(
        [[reason("Hm."), text("The first part, "), gate(reload), text("the second."), *bash()], [text("The end.")]]
    )
    notebook, view = opened(kernel=kernel)
    notebook.save()
    view.send("go")
    view.says("The first part,")
    notebook.reload()
    view.says("The first part,")
    expect(view.button("Stop")).to_be_visible()
    demo_model.release(reload)
    view.says("The first part, the second.")
    expect(view.button("Allow once")).to_be_visible(timeout=TURN_TIMEOUT)
    notebook.reload()
    view.says("The first part, the second.")
    view.message.fill("a draft")
    notebook.reload()
    press_answer(view.button("Allow once"))
    view.says("The end.")
    view.rests()
    expect(view.message).to_have_value("a draft")
    expect(view.log.get_by_role("article")).to_have_count(1)
    assert notebook.console == []


def test_two_panels_on_one_session_always_show_the_same(opened: Open, demo_model: DemoModel) -> None:
    demo_model.queue([[text("One, "), gate("agree-1"), text("two, "), gate("agree-2"), *bash()], [text("three.")]])
    notebook, view = opened("other = oc.chat(panel.session)\nother")
    notebook.run(1)
    other = ChatView(notebook.page, 1)
    other.appears()
    view.send("go")

    def agree(words: str) -> None:
        for one in (view, other):
            one.says(words)
        notebook.page.wait_for_function(AGREE, arg=[one.log.element_handle() for one in (view, other)])

    agree("One,")
    demo_model.release("agree-1")
    agree("One, two,")
    other.send("and then")
    for one in (view, other):
        expect(one.root.get_by_role("list", name="Queued messages")).to_contain_text("and then")
    demo_model.release("agree-2")
    for one in (view, other):
        expect(one.button("Allow once")).to_be_visible(timeout=TURN_TIMEOUT)
    demo_model.queue([[text("Four.")]])
    press_answer(other.button("Allow once"))
    agree("three.")
    agree("Four.")
    for one in (view, other):
        one.rests()
        expect(one.button("Allow once")).to_have_count(0)
    assert notebook.console == []


def test_a_panel_of_a_restarted_kernel_says_so_at_once_and_its_cell_goes_on(
    opened: Open, demo_model: DemoModel
) -> None:
    demo_model.queue([[text("Before.")]])
    notebook, view = opened()
    view.send("go")
    view.says("Before.")
    view.rests()
    view.message.fill("a draft")
    notebook.restart()
    gone = view.root.get_by_role("alert").filter(has_text="This panel is disconnected. Rerun its cell.")
    expect(gone).to_be_visible()
    expect(view.message).to_have_value("a draft")
    expect(view.message).not_to_be_editable()
    expect(view.button("Send")).to_be_disabled()
    view.says("Before.")
    gone.get_by_role("button", name="Rerun cell", exact=True).click()
    expect(notebook.output(0).get_by_text("Continuing session")).to_be_visible(timeout=TURN_TIMEOUT)
    again = ChatView(notebook.page)
    again.appears()
    again.says("Before.")
    expect(again.message).to_have_value("a draft")
    demo_model.queue([[text("After.")]])
    again.send("go on")
    again.says("After.")


def test_the_panel_works_again_after_the_server_is_killed(opened: Open, demo_model: DemoModel) -> None:
    demo_model.queue([[text("The first words "), gate("killed"), text("never come on.")]])
    notebook, view = opened(KILL)
    view.send("go")
    view.says("The first words")
    notebook.run(1)
    view.rests()
    view.says("The first words")
    expect(view.log.get_by_role("alert")).to_be_visible()
    demo_model.release("killed")
    expect(view.told("Reconnecting to OpenCode")).to_have_count(0, timeout=TURN_TIMEOUT)
    demo_model.queue([[text("Here again.")]])
    view.send("and now?")
    view.says("Here again.")
    view.rests()


def test_no_text_is_lost_in_a_dropped_stream_or_a_burst(opened: Open, server: Server, demo_model: DemoModel) -> None:
    proxy = Proxy(urlsplit(server.url).port or 0)
    options = f"base_url='http://127.0.0.1:{proxy.port}', password='{server.password}'"
    demo_model.queue([[text("Before, "), gate("cut"), text("in the gap, "), gate("mended"), text("after.")]])
    notebook, view = opened(code=OPEN.replace("oc.chat()", f"oc.chat({options})"))
    view.send("go")
    view.says("Before,")
    proxy.cut()
    expect(view.told("Reconnecting to OpenCode")).to_be_visible(timeout=TURN_TIMEOUT)
    demo_model.release("cut")
    proxy.mend()
    expect(view.told("Reconnecting to OpenCode")).to_have_count(0, timeout=TURN_TIMEOUT)
    demo_model.release("mended")
    view.says("Before, in the gap, after.")
    view.rests()
    demo_model.queue([[text([f"w{number} " for number in range(200)])]])
    view.send("burst")
    view.says(" ".join(f"w{number}" for number in range(200)))
    view.rests()
    proxy.close()
    assert notebook.console == []


def test_a_thirty_second_network_outage_loses_no_text(opened: Open, server: Server, demo_model: DemoModel) -> None:
    """Takes 35 s: one panel's connections are closed and refused, another's fall silent and stay open."""
    proxies = [Proxy(urlsplit(server.url).port or 0) for _ in range(2)]
    options = [f"base_url='http://127.0.0.1:{proxy.port}', password='{server.password}'" for proxy in proxies]
    demo_model.queue([[text("Before, "), gate("gap"), text("in the gap, "), tool("read", filePath="README.md")]])
    demo_model.queue([[text("still in it, "), gate("gap-end"), text("after.")]])
    first = OPEN.replace("oc.chat()", f"oc.chat({options[0]})")
    notebook, view = opened(f"other = oc.chat(panel.session.id, {options[1]})\nother", code=first)
    notebook.run(1)
    views = [view, ChatView(notebook.page, 1)]
    views[1].appears()
    views[1].send("go")
    for one in views:
        one.says("Before,")
    proxies[0].cut()
    proxies[1].hold()
    gone = time.monotonic()
    demo_model.release("gap")
    for one in views:
        expect(one.told("Reconnecting to OpenCode")).to_be_visible(timeout=GONE_S * 1000)
        expect(one.button("Reconnect")).to_be_visible()
    demo_model.wait_for_gate("gap-end", GONE_S)
    notebook.page.wait_for_timeout(max(0.0, gone + GONE_S - time.monotonic()) * 1000)  # the network's, not the test's
    for one in views:
        expect(one.told("Reconnecting to OpenCode")).to_be_visible()
        expect(one.log).not_to_contain_text("in the gap")
    for proxy in proxies:
        proxy.mend()
    for one in views:
        expect(one.told("Reconnecting to OpenCode")).to_have_count(0, timeout=TURN_TIMEOUT)
        one.says("in the gap,")
    demo_model.release("gap-end")  # the server gives what was said of an open text when it has ended
    for one in views:
        one.says("still in it, after.")
        one.rests()
        expect(one.log.get_by_role("article")).to_have_count(1)
    for proxy in proxies:
        proxy.close()
    assert notebook.console == []


def test_a_session_of_two_thousand_messages_keeps_few_turns_in_the_page(opened: Open, tmp_path: Path) -> None:
    import_history(LONG, MESSAGES, make_project(tmp_path / "long"))
    _notebook, view = opened(code=OPEN.replace("oc.chat()", f"oc.chat('{LONG}')"))
    view.says(f"Answer {MESSAGES // 2 - 1}")
    most = (0, 0)
    while view.log.get_by_role("button", name="Earlier messages").count():
        first = view.log.evaluate(FIRST)
        view.log.evaluate(SCROLL_UP)
        view.page.wait_for_function(
            "([log, first]) => (" + FIRST + ")(log) !== first", arg=[view.log.element_handle(), first]
        )
        turns, elements = view.log.evaluate(COUNT)
        most = (max(most[0], turns), max(most[1], elements))
    print(f"{MESSAGES} messages: at most {most[0]} turns and {most[1]} elements in the page")
    view.says("Answer 0")
    assert most[0] <= 30
    view.button("Jump to latest").click()
    view.says(f"Answer {MESSAGES // 2 - 1}")
