"""Render tool cards and their blocks as HTML, for the live page and the saved notebook.

Knows what blocks look like, not what tools mean (tools.py) or where cards are placed (page.py). With a `key` an element
can be patched on the page; without one it is static.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from opencode_nb.render.diff import box as diff_box
from opencode_nb.render.markdown.convert import to_html
from opencode_nb.render.markup import ansi
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, is_data_image, is_data_pdf, join, link
from opencode_nb.render.markup.highlight import highlight, highlight_file
from opencode_nb.render.markup.screen import Line
from opencode_nb.render.markup.table import Table, table_html
from opencode_nb.render.turn.card_model import (
    Answers,
    Attachment,
    Block,
    Card,
    Change,
    Checklist,
    Code,
    Json,
    Link,
    Output,
    Pairs,
    Problem,
    Prose,
    Traceback,
    Verdict,
)
from opencode_nb.render.turn.phrases import duration, shorten

SHORT = 20
"""What has more lines scrolls inside its card."""
RUNNING_OUTPUT = 40
"""Last lines of a growing output that are shown."""
LINE_WIDTH = 120
"""Characters after which a line counts as one more: long lines wrap."""
MAX_OUTPUT = 400_000
"""Maximum characters of an output that are shown: its last ones."""

_NAME = 60
"""Maximum characters of a command or path in a name."""

_APART = Html("\u2003")
"""Between the facts at the end of a card's line: wider than the spaces inside one, and kept by every sanitizer."""

_STATUS = {
    "pending": ("waiting", "muted"),
    "running": ("running", "info"),
    "completed": ("", "good"),
    "error": ("failed", "bad"),
    "interrupted": ("interrupted", "warn"),
}
_TODO = {"completed": "\u2611", "in_progress": "\u25d0", "cancelled": "\u2612"}


def card_html(card: Card, *, key: str = "", child: Html | None = None) -> Html:
    """Render a tool call as a collapsible card; `child` is the work of its sub-session."""
    inner = [element("summary", summary_html(card), style="summary", data_key=part_key(key, "s"))]
    inner.append(_body(body_html(card, key), key))
    if child is not None:
        inner.append(element("div", child, style="child", data_key=part_key(key, "c")))
    return element(
        "details",
        join(inner),
        style="failed" if card.status == "error" else "card",
        data_part="tool",
        data_tool=card.tool,
        data_status=card.status,
        data_key=key or None,
        data_fold=key or None,
        open=card.open,
        aria_label=label(card),
    )


def label(card: Card) -> str:
    """Return a card's accessible name: the tool, its subject, and its outcome."""
    word = _state(card)[0]
    about = f"{card.name}: {card.about}" if card.about else card.name
    verdicts = [verdict.text for verdict in card.verdicts]
    pieces = (about, card.note, word or ("" if card.note else "done"), *verdicts)
    return ", ".join(piece for piece in pieces if piece)


def part_key(key: str, suffix: str) -> str | None:
    """Return the key of an element inside the one with this key; None for static markup."""
    return f"{key}{suffix}" if key else None


def _body(content: Html, key: str) -> Html:
    if not content and not key:
        return NOTHING
    return element("div", content, data_key=part_key(key, "b"))


def summary_html(card: Card) -> Html:
    """Render a card's summary: the tool, its subject, who allowed or denied it, and its outcome."""
    pieces = [
        element("span", escape(card.glyph), style="glyph"),
        element("span", escape(card.name), style="name"),
        element("span", escape(card.about), style="subtitle") if card.about else NOTHING,
        *map(verdict_html, card.verdicts),
        element("span", _end(card), style="end"),
    ]
    return join((piece for piece in pieces if piece), Html(" "))


def verdict_html(verdict: Verdict) -> Html:
    """Render how a request was answered."""
    glyph, style = ("\u2298", "verdict warn") if verdict.denied else ("\u2713", "verdict muted")
    return element("span", escape(f"{glyph}\u00a0{verdict.text}"), style=style, data_part="decision")


def _end(card: Card) -> Html:
    word, style = _state(card)
    pieces = [
        diff_box.counts(*card.counts) if card.counts else NOTHING,
        element("span", escape(card.note), style="bad" if card.note.startswith("exit") else "muted")
        if card.note
        else NOTHING,
        element("span", escape(word), style=style) if word else NOTHING,
        _time(card),
    ]
    return join([piece for piece in pieces if piece], _APART)


def _state(card: Card) -> tuple[str, str]:
    """Return the card's state in words, and their style."""
    return ("waiting for you", "warn") if card.waits else _STATUS[card.status]


def _time(card: Card) -> Html:
    """Render the duration. The page counts while the call runs; role "timer" keeps screen readers quiet."""
    if card.since is not None:
        return element("time", style="muted", role="timer", data_since=f"{card.since:.0f}")
    return element("span", escape(duration(card.seconds)), style="muted") if _is_noteworthy(card.seconds) else NOTHING


def _is_noteworthy(seconds: float | None) -> bool:
    return seconds is not None and seconds >= 0.1


def body_html(card: Card, key: str = "") -> Html:
    """Render a card's content."""
    growing = card.status == "running"
    changes = [block for block in card.blocks if isinstance(block, Change)]
    choice = diff_box.columns_html(changes[0].columns) if changes and changes[0].columns else NOTHING
    blocks = (
        block_html(block, growing=growing, titled=len(changes) > 1, key=part_key(key, f"w{index}") or "")
        for index, block in enumerate(card.blocks)
    )
    return join([choice, *blocks])


def block_html(block: Block, *, growing: bool = False, titled: bool = False, key: str = "") -> Html:
    """Render one block; only the end of a growing output, and a change with the file's name if `titled`.

    With a `key`, what is long can be shown whole: the page remembers that by this key.
    """
    if isinstance(block, Change):
        title = element("div", diff_box.file_title(block.diff), style="line") if titled else NOTHING
        content = join([title, diff_box.body(block.diff, block.columns)])
        return element("div", content, style="rule", data_file=str(block.diff.get("file") or ""))
    if isinstance(block, Output):
        content = _output(block, growing, key)
    elif isinstance(block, Code):
        content = _code(block, key)
    elif isinstance(block, Traceback):
        content = _traceback(block, key)
    else:
        content = _BLOCKS[type(block)](block)
    return element("div", content, style="body") if content else NOTHING


def _output(block: Output, growing: bool, key: str) -> Html:
    typed = join([element("span", escape("$ "), style="muted"), highlight(block.command, "sh")])
    command = element("div", typed, style="command") if block.command else NOTHING
    title = element("div", escape(block.title), style="muted small") if block.title else NOTHING
    name = f"Output of {shorten(block.command, _NAME)}" if block.command else block.title or "Output"
    shown = output_html(block.text, growing=growing, key=key, name=name, from_end=bool(block.command))
    return join([command, title, shown if block.text else NOTHING])


def output_html(
    text: str, *, growing: bool = False, key: str = "", name: str = "Output", from_end: bool = False
) -> Html:
    """Render a program's output. A long one scrolls, at first to its end if `from_end`; while it grows only its end is
    shown.
    """
    cut = "The beginning is left out." if len(text) > MAX_OUTPUT else ""
    rows = ansi.lines(text[-MAX_OUTPUT:])
    if growing:
        return _box(_pre(rows[-RUNNING_OUTPUT:]), name, from_end=from_end)
    return _scrolling(_pre(rows), text, key, name, from_end=from_end, note=cut)


def _pre(rows: Sequence[Line]) -> Html:
    return element("pre", ansi.to_html(rows), style="output") if rows else NOTHING


def _code(block: Code, key: str) -> Html:
    text = block.text.replace("\r\n", "\n").removesuffix("\n")
    listing = element("pre", element("code", highlight_file(text, block.path), style="inner"), style="listing")
    return _scrolling(listing, text, key, block.name or f"Content of {shorten(block.path, _NAME)}")


def _traceback(block: Traceback, key: str) -> Html:
    """Render how code failed, at first its end: there is the reason."""
    text = block.text[-MAX_OUTPUT:]
    return _scrolling(element("pre", highlight(text, "pytb"), style="output"), text, key, "Traceback", from_end=True)


def _scrolling(shown: Html, text: str, key: str, name: str, *, from_end: bool = False, note: str = "") -> Html:
    """Put the markup of a long text into a box that scrolls; with a `key`, also what shows all of it."""
    lines = text.rstrip("\n").count("\n") + 1
    if lines + len(text) // LINE_WIDTH <= SHORT:
        return shown
    left_out = element("div", escape(note), style="muted small") if note else NOTHING
    return join([left_out, _whole(lines, key) if key else NOTHING, _box(shown, name, from_end=from_end)])


def _box(shown: Html, name: str, *, from_end: bool) -> Html:
    style, content = ("scrolled ending", element("div", shown, style="rigid")) if from_end else ("scrolled", shown)
    return element("div", content, style=style, tabindex="0", role="group", aria_label=name)


def _whole(lines: int, key: str) -> Html:
    """Build what shows all of the box after it: the page's style sheet does that."""
    more = element("span", escape(f"Show all {lines} lines" if lines > 1 else "Show all"), classes="oc-shut")
    less = element("span", escape("Show less"), classes="oc-unfolded")
    return element("details", element("summary", join([more, less]), style="more"), classes="oc-whole", data_fold=key)


def _checklist(block: Checklist) -> Html:
    return join(_todo(todo) for todo in block.todos)


def _todo(todo: Json) -> Html:
    status = str(todo.get("status") or "")
    style = "struck" if status in ("completed", "cancelled") else "strong" if status == "in_progress" else "plain"
    box = element("span", escape(_TODO.get(status, "\u2610")), style="muted")
    return element(
        "div", join([box, element("span", escape(str(todo.get("content") or "")), style=style)]), style="todo"
    )


def _prose(block: Prose) -> Html:
    return to_html(block.text)


def _pairs(block: Pairs) -> Html:
    return join(_pair(name, value) for name, value in block.items)


def _pair(name: str, value: str) -> Html:
    label = element("span", escape(name), style="muted small")
    if "\n" in value:
        return element("div", join([label, element("pre", escape(value), style="output")]))
    return element("div", join([label, element("span", escape(value), style="value")], Html(" ")))


def _link(block: Link) -> Html:
    return element("div", link(block.url, escape(block.url)))


def _answers(block: Answers) -> Html:
    return join(_answer(question, answer) for question, answer in block.lines())


def _answer(question: str, answer: str) -> Html:
    told = element("div", escape(answer), style="strong") if answer else NOTHING
    return element("div", join([element("div", escape(question), style="plain"), told]), style="answered")


def _problem(block: Problem) -> Html:
    return element("div", escape(block.text), style="bad plain") if block.text else NOTHING


def _table(block: Table) -> Html:
    """Render a table below its size; a wide or long one scrolls."""
    size = element("div", escape(block.size), style="muted small") if block.size else NOTHING
    label = ", ".join(filter(None, ("Table", block.size)))
    return join(
        [size, element("div", table_html(block), style="scrolled", tabindex="0", role="group", aria_label=label)]
    )


def attachment_html(block: Attachment) -> Html:
    """Render an attached picture, a PDF that unfolds, or the name of any other file."""
    if is_data_image(block.url):
        return element("img", style="picture", src=block.url, alt=block.name)
    name = escape(f"{block.name} ({block.mime})" if block.mime else block.name)
    if is_data_pdf(block.url):
        page = element(
            "object", escape("This page cannot show PDF files."), style="pdf", type="application/pdf", data=block.url
        )
        return element("details", join([element("summary", name, style="more"), page]))
    return element("span", name, style="chip")


_BLOCKS: dict[type, Callable[[Any], Html]] = {
    Checklist: _checklist,
    Prose: _prose,
    Pairs: _pairs,
    Link: _link,
    Answers: _answers,
    Problem: _problem,
    Table: _table,
    Attachment: lambda block: attachment_html(block),
}


def json_html(value: Json) -> Html:
    """Render any JSON, for parts that this version doesn't know."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return element("pre", highlight(text, "json"), style="output")
