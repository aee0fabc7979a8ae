"""The chat panel on any page, as a person finds it: by roles and names."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

TURN_TIMEOUT = 30_000
"""Milliseconds for a step of a turn to show; a cold `opencode` server alone takes up to 7,000."""

OPEN = "import opencode_nb as oc\npanel = oc.chat()\npanel"
"""The cell that shows a panel."""

CODE = "Here it is:\n\n```python\nprint('ran', 6 * 7)\n```\n\n- one\n- two\n"
"""An answer with code that can be run."""

_FOCUSED = """
(panel) => {
  const node = panel.getRootNode().activeElement;
  if (!node || !panel.contains(node)) return "";
  return node.ariaLabel || node.labels?.[0]?.innerText.trim() || node.innerText.trim();
}
"""


class ChatView:
    """One view of a panel; `index` counts those on the page."""

    def __init__(self, page: Page, index: int = 0) -> None:
        self.page = page
        self.root = page.locator('.opencode-nb[data-view="chat"]').nth(index)

    @property
    def message(self) -> Locator:
        return self.root.get_by_role("textbox", name="Message")

    @property
    def log(self) -> Locator:
        return self.root.get_by_role("log")

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def appears(self, timeout: float = TURN_TIMEOUT) -> None:
        """Wait (milliseconds) until it is there, and the server behind it."""
        expect(self.message).to_be_visible(timeout=timeout)

    def send(self, words: str) -> None:
        """Send a message by keys."""
        self.message.fill(words)
        self.message.press("Enter")

    def says(self, words: str) -> None:
        """Wait for words in the log."""
        expect(self.log).to_contain_text(words, timeout=TURN_TIMEOUT)

    def told(self, words: str) -> Locator:
        """The line above the message that says so."""
        return self.root.get_by_role("status").filter(has_text=words)

    def rests(self) -> None:
        """Wait until the turn has ended."""
        expect(self.button("Stop")).to_be_hidden(timeout=TURN_TIMEOUT)

    def focused(self) -> str:
        """The name of what has the focus in it."""
        return str(self.root.evaluate(_FOCUSED))

    def go_back_to(self, name: str, limit: int = 25) -> None:
        """Press Shift+Tab until this has the focus."""
        seen = []
        while self.focused() != name:
            seen.append(self.focused())
            assert len(seen) < limit, f"{name} is not among {seen}"
            self.page.keyboard.press("Shift+Tab")

    def choose(self, item: str) -> None:
        """Choose an item of the session's menu."""
        self.button("More").click()
        self.root.get_by_role("menuitem", name=item, exact=True).click()
