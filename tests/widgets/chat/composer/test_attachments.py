"""Pictures and PDFs, pasted into the chat panel or dropped on it, arrive in the message as they were."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.widgets.chat.composer.test_composer import PICTURE, field_of
from tests.widgets.chat.page import ChatPage

PDF = b"%PDF-1.4\n\xe2\xe3\xcf\xd3\n%%EOF\n"
"""As every real one it is no text: bytes that are no UTF-8."""

GIVE = """
(target, [how, name, type, bytes, html]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type }));
  if (html) data.setData("text/html", html);
  const options = { bubbles: true, cancelable: true };
  const events = how === "paste"
    ? [new ClipboardEvent("paste", { ...options, clipboardData: data })]
    : ["dragover", "drop"].map((kind) => new DragEvent(kind, { ...options, dataTransfer: data }));
  return events.every((event) => !target.dispatchEvent(event));
}
"""
"""Whether each event was taken: what is not, the browser opens in the page's place, or inserts."""


@pytest.fixture
def chat(page: Page) -> ChatPage:
    return ChatPage(page)


@pytest.fixture
def panel(chat: ChatPage) -> Locator:
    return chat.scene("empty")


@pytest.mark.parametrize("how", ["paste", "drop"])
@pytest.mark.parametrize(
    ("name", "mime", "data"),
    [("image.png", "image/png", PICTURE), ("paper.pdf", "application/pdf", PDF)],
    ids=["picture", "pdf"],
)
def test_pasted_and_dropped_images_and_pdfs_are_sent_with_the_message(
    chat: ChatPage, panel: Locator, how: str, name: str, mime: str, data: bytes
) -> None:
    target = field_of(panel) if how == "paste" else panel
    assert target.evaluate(GIVE, [how, name, mime, list(data), ""])
    chip = panel.get_by_role("list", name="Attachments").get_by_role("listitem")
    expect(chip).to_contain_text(name)
    picture = chip.locator("img")
    expect(picture).to_have_count(1 if mime == "image/png" else 0)
    for node in picture.all():
        assert node.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    field_of(panel).fill("What is this?")
    field_of(panel).press("Enter")
    (sent,) = chat.wait_for_sent("send")
    assert sent["text"] == "What is this?"
    assert sent["attachments"] == [{"name": name, "mime": mime, "data": base64.b64encode(data).decode()}]


def test_an_image_copied_from_a_web_page_is_attached_as_an_image(chat: ChatPage, panel: Locator) -> None:
    """Browsers put its markup beside it."""
    html = '<img src="https://example.org/dot.png">'
    assert field_of(panel).evaluate(GIVE, ["paste", "image.png", "image/png", list(PICTURE), html])
    expect(panel.get_by_role("list", name="Attachments").get_by_role("listitem")).to_contain_text("image.png")
    field_of(panel).press("Enter")
    (sent,) = chat.wait_for_sent("send")
    assert (sent["text"], [file["mime"] for file in sent["attachments"]]) == ("", ["image/png"])
