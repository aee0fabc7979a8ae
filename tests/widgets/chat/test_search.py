"""Find words in a long session, in turns that are on the page and in those that are not."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from opencode_nb.render.chat.live import WINDOW, LiveChat
from opencode_nb.render.turn.words import occurrences
from opencode_nb.transcript.transcript import Transcript
from tests.render.turns import tool, turn
from tests.support.axe import violations
from tests.widgets.chat.page import ChatPage, docks, log

MARKED = """() => {
  const texts = (name) => [...CSS.highlights.get(name) ?? []].map(String);
  return [texts("opencode-nb-match"), texts("opencode-nb-current")];
}"""
IN_SIGHT = """() => {
  const [range] = CSS.highlights.get("opencode-nb-current") ?? [];
  const [place, log] = [range?.getBoundingClientRect(), document.querySelector("[role=log]").getBoundingClientRect()];
  return place !== undefined && place.height > 0 && place.top >= log.top && place.bottom <= log.bottom;
}"""


def article(number: int, body: str) -> str:
    lines = "<p>filler</p>" * 30
    return f'<article data-key="t{number}" data-message="m{number}">{body}{lines}</article>'


LOG = (
    log(
        before='<div data-key="before"></div>'
        + article(1, "<p>A nee<b>dle</b> here</p><details><summary>More</summary>Needle in a fold</details>")
        + article(2, "<p>nothing</p>"),
        after='<div data-key="after"></div>',
    )
    + docks()
)


@pytest.fixture
def chat(page: Page) -> ChatPage:
    """A narrow panel: what the search says takes a second line, which changes the height of the log."""
    return ChatPage(page, width=360)


def test_matches_are_counted_marked_and_stepped_through(chat: ChatPage) -> None:
    """Across elements, in folds and on to a turn that is not on the page yet; the focus goes back in the end."""
    panel = chat.show()
    chat.set_html(LOG)
    message = panel.get_by_role("textbox", name="Message", exact=True)
    message.press("Control+f")
    field = panel.get_by_role("searchbox", name="Find in session", exact=True)
    expect(field).to_be_focused()
    field.fill("NEEDLE")
    turns = [{"message": "m1", "count": 2}, {"message": "m9", "count": 1}]
    asked = chat.answer([{"turns": turns, "earlier": True}])
    assert (asked["what"], asked["text"]) == ("search", "NEEDLE")
    told = panel.get_by_role("search").get_by_role("status")
    expect(told).to_have_text("1 of 3")
    assert chat.page.evaluate(MARKED) == [["needle", "Needle"], ["needle"]]
    chat.page.wait_for_function(IN_SIGHT)
    field.press("Enter")
    expect(told).to_have_text("2 of 3")
    assert chat.page.evaluate(MARKED)[1] == ["Needle"]
    chat.page.wait_for_function(IN_SIGHT)
    panel.get_by_role("button", name="Next match", exact=True).click()
    assert chat.wait_for_sent("show")[0]["message"] == "m9"
    chat.next_patch(["put", "t9", "log", article(9, "<p>the last needle</p>"), "after"])
    chat.page.wait_for_function(IN_SIGHT)
    expect(told).to_have_text("3 of 3")
    expect(panel.get_by_role("button", name="Search earlier messages", exact=True)).to_be_visible()
    assert violations(panel) == []
    field.press("Escape")
    expect(field).to_be_hidden()
    expect(message).to_be_focused()
    assert chat.page.evaluate(MARKED) == [[], []]


def test_a_search_without_matches_offers_earlier_messages(chat: ChatPage) -> None:
    panel = chat.show()
    chat.set_html(LOG)
    panel.get_by_role("button", name="More", exact=True).click()
    panel.get_by_role("menuitem", name="Find", exact=True).click()
    panel.get_by_role("searchbox").fill("haystack")
    chat.answer([{"turns": [], "earlier": True}])
    told = panel.get_by_role("search").get_by_role("status")
    expect(told).to_have_text("No matches")
    panel.get_by_role("button", name="Search earlier messages", exact=True).click()
    assert chat.answer([{"turns": [{"message": "m2", "count": 1}], "earlier": False}], 2)["all"] is True
    expect(told).to_have_text("1 of 1")
    expect(panel.get_by_role("button", name="Search earlier messages", exact=True)).to_be_hidden()


@pytest.mark.parametrize("place", [0, 50, 99])
def test_any_turn_in_memory_can_be_shown(place: int) -> None:
    transcript = Transcript("ses_1")
    for number in range(100):
        info = {"id": f"msg_{number:03}", "role": "user", "sessionID": "ses_1", "time": {"created": number}}
        transcript.apply({"type": "message.updated", "properties": {"info": info}})
    chat = LiveChat(transcript)
    chat.snapshot()
    chat.show(f"msg_{place:03}")
    html = chat.snapshot()
    assert f'data-message="msg_{place:03}"' in html
    assert html.count("<article") <= WINDOW
    assert chat.at_end == (place == 99)
    chat.show("msg_unknown")
    assert chat.snapshot() == html


def test_search_counts_words_in_every_part_of_a_turn() -> None:
    state = turn(
        {"type": "text", "text": "A needle, a Needle"},
        {"type": "reasoning", "text": "needle?", "time": {"start": 0, "end": 1}},
        tool("bash", input={"command": "find needle"}, output="needle.txt"),
        {"type": "text", "text": "needle", "synthetic": True},
        prompt="Look for a NEEDLE",
    )
    assert occurrences(state, "needle") == 1 + 2 + 1 + 2 + 1
    assert occurrences(state, "") == 0
