"""Markdown: dialect, links, pictures, highlighting."""

from __future__ import annotations

import pytest

from opencode_nb.render.markdown.convert import harmless, to_html
from opencode_nb.render.markup.escape import element, escape, is_safe_link, visible
from opencode_nb.render.markup.highlight import MAX_HIGHLIGHTED, highlight, highlight_file, lines
from tests.render.page_model import Node, parse
from tests.render.turns import PICTURE


def tags(text: str) -> list[str]:
    return [node.tag for node in parse(to_html(text)).walk()][1:]


def first(text: str, tag: str) -> Node:
    return next(node for node in parse(to_html(text)).walk() if node.tag == tag)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a", ["h1"]),
        ("a *b* **c** ~~d~~ `e`", ["p", "em", "strong", "s", "code"]),
        ("- a\n- b", ["ul", "li", "li"]),
        ("3. a", ["ol", "li"]),
        ("| a |\n|---|\n| b |", ["div", "table", "thead", "tr", "th", "tbody", "tr", "td"]),
        ("> a", ["blockquote", "p"]),
        ("```\na\n```", ["pre", "code"]),
        ("a  \nb\n\n---", ["p", "br", "hr"]),
        ("https://example.org <b>x</b>", ["p"]),
    ],
)
def test_the_markdown_dialect(text: str, expected: list[str]) -> None:
    assert tags(text) == expected


def test_lists_keep_their_start_and_tasks_have_boxes() -> None:
    assert first("3. a", "ol").attrs["start"] == "3"
    assert parse(to_html("- [ ] a\n- [x] b\n- [ ]c")).text == "☐ a☑ b[ ]c"


def test_table_cells_are_aligned() -> None:
    assert str(first("| a |\n|--:|\n| b |", "td").attrs["style"]).endswith("text-align:right")


@pytest.mark.parametrize(
    "url", ["https://x.org/a?b=c:d", "http://x", "mailto:a@b", "#top", "../a.md", "/x", "a/b:c", "?q=a:b"]
)
def test_safe_links_are_links(url: str) -> None:
    assert is_safe_link(url)
    link = first(f"[x](<{url}>)", "a")
    assert link.attrs["href"]
    assert link.attrs["target"] == "_blank"
    assert link.attrs["rel"] == "noopener noreferrer"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:x",
        " JAVASCRIPT:x",
        "java\tscript:x",
        "\x00javascript:x",
        "data:text/html,x",
        "vbscript:x",
        "file:///x",
        "blob:x",
        "ws://x",
        "%6aavascript:x",
        "java%0ascript:x",
        "\u200bjavascript:x",
        "x:y",
        ":x",
    ],
)
def test_unsafe_links_are_text(url: str) -> None:
    assert not is_safe_link(url)


def test_embedded_pictures_are_shown_and_others_are_links() -> None:
    assert first(f"![a]({PICTURE})", "img").attrs["src"] == PICTURE
    remote = first("![a](https://x.org/y.png)", "a")
    assert remote.text == "image: a"
    assert "img" not in tags("![a](https://x.org/y.png) ![b](local.png) ![c](data:image/svg+xml;base64,AAAA)")
    assert tags("[![a](https://x.org/y.png)](https://z.org)") == ["p", "a", "span"]


def test_code_in_a_known_language_is_coloured_for_both_themes() -> None:
    assert "light-dark(rgb(" in to_html("```python\ndef f(): pass\n```")
    assert "light-dark" not in to_html("```nosuchlanguage\ndef f(): pass\n```")
    assert "light-dark" not in to_html("```\ndef f(): pass\n```")


@pytest.mark.parametrize("code", ["", "\n", "x", "x\n", "\n\nx = 1\n\n", "\ufeffx", "a\r\nb", "'''", "\t x"])
def test_colouring_changes_no_text(code: str) -> None:
    for language in ("python", "js", "console", "html", "json", "diff"):
        assert parse(highlight(code, language)).text == parse(escape(code)).text
        assert ["".join(text for text, _ in line) for line in lines(code, f"x.{language}")] == code.split("\n")


def test_very_long_code_stays_plain() -> None:
    assert "<span" not in highlight_file("x = 1\n" * MAX_HIGHLIGHTED, "x.py")


def test_text_is_escaped() -> None:
    assert escape('<a href="x">\'&') == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"
    assert visible("a\x1b[0m\x7f\u202e\x9b\ud800\tb\n") == "a␛[0m␡\\u202e\\u009b�\tb\n"
    assert element("p", escape("x"), style="muted", data_key='"', open=True, title=None).endswith(
        'data-key="&quot;" open>x</p>'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain *text* with `<b>` and\n\n```html\n<b>\n```\n", None),
        ("a <b>bold</b> [link](https://x.org)", "a &lt;b>bold&lt;/b> [link](https://x.org)"),
        ("![x](https://e.org/x.png) [l](https://x.org)", "[x](https://e.org/x.png) [l](https://x.org)"),
        (f"![x]({PICTURE})", None),
        ("[x](javascript:y)", "[x]\\(javascript:y)"),
        ("[x](https://ok.org)", None),
    ],
)
def test_harmless_changes_only_unsafe_markdown(text: str, expected: str | None) -> None:
    assert harmless(text) == (text if expected is None else expected)
