r"""Find formulas in Markdown: `$...$`, `$$...$$`, `\(...\)` and `\[...\]`, as rules for the parser.

Owns what counts as a formula. Prices and shell variables stay text: a `$` directly after a word, before a space, or
whose partner is followed by a word, opens none. Every rule looks at most `MAX_TEX` characters ahead, and none past the
next opening delimiter, so that all work stays linear. (The dollarmath plugin takes `$HOME/$USER` for a formula, and
knows no brackets; texmath looks at all text behind each bracket.)
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

INLINE = "math_inline"
"""The token type of a formula in a paragraph: `content` is its TeX, `markup` its source, `block` whether it stands on
lines of its own."""
BLOCK = "math_block"
"""The token type of a formula that is a block: `content` is its TeX; `markup` and `info` are its delimiters, `info` ""
while it is not closed."""
GROWING = "growing"
"""Environment key: whether the text may continue. An unfinished formula at its end is then shown as it is written."""
MAX_TEX = 4000
"""Maximum characters of a formula."""

_CLOSING = {"$$": "$$", "\\[": "\\]"}
_PRICE = r"\d[\d.,]*\w{0,2}[.,;:]?\s+[A-Za-z]{2,}"
_IN_DOLLARS = r"(?:[^\\$`\]]|\\.|\](?!\())"  # code and links in it come first
_SINGLE = re.compile(rf"(?<![\w$])\$(?![\s$]|{_PRICE})({_IN_DOLLARS}{{1,{MAX_TEX}}})(?<!\s)\$(?![\w$])", re.DOTALL)
_DOUBLE = re.compile(rf"\$\$(?!\s*\$)({_IN_DOLLARS}{{1,{MAX_TEX}}})\$\$", re.DOTALL)
_ROUND = re.compile(rf"\\\((?!\s*\\\))((?:[^\\]|\\[^()]){{1,{MAX_TEX}}})\\\)")
# Without the spaces it may be an escaped bracket, such as in \[1\].
_SQUARE = re.compile(rf"\\\[(?=\s)(?!\s*\\\])((?:[^\\]|\\[^\[\]]){{1,{MAX_TEX}}})(?<=\s)\\\]")
_INLINE = {"$": ((_DOUBLE, True), (_SINGLE, False)), "\\": ((_ROUND, False), (_SQUARE, True))}
_UNFINISHED = {
    "$": re.compile(rf"(?<![\w$])\$\$?(?![\s\d$])(?=[^$]*[\\^_{{])(?:{_IN_DOLLARS}|\\\Z)*\Z", re.DOTALL),
    "\\": re.compile(r"\\(?:\(|\[\s)(?:[^\\]|\\[^()\[\]]|\\\Z)*\Z"),
}


def install(markdown: MarkdownIt) -> None:
    """Have a parser find formulas, as tokens of the types `INLINE` and `BLOCK`."""
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    markdown.block.ruler.before("fence", BLOCK, _block, {"alt": interrupts})
    markdown.inline.ruler.before("escape", INLINE, _inline)


def source(token: Token) -> str:
    """Return a formula as it was written, without the marks of its list item or quotation."""
    if token.type == INLINE:
        return token.markup
    return f"{token.markup}\n{token.content}\n{token.info}" if token.info else f"{token.markup}{token.content}"


def as_source(state: StateCore) -> None:
    """Turn formulas back into text, for viewers that can't show any: add it to the parser's core rules."""
    for token in state.tokens:
        if token.type == BLOCK:
            token.type, token.content, token.info = "code_block", f"{source(token)}\n", ""
        for child in token.children or ():
            if child.type == INLINE:
                child.type, child.content = "text", source(child)


def _inline(state: StateInline, silent: bool) -> bool:
    for pattern, display in _INLINE.get(state.src[state.pos], ()):
        if match := pattern.match(state.src, state.pos):
            if not silent:
                token = state.push(INLINE, "math", 0)
                token.content, token.markup, token.block = match[1].strip(), match[0], display
            state.pos = match.end()
            return True
    return bool(state.env.get(GROWING)) and not silent and _unfinished(state)


def _unfinished(state: StateInline) -> bool:
    """Keep an unfinished formula at the end as its source: read as Markdown, it would look different at each letter."""
    pattern = _UNFINISHED.get(state.src[state.pos])
    if pattern is None or not pattern.match(state.src, state.pos):
        return False
    state.push("text", "", 0).content = state.src[state.pos :]
    state.pos = state.posMax
    return True


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    first = _line(state, start)
    opening = first[:2]
    if opening not in _CLOSING or state.is_code_block(start):
        return False
    found = _lines(state, start, end, opening)
    if found is None:
        return False
    lines, closed = found
    if not silent:
        state.line = start + len(lines)
        token = state.push(BLOCK, "math", 0)
        tex = "\n".join(lines)[2:]
        token.content = tex.rstrip()[:-2].strip() if closed else tex
        token.markup, token.info = opening, _CLOSING[opening] if closed else ""
        token.block, token.map = True, [start, state.line]
    return True


def _lines(state: StateBlock, start: int, end: int, opening: str) -> tuple[list[str], bool] | None:
    """Return the lines of a formula and whether it is closed; None if it is none.

    One whose opening has a line of its own may still be open at the end of the text, or of its list item or quotation.
    """
    closing = _CLOSING[opening]
    lines = [_line(state, start)]
    content = lines[0][2:]
    while not content.rstrip().endswith(closing):
        following = start + len(lines)
        if closing in content or sum(map(len, lines)) > MAX_TEX:
            return None  # words after the formula: the paragraph has it
        if following >= end or (state.sCount[following] < state.blkIndent and not state.isEmpty(following)):
            return (lines, False) if len(lines[0].rstrip()) == 2 else None
        content = _line(state, following)
        if content.startswith(opening) and opening != closing:
            return None
        if not content and opening == "$$":
            return None
        lines.append(content)
    return lines, True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
