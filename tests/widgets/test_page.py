"""turn.js in a real page: applies what Python sends, keeps what a person does meanwhile, and says what they click."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.render.page_model import Node, canonical, parse
from tests.widgets.conftest import Widget

TESTS = Path(__file__).parents[1]
PROTOCOL = json.loads((TESTS / "render/wire_protocol.json").read_text("utf-8"))
HOSTILE = json.loads((TESTS / "render/fixtures/hostile.json").read_text("utf-8"))

ASKING = (
    '<div data-key="ask" data-part="permission" data-id="per_1"><span>Permission needed</span> <span>edit x.py</span>'
    '<button type="button" data-intent="permission" data-id="per_1" data-reply="once">Allow once</button>'
    '<button type="button" data-intent="permission" data-id="per_1" data-reply="reject">Deny</button></div>'
)
FORM = (
    '<div data-key="ask" data-part="question" data-id="que_1"><form data-intent="question" data-id="que_1">'
    '<fieldset><label><input type="radio" name="q0" value="CSV">CSV</label>'
    '<label><input type="radio" name="q0" value="JSON">JSON</label>'
    '<input type="radio" name="q0" value="" data-own="" aria-label="In your own words">'
    '<input type="text" name="own0" aria-label="Your answer"></fieldset>'
    '<fieldset><label><input type="checkbox" name="q1" value="time">time</label>'
    '<label><input type="checkbox" name="q1" value="value">value</label>'
    '<input type="text" name="own1" aria-label="Your answer"></fieldset>'
    '<button type="submit">Answer</button>'
    '<button type="button" data-intent="question" data-id="que_1" data-reply="reject">Dismiss</button></form></div>'
)
FOLD = '<details data-key="{0}" data-fold="{0}"{1}><summary>{0}</summary>inside</details>'


def html(root: Locator) -> str:
    """What is in the root, as the tests' model of a page writes it."""
    return "".join(canonical(child, keys=True) for child in parse(root.inner_html()).children)


# --- patches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PROTOCOL["patches"], ids=lambda case: case["name"])
def test_recorded_patches_produce_the_expected_html(widget: Widget, case: dict[str, Any]) -> None:
    root = widget.render()
    widget.snapshot(0, case["start"])
    for number, batch in enumerate(case["batches"], 1):
        widget.patch(number, *batch)
    assert html(root) == canonical(parse(case["html"]), keys=True)
    assert widget.sent() == []


def test_unknown_operations_and_keys_change_nothing(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, '<p data-key="p">x</p>')
    widget.patch(
        1, ["shout", "p"], ["text", "q", "x"], ["splice", "q", 0, "x"], ["drop", "q"], ["put", "r", "q", "<i></i>"]
    )
    widget.message({"kind": "sing"})
    assert root.inner_html() == '<p data-key="p">x</p>'


def test_a_splice_forgets_the_keys_it_removed(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, '<div data-key="p"></div><div data-key="q"></div>')
    widget.patch(1, ["splice", "p", 0, '<b data-key="i">old</b>'], ["splice", "p", 0, "new"])
    widget.patch(2, ["put", "i", "q", '<b data-key="i">again</b>'])
    assert html(root) == '<div data-key="p">new</div><div data-key="q"><b data-key="i">again</b></div>'


def test_text_patches_are_never_parsed_as_html(widget: Widget) -> None:
    root = widget.render()
    for number, text in enumerate(HOSTILE.values()):
        widget.patch(2 * number, ["put", "p", "root", '<pre data-key="p"></pre>'], ["text", "p", text])
        assert root.locator("pre").evaluate("node => [node.textContent, node.children.length]") == [text, 0]
        widget.patch(2 * number + 1, ["drop", "p"])


def test_scripts_in_patches_do_not_run(widget: Widget) -> None:
    """Everything is escaped before it comes here; this is the second wall: a script put by innerHTML never runs."""
    widget.render()
    widget.snapshot(0, '<div data-key="p"><script>window.ran = true</script></div>')
    widget.patch(1, ["put", "p", "root", '<div data-key="p"><script>window.ran = true</script></div>'])
    assert widget.page.evaluate("window.ran") is None


# --- order, gaps and views --------------------------------------------------------------------------------------------


def test_a_missed_patch_requests_one_snapshot(widget: Widget) -> None:
    widget.stop_clock()
    root = widget.render()
    widget.snapshot(0, '<p data-key="p">a</p>')
    for number in (2, 3, 4):
        widget.patch(number, ["text", "p", "lost"])
    assert widget.sent() == [{"kind": "snapshot"}]
    expect(root).to_have_text("a")
    widget.snapshot(4, '<p data-key="p">abcd</p>')
    widget.patch(5, ["text", "p", "e"])
    expect(root).to_have_text("abcde")


def test_a_lost_snapshot_is_requested_again(widget: Widget) -> None:
    widget.stop_clock()
    widget.render()
    widget.snapshot(0, "")
    widget.patch(5)
    widget.patch(6)
    widget.pass_time(2000)
    widget.patch(7)
    assert widget.sent() == [{"kind": "snapshot"}] * 2


def test_an_up_to_date_view_ignores_snapshots_and_older_patches(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, FORM)
    own = root.get_by_label("Your answer").first
    own.fill("half a sen")
    widget.patch(1, ["put", "p", "root", '<p data-key="p">x</p>'])
    widget.snapshot(1, f'{FORM}<p data-key="p">x</p>')
    widget.patch(1, ["text", "p", "twice"])
    expect(own).to_have_value("half a sen")
    expect(own).to_be_focused()
    expect(root.locator("p")).to_have_text("x")


def test_splices_apply_after_a_snapshot(widget: Widget) -> None:
    """The complete view and the late one take the same operations; the first splice after a snapshot keeps nothing."""
    first = widget.render("first")
    widget.snapshot(0, '<div data-key="p"></div>')
    widget.patch(1, ["splice", "p", 0, "<p>one</p>"])
    second = widget.render("second")
    widget.snapshot(1, '<div data-key="p"><p>one</p></div>')
    widget.patch(2, ["splice", "p", 0, "<p>one two</p>"])
    widget.patch(3, ["splice", "p", 10, " three</p>"])
    assert first.inner_html() == second.inner_html() == '<div data-key="p"><p>one two three</p></div>'


def test_a_late_view_requests_a_snapshot_and_then_matches_the_first(widget: Widget) -> None:
    first = widget.render("first")
    widget.snapshot(0, '<p data-key="p">a</p>')
    widget.patch(1, ["text", "p", "b"])
    late = widget.render("late")
    expect(late).to_have_text("a")
    widget.message({"kind": "ping", "n": 1})
    assert widget.sent() == [{"kind": "snapshot"}]
    widget.snapshot(1, '<p data-key="p">ab</p>')
    widget.patch(2, ["text", "p", "c"])
    assert [view.inner_text() for view in (first, late)] == ["abc", "abc"]


def test_a_view_sends_hello_three_times(widget: Widget) -> None:
    widget.stop_clock()
    widget.render()
    widget.pass_time(5000)
    assert widget.sent("hello") == [{"kind": "hello"}] * 3


def test_only_an_up_to_date_view_answers_a_ping(widget: Widget) -> None:
    widget.render()
    widget.snapshot(0, "")
    widget.message({"kind": "ping", "id": "per_1", "n": 0})
    widget.message({"kind": "ping", "n": 0})
    widget.message({"kind": "ping", "id": "per_1", "n": 1})
    assert widget.sent() == [{"kind": "pong", "id": "per_1"}, {"kind": "snapshot"}]


def test_a_closed_view_stops_its_listeners_clicks_and_clocks(widget: Widget) -> None:
    page = widget.page
    widget.stop_clock()
    for name, end in (("one", "views.one.cleanup()"), ("two", "views.two.controller.abort()")):
        root = widget.render(name)
        widget.snapshot(0, f'{ASKING}<i data-since="0"></i>')
        assert page.evaluate("model.listening") == 4
        page.evaluate(end)
        assert page.evaluate("model.listening") == 0
        clock = root.locator("i").inner_text()
        sent = len(page.evaluate("model.sent"))
        root.get_by_role("button", name="Deny").click()
        widget.pass_time(5000)
        assert len(page.evaluate("model.sent")) == sent
        assert root.locator("i").inner_text() == clock
        page.evaluate(f"document.getElementById('{name}').remove()")
        page.evaluate("model.set('snapshot', undefined)")


# --- what a person does -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PROTOCOL["intents"], ids=lambda case: case["name"])
def test_a_button_click_sends_its_intent(widget: Widget, case: dict[str, Any]) -> None:
    root = widget.render()
    widget.snapshot(0, case["html"])
    root.get_by_role("button").click()
    assert widget.sent() == [case["message"]]


def test_a_question_accepts_choices_and_custom_text(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, FORM)
    root.get_by_label("JSON").check()
    root.get_by_label("time").check()
    root.get_by_label("value").check()
    own = root.get_by_label("Your answer").last
    own.fill("  and the unit ")
    own.press("Enter")
    answers = [["JSON"], ["time", "value", "and the unit"]]
    assert widget.sent() == [{"kind": "question", "id": "que_1", "answers": answers}]


def test_a_question_accepts_custom_text_alone(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, FORM)
    root.get_by_label("Your answer").first.fill("Parquet")
    root.get_by_role("button", name="Answer", exact=True).click()
    assert widget.sent() == [{"kind": "question", "id": "que_1", "answers": [["Parquet"], []]}]


def answers_sent(widget: Widget, root: Locator) -> list[list[str]]:
    root.get_by_role("button", name="Answer", exact=True).click()
    return list(widget.sent("question")[-1]["answers"])


def test_a_single_choice_question_sends_exactly_one_answer(widget: Widget) -> None:
    """Own words are a choice like the others: what is chosen is what is sent."""
    root = widget.render()
    widget.snapshot(0, FORM)
    own, choice = root.get_by_label("Your answer").first, root.get_by_label("In your own words")
    root.get_by_label("JSON").check()
    own.fill("Parquet")
    expect(choice).to_be_checked()
    assert answers_sent(widget, root) == [["Parquet"], []]
    root.get_by_label("CSV").check()
    expect(choice).not_to_be_checked()
    assert answers_sent(widget, root) == [["CSV"], []]
    choice.check()
    assert answers_sent(widget, root) == [["Parquet"], []]
    own.fill(" ")
    expect(choice).not_to_be_checked()
    expect(root.get_by_role("button", name="Answer", exact=True)).to_be_disabled()


def test_enter_submits_only_when_every_question_is_answered(widget: Widget) -> None:
    """It must not send off the questions that nobody has looked at yet: it goes on to the first of them."""
    root = widget.render()
    widget.snapshot(0, FORM)
    first, last = root.get_by_label("Your answer").all()
    first.fill("Parquet")
    first.press("Enter")
    expect(root.get_by_label("time")).to_be_focused()
    assert widget.sent() == []
    last.fill("all")
    last.press("Enter")
    assert widget.sent() == [{"kind": "question", "id": "que_1", "answers": [["Parquet"], ["all"]]}]


def test_a_fold_keeps_the_state_the_user_set(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, FOLD.format("a", " open") + FOLD.format("b", "") + FOLD.format("c", " open"))
    for name in "ab":
        root.locator("summary").get_by_text(name, exact=True).click()
    widget.patch(1, *(["put", key, "root", FOLD.format(key, " open" if key != "b" else "")] for key in "abc"))
    assert [fold.get_attribute("open") for fold in root.locator("details").all()] == [None, "", ""]
    widget.patch(3)
    widget.snapshot(3, FOLD.format("a", " open") + FOLD.format("b", "") + FOLD.format("c", ""))
    assert [fold.get_attribute("open") for fold in root.locator("details").all()] == [None, "", None]


def test_focus_stays_while_text_streams(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, f'<div data-key="p"></div>{ASKING}')
    button = root.get_by_role("button", name="Allow once")
    expect(button).to_be_enabled()
    button.focus()
    for number in range(1, 20):
        widget.patch(number, ["splice", "p", 0, f"<p>{number}</p>"])
    expect(button).to_be_focused()
    widget.page.keyboard.press("Enter")
    assert widget.sent() == [{"kind": "permission", "id": "per_1", "reply": "once"}]


def test_focus_moves_to_the_replacement_of_a_button_or_fold(widget: Widget) -> None:
    root = widget.render()
    stop = '<div data-key="s">{} <button type="button" data-intent="stop">Stop</button></div>'
    widget.snapshot(0, stop.format("Working") + ASKING + FOLD.format("a", ""))
    root.get_by_role("button", name="Stop").focus()
    widget.patch(1, ["put", "s", "root", stop.format("Waiting")])
    expect(root.get_by_role("button", name="Stop")).to_be_focused()
    root.get_by_role("button", name="Deny").focus()
    widget.patch(2, ["put", "ask", "root", ASKING])
    expect(root.get_by_role("button", name="Deny")).to_be_focused()
    root.locator("summary").focus()
    widget.patch(3, ["put", "a", "root", FOLD.format("a", "")])
    expect(root.locator("summary")).to_be_focused()


def test_focus_stays_in_the_view_when_its_button_is_removed(widget: Widget) -> None:
    root = widget.render()
    widget.snapshot(0, ASKING)
    root.get_by_role("button", name="Allow once").focus()
    widget.patch(1, ["drop", "ask"])
    expect(root).to_be_focused()


# --- what is told -----------------------------------------------------------------------------------------------------


def test_clocks_count_up_and_down(widget: Widget) -> None:
    widget.stop_clock()
    root = widget.render()
    clocks = '<i data-since="{}"></i><b data-until="{}"></b>'
    widget.snapshot(0, f'<p data-key="p">{clocks.format(1_000_000 - 58_000, 1_000_000 + 3_000)}</p>')
    assert root.locator("i, b").all_inner_texts() == ["58 s", "3 s"]
    widget.pass_time(1000)
    assert root.locator("i, b").all_inner_texts() == ["59 s", "2 s"]
    widget.pass_time(6000)
    assert root.locator("i, b").all_inner_texts() == ["1 min 5 s", "0 s"]
    widget.patch(1, ["put", "p", "root", f'<p data-key="p">{clocks.format(1_000_000, 1_100_000)}</p>'])
    assert root.locator("i, b").all_inner_texts() == ["7 s", "1 min 33 s"]


def test_a_clock_stays_empty_for_the_first_second(widget: Widget) -> None:
    widget.stop_clock()
    root = widget.render()
    widget.snapshot(0, '<time data-since="999500"></time>')
    expect(root.locator("time")).to_be_empty()
    widget.pass_time(1000)
    expect(root.locator("time")).to_have_text("2 s")


def test_a_request_is_announced_once_and_streamed_text_is_not(widget: Widget) -> None:
    root = widget.render()
    region = widget.page.locator('#view > [aria-live="assertive"]')
    widget.snapshot(0, '<div data-key="p">words</div>')
    expect(root).to_have_role("log")
    expect(root).to_have_attribute("aria-live", "off")
    expect(region).to_have_text("")
    widget.patch(1, ["put", "ask", "root", ASKING])
    expect(region).to_have_text("Permission needed edit x.pyAllow onceDeny")
    region.evaluate("node => { node.textContent = '' }")
    widget.patch(2, ["text", "p", " more"])
    widget.snapshot(5, ASKING)
    expect(region).to_have_text("")
    widget.patch(6, ["put", "ask2", "root", FORM.replace('"ask"', '"ask2"')])
    expect(region).to_contain_text("CSVJSON timevalue")


def test_a_request_is_announced_again_only_under_a_new_id(widget: Widget) -> None:
    """Another session in the same view begins its keys again; and a card may be drawn anew elsewhere."""
    widget.render()
    region = widget.page.locator('#view > [aria-live="assertive"]')
    widget.snapshot(0, ASKING)
    expect(region).to_contain_text("edit x.py")
    widget.patch(1, ["drop", "ask"], ["put", "again", "root", ASKING.replace('"ask"', '"again"').replace("x", "y")])
    expect(region).to_contain_text("edit x.py")
    widget.snapshot(2, ASKING.replace("per_1", "per_2").replace("x.py", "z.py"))
    expect(region).to_contain_text("edit z.py")


def test_the_protocol_parser_agrees_with_the_browser(widget: Widget) -> None:
    """The comparisons above rest on it."""
    root = widget.render()
    markup = (FORM + ASKING).replace("data-part", "data-was")  # of what is asked the page marks the buttons
    widget.snapshot(0, markup)
    assert isinstance(parse(markup).children[0], Node)
    assert html(root) == "".join(canonical(child, keys=True) for child in parse(markup).children)
