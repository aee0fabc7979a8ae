"""The chat panel's log: where a person looks in it, what they can do with what is there, and what is told."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.widgets.chat.page import PERMISSION, QUESTION, SCENES, ChatPage, asked, docks, log, question

LINE = "<p>{}</p>"
SCROLL = """
(node, top) => new Promise((done) => {
  node.addEventListener("scroll", () => requestAnimationFrame(done), { once: true });
  node.scrollTop = top;
})
"""
AT_END = """
() => {
  const node = document.querySelector("[role=log]");
  return node.scrollHeight - node.scrollTop - node.clientHeight <= 1;
}
"""

RESIZE = """
(panel, width) => new Promise((done) => {
  panel.style.width = width;
  panel.querySelector("[role=log]").scrollTop -= 40; // before the size is told, as the browser may
  requestAnimationFrame(() => requestAnimationFrame(done)); // the size is told in a frame
})
"""


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


def turn(number: int, lines: int = 10) -> str:
    """An article as high as so many lines."""
    body = "".join(f'<div data-key="t{number}.{line}">Line {line} of {number}</div>' for line in range(lines))
    return f'<article data-key="t{number}" data-message="m{number}">{body}</article>'


def edge(intent: str) -> str:
    return f'<button type="button" data-intent="{intent}">More</button>'


def turns(*numbers: int, earlier: bool = False, later: bool = False) -> str:
    before = f'<div data-key="before">{edge("earlier") if earlier else ""}</div>'
    after = f'<div data-key="after">{edge("later") if later else ""}</div>'
    return log(before=before + "".join(map(turn, numbers)), after=after) + docks()


def distance_to_end(panel: Locator) -> float:
    node = panel.get_by_role("log")
    return float(node.evaluate("node => node.scrollHeight - node.scrollTop - node.clientHeight"))


def scroll(panel: Locator, top: int) -> None:
    """Scroll as a person does, and let the page hear of it."""
    panel.get_by_role("log").evaluate(SCROLL, top)


def top_of(panel: Locator, key: str) -> float:
    return float(panel.locator(f'[data-key="{key}"]').evaluate("node => node.getBoundingClientRect().top"))


# --- where one looks --------------------------------------------------------------------------------------------------


def test_the_log_follows_new_turns_only_when_scrolled_to_the_end(chat: ChatPage) -> None:
    panel = chat.show()
    chat.set_html(turns(1, 2, 3))
    jump = panel.get_by_role("button", name="Jump to latest")
    assert distance_to_end(panel) <= 1
    chat.next_patch(["put", "t4", "log", turn(4), "after"])
    assert distance_to_end(panel) <= 1
    expect(jump).to_be_hidden()
    scroll(panel, 150)
    expect(jump).to_be_visible()
    place = top_of(panel, "t2.5")
    chat.next_patch(["put", "t5", "log", turn(5), "after"])
    assert top_of(panel, "t2.5") == place
    jump.click()
    assert distance_to_end(panel) <= 1
    expect(jump).to_be_hidden()
    expect(panel.get_by_role("log")).to_be_focused()
    assert chat.sent() == []


def test_the_scroll_position_holds_when_turns_above_change(chat: ChatPage) -> None:
    """Whatever grows, shrinks, comes or goes above it, and when all of it is drawn anew."""
    panel = chat.show()
    chat.set_html(turns(1, 2, 3))
    scroll(panel, 300)
    place = top_of(panel, "t2.8")
    chat.next_patch(["put", "t1", "log", turn(1, 25)])
    assert top_of(panel, "t2.8") == pytest.approx(place, abs=1)
    chat.next_patch(["drop", "t2.0"], ["drop", "t1"])
    assert top_of(panel, "t2.8") == pytest.approx(place, abs=1)
    chat.set_html(turns(0, 1, 2, 3))
    assert top_of(panel, "t2.8") == pytest.approx(place, abs=1)


def test_opening_another_session_scrolls_to_its_end(chat: ChatPage) -> None:
    panel = chat.show()
    chat.set_html(turns(1, 2, 3))
    scroll(panel, 150)
    chat.set_html(turns(7, 8, 9))
    chat.set_state(session={"id": "ses_2", "title": "Another"})
    assert distance_to_end(panel) <= 1
    expect(panel.get_by_role("button", name="Jump to latest")).to_be_hidden()


def test_the_log_follows_again_when_shrinking_leaves_it_at_the_end(chat: ChatPage) -> None:
    panel = chat.show()
    chat.set_html(turns(1, 2, 3))
    jump = panel.get_by_role("button", name="Jump to latest")
    scroll(panel, 150)
    expect(jump).to_be_visible()
    chat.set_html(turns(1))
    expect(jump).to_be_hidden()
    chat.next_patch(["put", "t4", "log", turn(4), "after"], ["put", "t5", "log", turn(5), "after"])
    assert distance_to_end(panel) <= 1


def test_the_log_stays_at_the_end_when_docks_open_or_the_panel_resizes(chat: ChatPage) -> None:
    panel = chat.show()
    chat.set_html(turns(1, 2, 3))
    chat.next_patch(["put", "docks", "root", asked(PERMISSION)])
    chat.page.wait_for_function(AT_END)
    panel.evaluate("panel => { panel.style.height = '330px' }")
    chat.page.wait_for_function(AT_END)
    expect(panel.get_by_role("button", name="Jump to latest")).to_be_hidden()


def test_the_log_stays_at_the_end_when_the_panel_gets_narrower(chat: ChatPage) -> None:
    """Where a layout on the way was shorter, the browser scrolls, and tells of that as if a person had."""
    panel = chat.show()
    wordy = turns(1, 2, 3).replace(
        "Line ", "A line of many words that takes several lines where the panel is narrow, line "
    )
    chat.set_html(wordy)
    for width in ("420px", "280px", "700px", "240px"):
        panel.evaluate(RESIZE, width)
        chat.page.wait_for_function(AT_END)
        expect(panel.get_by_role("button", name="Jump to latest")).to_be_hidden()


def test_a_long_output_scrolls_by_keys_and_can_be_shown_whole(chat: ChatPage) -> None:
    """It begins at its end, as in a terminal."""
    panel = chat.scene("long")
    box = panel.get_by_role("group", name="Output of seq 300", exact=True)
    height, whole = box.evaluate("box => [box.clientHeight, box.scrollHeight]")
    assert height < 400 < whole
    bottoms = "box => [box.lastElementChild, box].map((node) => node.getBoundingClientRect().bottom)"
    assert box.evaluate(bottoms)[0] == pytest.approx(box.evaluate(bottoms)[1], abs=2)
    box.focus()
    box.press("PageUp")
    chat.page.wait_for_function("box => box.scrollTop < -100", arg=box.element_handle())
    panel.get_by_role("log").get_by_text("Show all 300 lines", exact=True).click()
    assert box.evaluate("box => box.clientHeight") == whole
    panel.get_by_role("log").get_by_text("Show less", exact=True).click()
    assert box.evaluate("box => box.clientHeight") == height


def test_a_selected_formula_is_copied_as_its_tex(chat: ChatPage) -> None:
    panel = chat.scene("long")
    chat.page.evaluate(
        "void addEventListener('copy', (event) => { window.copied = event.clipboardData.getData('text/plain') })"
    )
    panel.get_by_role("log").get_by_text("The mean").evaluate("node => getSelection().selectAllChildren(node)")
    panel.get_by_role("log").press("Control+c")
    assert chat.page.evaluate("copied") == r"The mean $\bar{x} = \frac{1}{n}\sum_{i=1}^n x_i$ costs $5, not $10:"
    assert panel.locator("math").first.evaluate("math => math.getBoundingClientRect().height") > 10


def test_scrolling_up_loads_earlier_turns_once_and_keeps_the_position(chat: ChatPage) -> None:
    panel = chat.show()
    chat.set_html(turns(5, 6, 7, 8, 9, earlier=True))
    assert chat.sent("earlier") == []
    scroll(panel, 60)
    scroll(panel, 20)
    assert chat.sent("earlier") == [{"kind": "earlier"}]
    place = top_of(panel, "t5.3")
    chat.next_patch(*(["put", f"t{n}", "log", turn(n), f"t{n + 1}"] for n in (4, 3)))
    assert top_of(panel, "t5.3") == pytest.approx(place, abs=1)
    scroll(panel, 30)
    assert len(chat.sent("earlier")) == 2


def test_jump_to_latest_loads_the_latest_turns_when_they_are_missing(chat: ChatPage) -> None:
    panel = chat.show()
    chat.set_html(turns(1, 2, 3, 4, 5, 6))
    scroll(panel, 200)
    chat.next_patch(["drop", "t6"], ["splice", "after", 0, edge("later")])
    jump = panel.get_by_role("button", name="Jump to latest")
    expect(jump).to_be_visible()
    jump.click()
    chat.done("latest")
    chat.set_html(turns(20, 21, 22))
    assert distance_to_end(panel) <= 1
    expect(jump).to_be_hidden()


def test_sending_a_message_scrolls_to_the_end(chat: ChatPage) -> None:
    panel = chat.show()
    chat.set_html(turns(1, 2, 3))
    scroll(panel, 10)
    panel.get_by_role("textbox", name="Message").fill("hello")
    panel.get_by_role("textbox", name="Message").press("Enter")
    assert distance_to_end(panel) <= 1


def test_opening_a_fold_at_the_end_stops_following(chat: ChatPage) -> None:
    panel = chat.show()
    fold = f'<details data-key="f" data-fold="f"><summary>More</summary>{"<p>line</p>" * 30}</details>'
    chat.set_html(log(before=turn(1) + turn(2).replace("</article>", f"{fold}</article>")) + docks())
    panel.get_by_role("log").get_by_text("More", exact=True).click()
    place = top_of(panel, "f")
    chat.next_patch(["put", "t3", "log", turn(3)])
    assert top_of(panel, "f") == place
    expect(panel.get_by_role("button", name="Jump to latest")).to_be_visible()


def test_two_views_scroll_independently(chat: ChatPage) -> None:
    one, two = chat.show("one"), chat.show("two")
    chat.set_html(turns(1, 2, 3))
    scroll(one, 100)
    chat.next_patch(["put", "t4", "log", turn(4), "after"])
    assert one.get_by_role("log").evaluate("node => node.scrollTop") == 100
    assert distance_to_end(two) <= 1


# --- what can be done with it -----------------------------------------------------------------------------------------


def test_streaming_does_not_duplicate_the_copy_buttons(chat: ChatPage) -> None:
    panel = chat.show()
    text = '<div class="oc-text" data-part="text" data-key="p"></div>'
    chat.set_html(log(before=f'<article data-key="t" data-message="m">{text}</article>') + docks())
    for number in range(1, 6):
        code = "x\n" * number
        chat.next_patch(["splice", "p", 0, f'<pre class="oc-code"><code>{code}</code></pre>'])
    expect(panel.get_by_role("button", name="Copy code")).to_have_count(1)
    expect(panel.get_by_role("button", name="Copy answer")).to_have_count(1)
    assert panel.locator("pre > code").text_content() == "x\n" * 5


def test_fork_and_undo_from_a_turn_send_its_message_id(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    panel.get_by_role("button", name="Fork from here").click()
    panel.get_by_role("button", name="Undo from here").click()
    assert [(item["kind"], item["message"]) for item in chat.sent("fork", "undo")] == [
        ("fork", "msg_user"),
        ("undo", "msg_user"),
    ]
    chat.failed("undo", "The agent is working. Stop it first.")
    expect(panel.get_by_role("alert")).to_contain_text("Stop it first.")


# --- what is asked and told -------------------------------------------------------------------------------------------


def test_answering_a_request_moves_focus_to_the_message_field(chat: ChatPage) -> None:
    panel = chat.scene("permission")
    allow = panel.get_by_role("button", name="Allow once")
    expect(allow).to_be_enabled()
    allow.focus()
    chat.page.keyboard.press("Enter")
    assert chat.sent("permission") == [{"kind": "permission", "id": "per_1", "reply": "once"}]
    chat.next_patch(["drop", "requests1"])
    expect(panel.get_by_role("textbox", name="Message")).to_be_focused()


def test_a_request_answered_elsewhere_disappears_without_moving_focus(chat: ChatPage) -> None:
    panel = chat.scene("permission")
    field = panel.get_by_role("textbox", name="Message")
    field.fill("half wri")
    chat.next_patch(["drop", "requests1"], ["put", "q2", "requests", question(QUESTION, "q2")])
    expect(field).to_be_focused()
    expect(panel.get_by_role("button", name="Allow once")).to_have_count(0)
    panel.get_by_label("Parquet").check()
    panel.get_by_role("button", name="Answer", exact=True).click()
    assert chat.sent("question") == [{"kind": "question", "id": "que_1", "answers": [["Parquet"], []]}]


def test_the_buttons_of_a_long_request_stay_visible(chat: ChatPage) -> None:
    long = {**PERMISSION, "metadata": {"command": "echo\n" * 200}}
    panel = chat.show()
    chat.set_html(turns(1) + "")
    chat.next_patch(["put", "docks", "root", asked(long)])
    box = panel.get_by_role("button", name="Allow once").bounding_box()
    bottom = panel.get_by_role("textbox", name="Message").bounding_box()
    assert box is not None
    assert bottom is not None
    assert box["y"] + box["height"] <= bottom["y"]


HALVES = """
panel => [...panel.querySelectorAll("[role=log] .oc-pair")].map((pair) => [...pair.children]
  .filter((half) => half.checkVisibility())
  .map((half) => half.getBoundingClientRect())
  .map(({ left, top }) => [left, top]))
"""


def test_a_split_diff_stacks_its_columns_when_the_panel_is_narrow(chat: ChatPage) -> None:
    panel = chat.scene("split")
    panel.locator("[role=log] [data-tool=edit]").evaluate("card => { card.open = true }")
    for left, right in panel.evaluate(HALVES):
        assert left[0] < right[0]
        assert left[1] == right[1]
    chat.page.set_viewport_size({"width": 360, "height": 700})
    rows = panel.evaluate(HALVES)
    assert {left for row in rows for left, _top in row} == {rows[0][0][0]}
    assert [len(row) for row in rows] == [1, 1, 2, 2, 1]


def test_any_column_switch_changes_all_diffs_and_keeps_focus(chat: ChatPage) -> None:
    panel = chat.scene("diff")
    groups = panel.get_by_role("group", name="Columns of the changes")
    expect(groups).to_have_count(2)
    expect(groups.last.get_by_role("button", name="Unified", pressed=True)).to_be_visible()
    groups.first.get_by_role("button", name="Split").focus()
    groups.last.get_by_role("button", name="Split").focus()
    chat.page.keyboard.press("Enter")
    assert chat.wait_for_sent("columns") == [{"kind": "columns", "id": "2"}]
    html, _changes = SCENES["split"]
    chat.set_html(html)
    expect(groups.last.get_by_role("button", name="Split", pressed=True)).to_be_focused()


def test_a_lost_connection_shows_its_error_and_a_reconnect_button(chat: ChatPage) -> None:
    panel = chat.scene("empty")
    status = panel.get_by_role("status")
    chat.set_state(connection={"state": "reconnecting", "error": ""})
    expect(status).to_contain_text("Reconnecting to OpenCode")
    chat.set_state(connection={"state": "lost", "error": "The server has ended."})
    expect(status).to_contain_text("lost. The server has ended.")
    panel.get_by_role("button", name="Reconnect").click()
    chat.done("reconnect")
    chat.set_state(connection={"state": "connected", "error": ""})
    expect(status).to_have_count(0)


def test_after_a_kernel_restart_the_draft_stays_and_an_alert_says_what_to_do(chat: ChatPage) -> None:
    panel = chat.scene("permission")
    field = panel.get_by_role("textbox", name="Message")
    field.fill("hello")
    field.focus()
    chat.page.evaluate("void (model.send = () => { throw new Error('Cannot send') })")
    chat.page.keyboard.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("This panel is disconnected. Rerun its cell.")
    expect(field).to_have_value("hello")


def test_a_dismissed_notice_does_not_come_back(chat: ChatPage) -> None:
    panel = chat.scene("empty")
    notice = {"n": 1, "text": "Outside git the files stay as they are.", "level": "warning"}
    told = panel.get_by_role("status").filter(has_text="Outside git")
    chat.set_state(notice=notice)
    panel.get_by_role("button", name="Dismiss").click()
    chat.set_state(notice=notice, busy=True)
    expect(told).to_have_count(0)
    chat.set_state(notice={**notice, "n": 2})
    expect(told).to_be_visible()


def test_an_empty_session_shows_a_welcome_text(chat: ChatPage) -> None:
    panel = chat.scene("empty")
    welcome = panel.locator(".chat-welcome")
    expect(welcome).to_contain_text("What shall we work on?")
    expect(welcome).to_contain_text("/home/ada/measurements")
    expect(welcome).to_be_visible()
    chat.set_html(SCENES["error"][0])
    expect(welcome).to_be_hidden()


def test_closing_a_view_removes_its_model_listeners(chat: ChatPage) -> None:
    for name, end in (("one", "views.one.cleanup()"), ("two", "views.two.controller.abort()")):
        chat.show(name)
        assert chat.page.evaluate("model.listening") > 0
        chat.page.evaluate(end)
        assert chat.page.evaluate("model.listening") == 0


@pytest.mark.parametrize("text", ["שלום עולם", "hello"])
def test_text_follows_its_own_writing_direction(chat: ChatPage, text: str) -> None:
    panel = chat.show()
    chat.set_html(
        log(before=f'<article data-key="t" data-message="m"><div class="oc-text">{LINE.format(text)}</div></article>')
        + docks()
    )
    field = panel.get_by_role("textbox", name="Message")
    field.fill(text)
    wanted = "ltr" if text == "hello" else "rtl"
    assert field.evaluate("field => field.matches(':dir(rtl)') ? 'rtl' : 'ltr'") == wanted
    left, right = (
        panel.get_by_role("log")
        .get_by_text(text, exact=True)
        .evaluate(
            """(node) => {
          const range = document.createRange(), box = node.getBoundingClientRect();
          range.selectNodeContents(node);
          const text = range.getBoundingClientRect();
          return [text.left - box.left, box.right - text.right];
        }"""
        )
    )
    assert (left > right) == (wanted == "rtl")
