"""The Markdown of turns and sessions in viewers that allow HTML: nothing is active, and nothing swallows the rest."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from opencode_nb.render.turn.document import session_markdown
from opencode_nb.render.turn.page import turn_markdown
from opencode_nb.transcript.state import TurnState
from tests.render.turns import tool, turn

END = "The end of it all."
SAFE = re.compile(r"(?:https?:|mailto:)|(?![^/?#]*:)", re.IGNORECASE)


class Reader(MarkdownIt):
    """Allows every link."""

    def validateLink(self, url: str) -> bool:
        return True


READERS = [Reader(dialect, {"html": True}) for dialect in ("commonmark", "js-default")]


class Found(HTMLParser):
    """Return the active content of a page, and the text of its top-level paragraphs."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.acting: list[str] = []
        self.paragraphs: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        addresses = [value or "" for name, value in attrs if name == "href"]
        known = tag in MADE and {name for name, _ in attrs} <= {"href", "class", "start", "style", "title"}
        if not known or not all(SAFE.match(re.sub(r"[\x00-\x20]", "", address)) for address in addresses):
            self.acting.append(f"<{tag} {attrs}>")
        if tag not in ("br", "hr", "img"):
            self._open.append(tag)
        if self._open == ["p"]:
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[self._open.index(tag) :]

    def handle_comment(self, data: str) -> None:
        self.acting.append(f"<!--{data}")

    def handle_data(self, data: str) -> None:
        if self._open == ["p"]:
            self.paragraphs[-1] += data


MADE = frozenset(
    "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul".split()  # noqa: SIM905
)


def check(markdown: str) -> None:
    for reader in READERS:
        found = Found(reader.render(markdown))
        assert found.acting == [], markdown
        assert END in found.paragraphs, markdown


def answered(*texts: str) -> TurnState:
    """Use each text as an answer, a command's output and a thought; end with a separate answer."""
    parts = []
    for text in texts:
        parts += [{"type": "text", "text": text}, tool("bash", input={"command": "x"}, output=text)]
        parts += [{"type": "reasoning", "text": text, "time": {}}, tool("task", input={"prompt": text})]
    return turn(*parts, {"type": "text", "text": END}, prompt=texts[0])


SCRIPT = "<script>alert(1)</script>"
LINK = "[x](javascript:alert(1))"
CASES = {
    "indented script": f"    {SCRIPT}",
    "indented script after a list": f"- one\n\n    {SCRIPT}",
    "indented link": f"      {LINK}",
    "tab": f"\t{SCRIPT}",
    "open backticks": "```python\nprint(1)",
    "open backticks with an end of line": "```\nprint(1)\n",
    "open tildes": f"~~~\n{SCRIPT}",
    "tildes in an output": f"one\n~~~\n{SCRIPT}\n{LINK}",
    "long fence": f"``````\n```\n{SCRIPT}\n```",
    "fence with a fence of the other kind": "~~~~\n```\n",
    "fence in a list": f"- item\n\n  ```\n  {SCRIPT}",
    "fence in a list in a quotation": "> - a\n>   ~~~\n>   x",
    "indented fence": "   ```\n   x",
    "fence in a quotation": "> ```\n> x",
    "only a fence": "```",
    "comment": "<!-- never closed",
    "comment in a line": "text <!-- never closed",
    "declaration": "<!DOCTYPE x",
    "instruction": "<?php echo 1",
    "cdata": "<![CDATA[ x",
    "formula": "$$\nx = 1",
    "unclosed tag": "<div\n",
    "definition": "[x]: javascript:alert(1)\n\n[x] [x][] [a][x]",
    "definition of a picture": "[x]: https://e.org/x.png\n\n![x] ![a][x]",
    "definition in a quotation": "> [x]: javascript:alert(1)\n\n[x]",
    "autolink": "<javascript:alert(1)>",
    "table": f"| a |\n| - |\n| {SCRIPT} |\n| {LINK} |",
    "html block": f"<details>\n\n{SCRIPT}\n\n</details>",
    "escaped fence": "\\```\nx",
    "list": "1. a\n2. b",
    "line of equals": "===",
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_active_or_swallows_what_follows(case: str) -> None:
    check(turn_markdown(answered(CASES[case])))


@pytest.mark.parametrize("case", CASES)
def test_nothing_in_an_exported_session_is_active_or_swallows_the_rest(case: str) -> None:
    session = session_markdown(CASES[case], [answered(CASES[case]), answered("[x] ![x]", "~~~", f"    {SCRIPT}")])
    check(session)


def test_link_definitions_do_not_affect_other_turns() -> None:
    check(session_markdown("t", [answered("[x]: javascript:alert(1)"), answered("[x]")]))
    check(session_markdown("t", [answered("[x]: https://e.org/tracked.png"), answered("![x]")]))


def test_a_turn_stopped_inside_a_fence_is_closed() -> None:
    stopped = turn({"type": "text", "text": "Look:\n\n```python\nprint(1)\n"}, status="aborted")
    assert turn_markdown(stopped).startswith("Look:\n\n```python\nprint(1)\n```\n\nStopped")
    whole = "Look:\n\n```python\nprint(1)\n```\n\n- a\n  ~~~\n  b\n  ~~~"
    assert turn_markdown(turn({"type": "text", "text": whole}, status="running")) == f"{whole}\n"


FENCES = (
    "```",
    "~~~",
    "````",
    "~~~~~",
    "    ",
    "  ",
    "\t",
    "- ",
    "1. ",
    "> ",
    "\n",
    "\n",
    "\n\n",
    "text",
    SCRIPT,
    LINK,
)
MARKS = ("<!--", "-->", "<b", ">", "[x]", "[x]: javascript:1", "![x]", "$$", "`", "``", "|", "| - |", "<javascript:1>")
OTHERS = ("[x]: https://e.org/a.png", "&lt;", "\\", "#", "---", "===", "<?", "<![CDATA[", "*", "\u2028", "\r")
pieces = st.sampled_from([*FENCES, *MARKS, *OTHERS])
texts = st.lists(pieces, min_size=1, max_size=12).map("".join)


@settings(max_examples=60, deadline=None)
@given(texts, texts)
def test_no_combination_is_active_or_swallows_the_rest(first: str, second: str) -> None:
    check(turn_markdown(answered(first, second)))
