"""Requests in a real page: no button is pressed unmeant, without its subject in sight, or without a choice."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from opencode_nb.render.markup.patch_ops import put
from tests.widgets.chat.page import (
    EDIT_PERMISSION,
    PERMISSION,
    QUESTION,
    ChatPage,
    Theme,
    asked,
    log,
    permission,
    question,
)
from tests.widgets.conftest import Widget

SETTLED = 600
"""Milliseconds of the page's clock after which what has come may be answered."""
LATE = 400
"""Milliseconds of the page's clock in which it may not."""

CARD = (
    '<div data-key="{0}" data-part="permission" data-id="{0}"><div class="oc-subject" data-key="{0}m">{1}</div>'
    '<button type="button" data-intent="permission" data-id="{0}" data-reply="once">Allow once</button></div>'
)


def stop_clock(page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(1000)


@pytest.fixture
def stopped(page: Page) -> Widget:
    """The widget in a page whose time stands still until a test lets it pass."""
    widget = Widget(page)
    stop_clock(page)
    return widget


# --- what has only just come ------------------------------------------------------------------------------------------

CHANGES: dict[str, list[list[Any]]] = {
    "another request in its place": [["drop", "a"], ["put", "b", "root", CARD.format("b", "curl evil | sh")]],
    "the one before it is gone": [["drop", "a"]],
    "it asks for something else": [["put", "bm", "b", '<div class="oc-subject" data-key="bm">curl evil | sh</div>']],
    "another one moves it": [["put", "c", "root", CARD.format("c", "ls<br>" * 3), "a"]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_click_on_a_button_that_just_moved_under_the_pointer_is_ignored(stopped: Widget, change: str) -> None:
    page, root = stopped.page, stopped.render()
    first = (
        [CARD.format("a", "ls")]
        if change == "another request in its place"
        else [CARD.format(key, "ls") for key in "ab"]
    )
    stopped.snapshot(0, "".join(first))
    page.clock.run_for(SETTLED)
    allow = root.get_by_role("button", name="Allow once")
    expect(allow.last).to_be_enabled()
    at = allow.first.bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + 5, at["y"] + 5)
    stopped.patch(1, *CHANGES[change])
    page.mouse.click(at["x"] + 5, at["y"] + 5)
    page.clock.run_for(LATE)
    expect(allow.last).to_be_disabled()
    page.mouse.click(at["x"] + 5, at["y"] + 5)
    assert stopped.sent() == []
    page.clock.run_for(SETTLED)
    allow.last.click()
    assert len(stopped.sent("permission")) == 1


def test_text_streaming_beside_a_request_does_not_disable_its_buttons(stopped: Widget) -> None:
    root = stopped.render()
    stopped.snapshot(0, CARD.format("a", "ls") + '<p data-key="p"></p>')
    stopped.page.clock.run_for(SETTLED)
    for number in range(1, 4):
        stopped.patch(number, ["text", "p", "words "])
        root.get_by_role("button", name="Allow once").click()
    assert len(stopped.sent("permission")) == 3


def test_a_request_that_moves_is_disabled_for_a_moment(stopped: Widget) -> None:
    page, root = stopped.page, stopped.render()
    stopped.snapshot(0, '<p data-key="p"></p>' + CARD.format("a", "ls"))
    page.clock.run_for(SETTLED)
    allow = root.get_by_role("button", name="Allow once")
    allow.hover()
    stopped.patch(1, ["splice", "p", 0, "words<br>" * 9])
    expect(allow).to_be_disabled()
    page.clock.run_for(SETTLED)
    expect(allow).to_be_enabled()


def test_keys_answer_a_focused_request_unless_it_just_changed(stopped: Widget) -> None:
    page, root = stopped.page, stopped.render()
    stopped.snapshot(0, CARD.format("a", "ls"))
    allow = root.get_by_role("button", name="Allow once")
    allow.focus()
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")  # held down
    page.keyboard.up("Enter")
    assert len(stopped.sent("permission")) == 1
    stopped.patch(1, ["put", "am", "a", '<div class="oc-subject" data-key="am">rm -rf</div>'])
    page.keyboard.press("Enter")
    page.clock.run_for(LATE)
    page.keyboard.press("Space")
    assert len(stopped.sent("permission")) == 1
    page.clock.run_for(SETTLED)
    expect(allow).to_be_focused()
    page.keyboard.press("Enter")
    assert len(stopped.sent("permission")) == 2


def test_enter_in_a_text_field_submits_a_complete_form(stopped: Widget) -> None:
    root = stopped.render()
    stopped.snapshot(0, question(QUESTION))
    field = root.get_by_label("Type your own answer").first
    field.fill("Parquet")
    field.press("Enter")
    assert stopped.sent() == []  # the other question is open
    root.get_by_label("time").check()
    field.press("Enter")
    assert stopped.sent() == [{"kind": "question", "id": "que_1", "answers": [["Parquet"], ["time"]]}]


# --- no answer without a choice ---------------------------------------------------------------------------------------


def test_answer_is_disabled_with_a_hint_until_a_choice_is_made(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, question(QUESTION))
    answer = root.get_by_role("button", name="Answer", exact=True)
    dismiss = root.get_by_role("button", name="Dismiss")
    expect(dismiss).to_be_enabled()
    expect(answer).to_be_disabled()
    expect(answer).to_have_accessible_description("Choose or write an answer first.")
    answer.focus()
    widget.page.keyboard.press("Enter")
    answer.evaluate("button => button.form.requestSubmit()")
    root.get_by_label("time").check()  # the first question has one answer
    expect(answer).to_be_disabled()
    assert widget.sent() == []
    root.get_by_label("CSV").check()
    expect(answer).to_be_enabled()
    expect(answer).to_have_accessible_description("")
    own = root.get_by_label("Type your own answer").first
    own.fill("Par")
    own.fill(" ")
    expect(answer).to_be_disabled()
    root.get_by_label("Parquet").check()
    answer.click()
    assert widget.sent() == [{"kind": "question", "id": "que_1", "answers": [["Parquet"], ["time"]]}]


def test_a_multiple_choice_question_needs_at_least_one_choice(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, question({**QUESTION, "questions": QUESTION["questions"][1:]}))
    answer = root.get_by_role("button", name="Answer", exact=True)
    expect(root.get_by_role("button", name="Dismiss")).to_be_enabled()
    expect(answer).to_be_disabled()
    root.get_by_label("value").check()
    expect(answer).to_be_enabled()
    root.get_by_label("value").uncheck()
    expect(answer).to_be_disabled()


# --- one at a time ----------------------------------------------------------------------------------------------------

SECOND = {**PERMISSION, "id": "per_3", "metadata": {"command": "rm -rf build"}}


def show(chat: ChatPage, *requests: dict[str, Any]) -> Locator:
    """The panel with these open requests."""
    panel = chat.show()
    chat.set_html(log() + asked(*requests))
    return panel


def docks(panel: Locator) -> Locator:
    """Where the requests are."""
    return panel.locator('[data-part="requests"]')


def drop(chat: ChatPage, number: int) -> None:
    """Take the number-th request away, as its answer does."""
    chat.next_patch(["drop", f"requests{number}"])


def test_several_requests_are_shown_one_at_a_time(page: Page) -> None:
    chat = ChatPage(page)
    panel = show(chat, PERMISSION, SECOND, QUESTION)
    allow = panel.get_by_role("button", name="Allow once", exact=True)
    following = panel.get_by_role("button", name="Next request", exact=True)
    expect(docks(panel).get_by_text("1 of 3", exact=True)).to_be_visible()
    expect(docks(panel).get_by_text("pytest -q tests/test_load.py", exact=True)).to_be_visible()
    expect(allow).to_have_count(1)
    following.click()
    expect(docks(panel).get_by_text("2 of 3", exact=True)).to_be_visible()
    expect(docks(panel).get_by_text("rm -rf build", exact=True)).to_be_visible()
    expect(following).to_be_focused()
    panel.get_by_role("group", name="Permission needed").get_by_text("Deny with a reason").click()
    panel.get_by_role("textbox", name="Reason").fill("half a sen")
    following.press("Enter")
    expect(panel.get_by_role("button", name="Answer", exact=True)).to_be_visible()
    expect(allow).to_have_count(0)
    following.press("Enter")
    expect(docks(panel).get_by_text("1 of 3", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Previous request", exact=True).click()
    expect(docks(panel).get_by_text("3 of 3", exact=True)).to_be_visible()
    panel.get_by_role("button", name="Previous request", exact=True).click()
    expect(panel.get_by_role("textbox", name="Reason")).to_have_value("half a sen")
    expect(allow).to_be_enabled()
    allow.click()
    assert [sent["id"] for sent in chat.wait_for_sent("permission")] == ["per_3"]


def test_the_next_request_takes_the_place_of_an_answered_one_and_the_focus(page: Page) -> None:
    chat = ChatPage(page)
    panel = show(chat, PERMISSION, SECOND, QUESTION)
    panel.get_by_role("button", name="Allow once", exact=True).focus()
    drop(chat, 1)
    expect(docks(panel).get_by_text("1 of 2", exact=True)).to_be_visible()
    card = panel.get_by_role("group", name="Permission needed")
    expect(card).to_contain_text("rm -rf build")
    expect(card).to_be_focused()
    drop(chat, 2)
    expect(panel.get_by_role("group", name="Answer needed")).to_be_focused()
    expect(panel.get_by_role("button", name="Next request")).to_have_count(0)
    drop(chat, 3)
    expect(panel.get_by_role("textbox", name="Message")).to_be_focused()


def test_a_new_request_does_not_replace_the_shown_one_or_take_focus(page: Page) -> None:
    chat = ChatPage(page)
    panel = show(chat, PERMISSION)
    message = panel.get_by_role("textbox", name="Message")
    message.focus()
    page.keyboard.type("half a sen")
    chat.next_patch(put("requests2", "requests", permission(SECOND, "requests2")))
    expect(docks(panel).get_by_text("1 of 2", exact=True)).to_be_visible()
    expect(docks(panel).get_by_text("pytest -q tests/test_load.py", exact=True)).to_be_visible()
    page.keyboard.type("tence")
    drop(chat, 1)
    expect(docks(panel).get_by_text("rm -rf build", exact=True)).to_be_visible()
    expect(message).to_be_focused()
    expect(message).to_have_value("half a sentence")
    told = panel.locator("[aria-live=assertive]")
    expect(told).to_contain_text("rm -rf build")
    told.evaluate("node => { node.textContent = '' }")
    chat.next_patch(["put", "requests3", "requests", '<p data-key="requests3">Something else</p>'])
    expect(told).to_be_empty()


# --- no button without its subject in sight ---------------------------------------------------------------------------

COMMAND = "\n".join(f"echo {n}" for n in range(200))
REQUESTS: dict[str, dict[str, Any]] = {
    "short": PERMISSION,
    "long": {**PERMISSION, "id": "per_long", "metadata": {"command": COMMAND}, "always": ["a *"] * 40},
    "edit": EDIT_PERMISSION,
    "question": QUESTION,
}

UNSEEN_SUBJECTS = """panel => {
  const box = panel.querySelector("[data-key=docks]"), found = [];
  const shown = (node, x, y) => document.elementFromPoint(x, y)?.closest("button, .oc-matter, .oc-choices") === node;
  const card = [...box.querySelectorAll(".oc-asking")].find((one) => !one.hidden);
  let buttons = 0;
  for (let top = 0; top <= box.scrollHeight - box.clientHeight + 7; top += 7) {
    box.scrollTop = top;
    const subject = card.querySelector(".oc-matter, .oc-choices"), area = subject.getBoundingClientRect();
    const seen = [4, 12, 18].every((y) => shown(subject, area.left + area.width / 2, area.top + y));
    for (const button of card.querySelectorAll(".oc-buttons > button, .oc-actions > button")) {
      const { left, right, top: y, bottom } = button.getBoundingClientRect();
      const lies = [y + 2, bottom - 2].some((at) => shown(button, (left + right) / 2, at));
      buttons += lies;
      if (lies && !seen) found.push(`${top}: ${card.dataset.id} ${button.textContent}`);
    }
  }
  return { found, buttons };
}"""
"""Scrolls through what is asked: the buttons that are in sight while the beginning of what they answer is not."""


@pytest.mark.parametrize(("width", "height"), [(360, 300), (360, 640), (800, 300), (800, 640)])
def test_no_request_button_is_visible_without_its_subject(page: Page, artifacts: Any, width: int, height: int) -> None:
    chat = ChatPage(page, width=width)
    panel = show(chat, *REQUESTS.values())
    panel.evaluate("(panel, px) => Object.assign(panel.style, { height: `${px}px`, minHeight: 0 })", height)
    for name in REQUESTS:
        page.screenshot(path=artifacts / "screenshots" / f"asking-{name}-{width}-{height}.png")
        looked = panel.evaluate(UNSEEN_SUBJECTS)
        assert looked["found"] == [], name
        assert looked["buttons"] > 0, name
        panel.get_by_role("button", name="Next request").click()


SCROLLER = """height => {
  const view = document.getElementById("view");
  Object.assign(view.style, { height: `${height}px`, overflow: "auto" });
  view.scrollTop = view.scrollHeight;
}"""


def test_allow_is_refused_while_its_subject_is_out_of_sight(widget: Widget) -> None:
    """In a cell's output: it may be so low that the buttons alone have room."""
    root = widget.render()
    widget.snapshot(0, permission({**PERMISSION, "metadata": {"command": "echo one\n" * 9}}))
    widget.page.evaluate(SCROLLER, 60)
    allow = root.get_by_role("button", name="Allow once")
    expect(allow).to_be_enabled()
    allow.evaluate("button => button.focus({ preventScroll: true })")
    widget.page.evaluate("view.scrollTop = view.scrollHeight")
    widget.page.keyboard.press("Enter")
    assert widget.sent() == []
    sees = "() => document.querySelector('.oc-matter').getBoundingClientRect().bottom > 16"
    widget.page.wait_for_function(sees)
    widget.page.keyboard.press("Enter")
    assert widget.sent() == [{"kind": "permission", "id": "per_1", "reply": "once"}]
    widget.page.evaluate("view.scrollTop = view.scrollHeight")
    root.get_by_role("button", name="Deny", exact=True).click()
    assert widget.sent()[-1] == {"kind": "permission", "id": "per_1", "reply": "reject"}


# --- to be looked at --------------------------------------------------------------------------------------------------

FILES = [
    {
        "filePath": f"/project/src/package/module_{number}.py",
        "type": "move" if number == 3 else "update",
        "movePath": "/project/.git/hooks/post-checkout" if number == 3 else "",
        "patch": f"@@ -1,2 +1,2 @@\n import os\n-old = {number}\n+new = {number}\n",
    }
    for number in range(21)
]
PATCH = {
    "id": "per_p",
    "permission": "edit",
    "always": ["*"],
    "metadata": {"filepath": "x", "diff": "x", "files": FILES},
}


EIGHT = {
    "id": "que_8",
    "asker": {"subagent_type": "general", "description": "Look around"},
    "questions": [
        {
            "question": f"Which format shall src/{'measurements_' * 4}pipeline.py write?",
            "options": [{"label": f"Format {n}", "description": "As plain as it can be"} for n in range(8)],
        }
    ],
}


CUT_OFF = """(nodes) => nodes.filter((node) =>
  node.getBoundingClientRect().right > node.closest(".oc-asking").getBoundingClientRect().right
).map((node) => node.innerText)"""


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
def test_request_cards_render_in_all_themes_and_widths(page: Page, artifacts: Any, theme: Theme) -> None:
    chat = ChatPage(page, theme)
    panel = chat.show()
    for name, requests in {
        "three": [PERMISSION, SECOND, EDIT_PERMISSION],
        "patch": [copy.deepcopy(PATCH)],
        "question": [EIGHT],
    }.items():
        chat.set_html(log() + asked(*requests))
        expect(
            panel.get_by_role("button", name="Deny").or_(panel.get_by_role("button", name="Dismiss")).last
        ).to_be_enabled()
        for width in (360, 800, 1600):
            page.set_viewport_size({"width": width, "height": 700})
            page.screenshot(path=artifacts / "screenshots" / f"asking-{name}-{theme}-{width}.png")
            assert panel.locator("legend").evaluate_all(CUT_OFF) == []
