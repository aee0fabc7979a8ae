"""The chat panel's composer: writing, sending, completing, attaching."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.widgets.chat.page import SCENES, ChatPage, docks, log

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ORIGIN = "http://panel.test/"
"""Where a page must seem to come from to have a session's storage; nothing is fetched."""

PASTE = """
(field, [files, text]) => {
  const data = new DataTransfer();
  for (const [name, type, body] of files) data.items.add(new File([body], name, { type }));
  if (text) data.setData("text/plain", text);
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  return !field.dispatchEvent(event);
}
"""
DROP = """
(panel) => {
  const data = new DataTransfer();
  data.items.add(new File(["a,b"], "data.csv", { type: "text/csv" }));
  for (const kind of ["dragover", "drop"]) {
    panel.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}
"""


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.fixture
def panel(chat: ChatPage) -> Locator:
    return chat.scene("empty")


def height(field: Locator) -> int:
    return int(field.evaluate("field => field.clientHeight"))


def suggestions(panel: Locator) -> Locator:
    return panel.get_by_role("listbox", name="Suggestions").get_by_role("option")


def field_of(panel: Locator) -> Locator:
    return panel.get_by_role("textbox", name="Message")


# --- sending ----------------------------------------------------------------------------------------------------------


def test_enter_sends_and_shift_enter_inserts_a_newline(chat: ChatPage, panel: Locator) -> None:
    field, send = field_of(panel), panel.get_by_role("button", name="Send")
    expect(send).to_be_disabled()
    field.click()
    chat.page.keyboard.type("one")
    low = height(field)
    chat.page.keyboard.press("Shift+Enter")
    chat.page.keyboard.type("two")
    assert height(field) > low
    chat.page.keyboard.press("Enter")
    sent = chat.done("send")
    assert {name: sent[name] for name in ("text", "mode", "attachments")} == {
        "text": "one\ntwo",
        "mode": "auto",
        "attachments": [],
    }
    expect(field).to_have_value("")
    expect(field).to_be_focused()
    assert height(field) == low
    field.fill("by a click")
    send.click()
    assert chat.wait_for_sent("send", 2)[1]["text"] == "by a click"
    chat.page.keyboard.press("Enter")
    assert len(chat.sent("send")) == 2


def test_enter_during_ime_composition_does_not_send(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    field.fill("にほん")
    for init in ("{ isComposing: true }", "{ keyCode: 229 }"):
        field.evaluate(
            f"field => field.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true, ...{init} }}))"
        )
    assert chat.sent("send") == []
    field.press("Enter")
    assert chat.sent("send")[0]["text"] == "にほん"


def test_a_failed_message_returns_to_the_field_with_an_error(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    field.fill("hello")
    field.evaluate(PASTE, [[["a.txt", "text/plain", "words"]], ""])
    chip = panel.get_by_role("list", name="Attachments").get_by_role("listitem")
    expect(chip).to_be_visible()
    field.press("Enter")
    expect(field).to_have_value("")
    expect(chip).to_have_count(0)
    chat.failed("send", "The server has ended. Reconnect, and send again.")
    expect(panel.get_by_role("alert")).to_contain_text("The server has ended.")
    expect(field).to_have_value("hello")
    expect(chip).to_contain_text("a.txt")
    panel.get_by_role("button", name="Dismiss").click()
    expect(panel.get_by_role("alert")).to_have_count(0)


def test_messages_queue_or_steer_during_a_turn_and_stop_ends_it(chat: ChatPage, panel: Locator) -> None:
    field, stop = field_of(panel), panel.get_by_role("button", name="Stop")
    expect(stop).to_be_hidden()
    chat.set_state(busy=True)
    for text, keys in (("later", "Enter"), ("now", "Control+Enter")):
        field.fill(text)
        field.press(keys)
    field.fill("later, too")
    panel.get_by_role("button", name="Send").click()
    sent = [(item["text"], item["mode"]) for item in chat.sent("send")]
    assert sent == [("later", "queue"), ("now", "steer"), ("later, too", "queue")]
    stop.focus()
    chat.page.keyboard.press("Enter")
    chat.done("stop")
    chat.set_state(busy=False)
    expect(stop).to_be_hidden()
    expect(field).to_be_focused()


def test_a_shell_command_is_labelled_and_sent_in_shell_mode(chat: ChatPage, panel: Locator) -> None:
    field = field_of(panel)
    field.fill("!ls -l")
    expect(field).to_have_attribute("title", "Runs as a shell command in the project")
    field.press("Enter")
    sent = chat.sent("send")[0]
    assert (sent["mode"], sent["text"]) == ("shell", "ls -l")
    expect(field).to_have_attribute("title", "")


def test_a_slow_kernel_shows_a_notice_until_it_answers(chat: ChatPage) -> None:
    chat.stop_clock()
    panel = chat.scene("empty")
    field_of(panel).fill("hello")
    field_of(panel).press("Enter")
    chat.pass_time(5000)
    told = panel.get_by_role("status").filter(has_text="The kernel has not answered yet")
    expect(told).to_be_visible()
    chat.done("send")
    expect(told).to_have_count(0)


# --- history and drafts -----------------------------------------------------------------------------------------------


def test_up_at_the_start_of_the_field_recalls_earlier_messages(chat: ChatPage) -> None:
    panel = chat.scene("error")
    field = field_of(panel)
    field.fill("half\nwritten")
    field.press("ArrowUp")
    expect(field).to_have_value("half\nwritten")  # the cursor was not at the beginning: it goes up
    field.press("Home")
    field.press("ArrowUp")
    expect(field).to_have_value("Parse the time column")
    field.press("ArrowUp")  # in the only row there is nothing else above
    expect(field).to_have_value("Parse the time column in load.py")
    field.press("ArrowDown")
    field.press("ArrowDown")
    expect(field).to_have_value("half\nwritten")
    field.fill("half written")
    field.press("ArrowUp")
    expect(field).to_have_value("Parse the time column")
    field.press("ArrowDown")
    expect(field).to_have_value("half written")


def test_a_draft_survives_a_reload_and_belongs_to_its_session(page: Page) -> None:
    page.route(ORIGIN, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(ORIGIN)
    chat = ChatPage(page)
    field = field_of(chat.scene("empty"))
    field.fill("not sent yet")
    chat.set_state(session={"id": "ses_2", "title": "Another"})
    expect(field).to_have_value("")
    field.fill("of the second")
    page.goto(ORIGIN)
    again = ChatPage(page)
    expect(field_of(again.scene("empty"))).to_have_value("not sent yet")
    again.set_state(session={"id": "ses_2", "title": "Another"})
    expect(field_of(again.page.locator("#view"))).to_have_value("of the second")
    field_of(again.page.locator("#view")).press("Enter")
    again.done("send")
    assert page.evaluate("sessionStorage.length") == 1


# --- completion -------------------------------------------------------------------------------------------------------


def test_commands_are_completed_with_the_keyboard(chat: ChatPage, panel: Locator) -> None:
    field, options = field_of(panel), suggestions(panel)
    field.click()
    chat.page.keyboard.insert_text("/in")  # at once: each pause would be asked for
    items = [{"text": "/init", "detail": "Write AGENTS.md", "kind": "command"}, {"text": "/install", "kind": "command"}]
    assert chat.answer(items)["text"] == "/in"
    expect(options).to_have_text(["/initWrite AGENTS.md", "/install"])
    expect(options.first).to_have_attribute("aria-selected", "true")
    field.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", options.last.get_attribute("id") or "")
    field.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    field.press("Tab")
    expect(field).to_have_value("/init ")
    expect(field).to_be_focused()
    expect(options).to_have_count(0)
    assert field.get_attribute("aria-activedescendant") is None


def test_files_and_variables_are_completed_in_mid_sentence(chat: ChatPage, panel: Locator) -> None:
    field, options = field_of(panel), suggestions(panel)
    field.fill("look at  please")
    for _ in range(7):
        field.press("ArrowLeft")
    chat.page.keyboard.insert_text("@s")
    assert chat.answer([{"text": "@src/", "kind": "file"}, {"text": "@series", "kind": "variable"}])["text"] == "@s"
    expect(options).to_have_count(2)
    field.press("Enter")
    expect(field).to_have_value("look at @src/ please")
    chat.answer([{"text": "@src/load.py", "kind": "file"}], 2)
    options.first.click()
    expect(field).to_have_value("look at @src/load.py  please")
    expect(field).to_be_focused()
    assert chat.sent("send") == []


def test_a_name_with_spaces_is_completed_in_quotes(chat: ChatPage, panel: Locator) -> None:
    field, options = field_of(panel), suggestions(panel)
    field.fill("look at ")
    chat.page.keyboard.insert_text('@"my da')
    folder = {"text": '@"my data/"', "kind": "file"}
    assert chat.answer([folder])["text"] == '@"my da'
    expect(options).to_have_count(1)
    field.press("Enter")
    expect(field).to_have_value('look at @"my data/"')
    assert chat.answer([folder], 2)["text"] == '@"my data/"'
    expect(options).to_have_count(1)
    chat.page.keyboard.insert_text("of")
    assert chat.answer([{"text": '@"my data/of may.csv"', "kind": "file"}], 3)["text"] == '@"my data/"of'
    expect(options).to_have_text(['@"my data/of may.csv"'])
    field.press("Tab")
    expect(field).to_have_value('look at @"my data/of may.csv" ')


def test_escape_closes_suggestions_and_late_ones_do_not_reopen_them(chat: ChatPage, panel: Locator) -> None:
    field, options = field_of(panel), suggestions(panel)
    field.click()
    chat.page.keyboard.insert_text("@a")
    chat.answer([{"text": "@a.py"}])
    expect(options).to_have_count(1)
    field.press("Escape")
    expect(options).to_have_count(0)
    expect(field).to_have_value("@a")
    chat.page.keyboard.type("b")
    chat.wait_for_sent("ask", 2)
    chat.page.keyboard.type(" ")
    chat.answer([{"text": "@ab.py"}], 2)
    expect(options).to_have_count(0)
    chat.page.keyboard.press("Enter")
    assert chat.sent("send")[0]["text"] == "@ab"


# --- attachments ------------------------------------------------------------------------------------------------------


def test_files_can_be_pasted_dropped_chosen_and_removed(chat: ChatPage, panel: Locator, tmp_path: Path) -> None:
    field = field_of(panel)
    chips = panel.get_by_role("list", name="Attachments").get_by_role("listitem")
    assert field.evaluate(PASTE, [[["notes.md", "text/markdown", "# Notes"]], ""])
    assert not field.evaluate(PASTE, [[["cells.png", "image/png", "x"]], "1\t2"])  # cells of a sheet: as text
    expect(chips).to_have_count(1)
    panel.evaluate(DROP)
    expect(chips).to_have_count(2)
    (tmp_path / "dot.png").write_bytes(PICTURE)
    with chat.page.expect_file_chooser() as chooser:
        panel.get_by_role("button", name="Attach files").click()
    chooser.value.set_files(tmp_path / "dot.png")
    expect(chips).to_have_count(3)
    panel.get_by_role("button", name="Remove data.csv").click()
    expect(chips).to_have_count(2)
    panel.get_by_role("button", name="Send").click()
    assert chat.wait_for_sent("send")[0]["attachments"] == [
        {"name": "notes.md", "mime": "text/plain", "data": base64.b64encode(b"# Notes").decode()},
        {"name": "dot.png", "mime": "image/png", "data": base64.b64encode(PICTURE).decode()},
    ]
    expect(chips).to_have_count(0)


def test_oversized_and_binary_files_are_rejected_with_a_reason(chat: ChatPage, panel: Locator, tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_bytes(b"x" * 7_000_001)
    (tmp_path / "program").write_bytes(b"\x7fELF\xff\xfe")
    panel.locator("input[type=file]").set_input_files([tmp_path / "big.txt", tmp_path / "program"])
    told = panel.get_by_role("alert")
    expect(told).to_contain_text("big.txt (7.0 MB) was not attached: a message can have 7.0 MB of files.")
    expect(told).to_contain_text("program was not attached: only images, PDFs and text can be.")
    expect(panel.get_by_role("button", name="Send")).to_be_disabled()
    (tmp_path / "fine.txt").write_text("x")
    panel.locator("input[type=file]").set_input_files([tmp_path / "fine.txt"])
    expect(told).to_have_count(0)


# --- the queue --------------------------------------------------------------------------------------------------------


def test_queued_messages_can_be_edited_steered_removed_and_resumed(chat: ChatPage) -> None:
    panel = chat.scene("streaming")
    waiting = panel.get_by_role("list", name="Queued messages").get_by_role("listitem")
    chat.set_state(queue=[{"id": "q1", "text": "first"}, {"id": "q2", "text": "second"}])
    expect(waiting).to_have_text(["first", "second"])
    waiting.first.get_by_role("button", name="Edit").click()
    editor = panel.get_by_role("textbox", name="Queued message")
    editor.fill("first, and better")
    chat.set_state(queue=[{"id": "q1", "text": "first"}, {"id": "q2", "text": "second"}, {"id": "q3", "text": "third"}])
    expect(editor).to_have_value("first, and better")  # what another view queues does not disturb
    expect(editor).to_be_focused()
    editor.press("Enter")
    waiting.nth(1).get_by_role("button", name="Send now").click()
    waiting.nth(2).get_by_role("button", name="Remove from queue").click()
    sent = chat.sent("queue_edit", "queue_send", "queue_drop")
    assert [(item["kind"], item["item"], item.get("text")) for item in sent] == [
        ("queue_edit", "q1", "first, and better"),
        ("queue_send", "q2", None),
        ("queue_drop", "q3", None),
    ]
    chat.set_state(paused="The previous turn failed.", busy=False)
    expect(panel.get_by_role("status").filter(has_text="The previous turn failed.")).to_be_visible()
    panel.get_by_role("button", name="Resume").click()
    chat.done("queue_resume")
    chat.set_state(paused="", queue=[])
    expect(panel.get_by_role("button", name="Resume")).to_have_count(0)
    expect(waiting).to_have_count(0)


def test_hostile_text_outside_the_log_is_shown_as_plain_text(chat: ChatPage) -> None:
    hostile = '<img src=x onerror="window.ran = true">'
    _, changes = SCENES["streaming"]
    chat.set_state(
        **changes
        | {
            "queue": [{"id": "q", "text": hostile}],
            "session": {"id": "s", "title": hostile, "directory": hostile},
            "agents": [{"name": hostile}, {"name": "b"}],
            "agent": hostile,
            "model": hostile,
            "model_name": hostile,
            "notice": {"n": 1, "text": hostile, "level": "error"},
        }
    )
    chat.set_html(log() + docks())
    panel = chat.show()
    expect(panel.get_by_role("alert")).to_contain_text(hostile)
    expect(panel.get_by_role("list", name="Queued messages")).to_contain_text(hostile)
    assert panel.locator("img").count() == 0
    assert chat.page.evaluate("window.ran") is None
