"""Render a report of findings: as markup, text, Markdown, and for a terminal. Pure.

The texts are anybody's: of a user's code, of what it printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from opencode_nb.render.markdown.convert import fenced, literal
from opencode_nb.render.markup.escape import NOTHING, Html, element, escape, join, visible

Mark = Literal["good", "bad", "warn", "muted"]

_GLYPHS: dict[Mark, str] = {"good": "✓", "bad": "✗", "warn": "≠", "muted": "–"}
_COLOURS: dict[Mark, str] = {"good": "green", "bad": "red", "warn": "yellow", "muted": "dim"}
_DIFF = {"-": "removed", "+": "added"}
"""First character of a line -> its style, in blocks that are differences."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: what it is about, a line of its code, lines of prose, and blocks of text as they are.

    A block whose lines begin with `- ` and `+ ` is a difference.
    """

    mark: Mark
    title: str
    source: str = ""
    lines: Sequence[str] = ()
    blocks: Sequence[str] = ()


def findings_html(title: str, findings: Sequence[Finding], notes: Sequence[str]) -> Html:
    """Render the findings below their title; the notes stand at the end."""
    head = element("div", escape(title), style="title")
    ends = (element("div", escape(note), style="muted small") for note in notes)
    return element("div", join([head, *map(_html, findings), *ends]), style="root", classes="opencode-nb")


def _html(finding: Finding) -> Html:
    glyph = element("span", escape(_GLYPHS[finding.mark]), style=f"glyph {finding.mark}")
    source = element("div", escape(finding.source), style="value") if finding.source else NOTHING
    head = element("div", join([glyph, element("span", escape(finding.title), style="name")]))
    lines = (element("div", escape(line)) for line in finding.lines)
    blocks = (_block(block, finding.title) for block in finding.blocks)
    body = element("div", join([source, *lines, *blocks]), style="child")
    return element("div", join([head, body]), style="quiet")


def _block(block: str, title: str) -> Html:
    """Render a block that scrolls if it is long, by keys too."""
    lines = map(_line, block.split("\n"))
    return element("pre", join(lines), style="patch tall plain", role="group", aria_label=title, tabindex="0")


def _line(line: str) -> Html:
    return element("span", escape(line or " "), style=_DIFF.get(line[:1] if line[1:2] == " " else "", "same"))


def findings_text(title: str, findings: Sequence[Finding], notes: Sequence[str]) -> str:
    """Return the report as plain text."""
    return visible("\n".join([title, *map(_text, findings), *notes]))


def _text(finding: Finding) -> str:
    below = [finding.source, *finding.lines, *(line for block in finding.blocks for line in block.split("\n"))]
    return "\n".join([f"{_GLYPHS[finding.mark]} {finding.title}", *(f"    {line}" for line in below if line)])


def findings_markdown(title: str, findings: Sequence[Finding], notes: Sequence[str]) -> str:
    """Return the report as Markdown that shows exactly these texts."""
    return "\n\n".join([f"**{literal(title)}**", *map(_markdown, findings), *map(literal, notes)])


def _markdown(finding: Finding) -> str:
    head = f"{_GLYPHS[finding.mark]} **{literal(finding.title)}**"
    source = [fenced(finding.source, "python")] if finding.source else []
    return "\n\n".join([head, *source, *map(literal, finding.lines), *(fenced(one, "diff") for one in finding.blocks)])


def findings_terminal(title: str, findings: Sequence[Finding], notes: Sequence[str]) -> RenderableType:
    """Render the report for a terminal."""
    ends = [Text(visible(note), style="dim") for note in notes]
    return Group(Text(visible(title), style="bold"), *map(_terminal, findings), *ends)


def _terminal(finding: Finding) -> RenderableType:
    head = Text(f"{_GLYPHS[finding.mark]} ", style=_COLOURS[finding.mark]).append(visible(finding.title), style="bold")
    source = [Text(visible(finding.source), style="cyan")] if finding.source else []
    below = [*source, *(Text(visible(text)) for text in [*finding.lines, *finding.blocks])]
    return Group(head, *(Padding(one, (0, 0, 0, 4)) for one in below))
