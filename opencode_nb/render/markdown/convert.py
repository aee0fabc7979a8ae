"""Convert a model's Markdown to HTML, safe to insert and styled inline.

Owns the Markdown dialect (CommonMark with tables, strikethrough, task lists and formulas; no HTML, no automatic links)
and how each element looks. Knows nothing of conversations or streaming.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from opencode_nb.render.markdown import math_rules
from opencode_nb.render.markdown.formula import formula_html
from opencode_nb.render.markup.escape import Html, element, escape, is_data_image, is_safe_link, link, visible
from opencode_nb.render.markup.highlight import highlight
from opencode_nb.render.markup.style import MARKDOWN

_NEWLINE = re.compile(r"\r\n?")
_TASK = re.compile(r"\[([ xX])\][ \t]+")
_BOX = {" ": "\u2610", "x": "\u2611"}

MAX_COLOURED = 40_000
"""Characters of the longest code block with colours. The page gets them, many times the markup, all at once, and must
not freeze for more than 50 ms."""

OPEN_END = "open_end"
"""Environment key: the number of lines of a growing text; a fence that reaches it stays uncoloured."""


def normalize(text: str) -> str:
    """Normalize text as Markdown does: one kind of newline, no NUL."""
    return _NEWLINE.sub("\n", text).replace("\0", "\ufffd")


def to_html(text: str) -> Html:
    """Convert a whole Markdown document to markup."""
    return render(parse(text, {}))


def parse(text: str, references: MutableMapping[str, Any], *, open_end: int = -1) -> list[Token]:
    """Parse a document. Link definitions are read from and added to `references`; for `open_end` see `OPEN_END`."""
    env = {"references": references, math_rules.GROWING: open_end >= 0}
    tokens = _parser().parse(text, env)
    for token in tokens:
        if token.type == "fence" and token.map and token.map[1] == open_end and not is_closed(token):
            token.meta[OPEN_END] = True
    return tokens


def parse_blocks(text: str) -> list[Token]:
    """Parse only the block structure: enough to find where blocks begin, much cheaper. `text` must be normalized."""
    tokens: list[Token] = []
    markdown = _parser()
    markdown.block.parse(text, markdown, {}, tokens)
    return tokens


def terminal_tokens(text: str) -> list[Token]:
    """Parse a document for rich: its dialect, with formulas as their source."""
    return _terminal_parser().parse(text)


def render(tokens: Sequence[Token]) -> Html:
    """Render tokens. Any run of whole blocks gives the same markup as within the whole document."""
    markdown = _parser()
    return Html(markdown.renderer.render(tokens, markdown.options, {}))


def is_closed(token: Token) -> bool:
    """Return whether a fence or formula ended with its marker, rather than with the text or the enclosing block."""
    if token.type == math_rules.BLOCK:
        return bool(token.info)
    first, last = token.map or (0, 0)
    return last - first == token.content.count("\n") + 2 and last - first > 1


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return is_safe_link(url) or is_data_image(url)


@functools.cache
def _parser() -> MarkdownIt:
    markdown = _Markdown("js-default", {"linkify": False, "html": False}, renderer_cls=_Renderer)
    math_rules.install(markdown)
    markdown.core.ruler.after("inline", "tasks", _mark_tasks)
    markdown.core.ruler.after("tasks", "linked_images", _mark_linked_images)
    return markdown


@functools.cache
def _terminal_parser() -> MarkdownIt:
    markdown = MarkdownIt().enable(["strikethrough", "table"])
    math_rules.install(markdown)
    markdown.core.ruler.push("formulas_as_source", math_rules.as_source)
    return markdown


def _mark_tasks(state: StateCore) -> None:
    """Turn `[ ]` and `[x]` at the start of a list item into a box."""
    tokens = state.tokens
    for item, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type != "list_item_open" or paragraph.type != "paragraph_open" or not inline.children:
            continue
        first = inline.children[0]
        if match := _TASK.match(first.content) if first.type == "text" else None:
            item.meta["task"] = True
            first.content = f"{_BOX[match[1].lower()]} {first.content[match.end() :]}"


def _mark_linked_images(state: StateCore) -> None:
    """Mark images inside links: they can't become links themselves."""
    for inline in state.tokens:
        depth = 0
        for child in inline.children or ():
            depth += child.nesting if child.tag == "a" else 0
            if child.type == "image" and depth:
                child.meta["in_link"] = True


class _Renderer(RendererHTML):
    """Renders elements with inline styles; escapes every text and attribute."""

    def renderToken(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        if token.hidden:
            return ""
        if token.nesting < 0:
            return f"</{token.tag}>"
        return f"<{token.tag}{_attributes(token)}>"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<div style="{MARKDOWN["scroll"]}"><table style="{MARKDOWN["table"]}">'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>"

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return escape(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<code style="{MARKDOWN["code"]}">{escape(tokens[idx].content)}</code>'

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return code_block(escape(tokens[idx].content))

    def math_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        source = f'<code style="{MARKDOWN["code"]}">{escape(token.markup)}</code>'
        return formula_html(token.content, display=token.block) or source

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        shown = formula_html(token.content, display=True) if is_closed(token) else ""
        return shown or code_block(escape(math_rules.source(token)))

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        plain = token.meta.get(OPEN_END) or len(token.content) > MAX_COLOURED
        return code_block(highlight(token.content, "" if plain else language(token)))

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        href = str(tokens[idx].attrs.get("href", ""))
        title = str(tokens[idx].attrs.get("title", ""))
        if not is_safe_link(href):
            return "<a>"
        return element("a", href=href, title=title or None, target="_blank", rel="noopener noreferrer").removesuffix(
            "</a>"
        )

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Show an embedded picture, and link any other: loading it would tell its server something."""
        token = tokens[idx]
        source = str(token.attrs.get("src", ""))
        alt = self.renderInlineAsText(token.children, options, env)
        if is_data_image(source):
            return element("img", style="picture", src=source, alt=alt)
        label = escape(f"image: {alt or source}")
        return element("span", label) if token.meta.get("in_link") else link(source, label)


def _attributes(token: Token) -> str:
    style = MARKDOWN["task"] if token.meta.get("task") else MARKDOWN.get(token.tag, "")
    result = ""
    for name, value in token.attrItems():
        if name == "style":  # a table cell's alignment, from the parser
            style = f"{style};{value}"
        else:
            result += f' {escape(name)}="{escape(str(value))}"'
    return f'{result} style="{escape(style)}"' if style else result


def language(fence: Token) -> str:
    """Return the language of a fence, or ""."""
    return (fence.info.split() or [""])[0]


def code_block(code: Html) -> Html:
    """Build a code block that scrolls sideways."""
    return element("pre", element("code", code, style="inner"), style="code")


_WILD_TOKENS = frozenset({"html_block", "html_inline"})
_COMMENT = "<!--"
"""The start of a comment: some parsers, unlike CommonMark's, look for its end in all the text that follows."""
_MARKUP = re.compile(r"([\\`*_\[\]<>()!&:~])")


def harmless(text: str) -> str:
    """Return equivalent Markdown that is inert in any viewer: no HTML, no fetched pictures, no links to scripts.

    Changes only lines with such content; what is still unsafe is escaped, in the end the whole text.
    """
    text = visible(normalize(text))
    for tame in _TAMING:
        wild = _wild_lines(text)
        if not wild:
            return text
        text = "\n".join(tame(line) if i in wild else line for i, line in enumerate(text.split("\n")))
    return _escaped(text) if _wild_lines(text) else text


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def _replaced(line: str, replacements: dict[str, str]) -> str:
    for old, new in replacements.items():
        line = line.replace(old, new)
    return line


# Ordered from the smallest change to the largest: links are only broken if HTML and pictures weren't the problem.
_TAMING: tuple[Callable[[str], str], ...] = (
    lambda line: _replaced(line, {"<": "&lt;", "![": "["}),
    lambda line: _replaced(line, {"](": "]\\(", "]:": "]\\:"}),
    _escaped,
    _escaped,  # part of a block before, it may be its own block now
)


def _wild_lines(text: str) -> set[int]:
    """Return the lines of blocks with HTML, external pictures, or unsafe links.

    A link's definition may be far from its use, and counts by itself.
    """
    found: set[int] = set()
    for markdown in _permissive_parsers():
        references: dict[str, Any] = {}
        for token in markdown.parse(text, {"references": references}):
            if token.type in _WILD_TOKENS or any(_is_wild(child) for child in token.children or ()):
                found.update(range(*(token.map or [0, text.count("\n") + 1])))
        for reference in references.values():
            if not is_safe_link(str(reference["href"])) and not is_data_image(str(reference["href"])):
                found.update(range(*reference["map"]))
    return found


def _is_wild(token: Token) -> bool:
    if token.type == "image":
        return not is_data_image(str(token.attrs.get("src", "")))
    if token.type == "text":
        return _COMMENT in token.content
    return token.type in _WILD_TOKENS or (
        token.type == "link_open" and not is_safe_link(str(token.attrs.get("href", "")))
    )


class _Permissive(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        return True


@functools.cache
def _permissive_parsers() -> tuple[MarkdownIt, ...]:
    """Parsers that accept everything, like the most permissive viewer; not all know tables."""
    return tuple(_Permissive(dialect, {"linkify": False, "html": True}) for dialect in ("js-default", "commonmark"))


# Joining several texts to one document


_AFTER = "what follows"
_DISPLAY_MATH = "$$"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")


def contained(text: str) -> str:
    """Return harmless Markdown that can be followed by more: open constructs are closed, and it begins a block.

    Closes a fence or a formula; fences indented code, which would be read as part of a list before it.
    """
    text = _fence_indented(harmless(text).strip("\n").rstrip())
    last = _blocks(f"{text}\n\n{_AFTER}")[-1]
    if last.type == "fence":  # a fence in a list or quotation ends with it
        text += f"\n{last.markup}"
    if sum(token.content.count(_DISPLAY_MATH) for token in _blocks(text) if token.type == "inline") % 2:
        text += f"\n{_DISPLAY_MATH}"
    return text


def document(pieces: Iterable[str]) -> str:
    """Join pieces of harmless Markdown. The result is made harmless again: a link in one may be defined in another."""
    return harmless("\n\n".join(piece for piece in pieces if piece))


def _fence_indented(text: str) -> str:
    first = next(iter(_blocks(text)), None)
    if first is None or first.type != "code_block" or first.map is None:
        return text
    rest = text.split("\n")[first.map[1] :]
    return "\n".join([fenced(first.content), "", *rest])


def _blocks(text: str) -> list[Token]:
    tokens: list[Token] = []
    markdown = _permissive_parsers()[0]
    markdown.block.parse(text, markdown, {}, tokens)
    return tokens


def literal(text: str) -> str:
    """Escape text as one line of Markdown that shows exactly this text."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text).split()))


def fenced(text: str, info: str = "") -> str:
    """Return text as a fenced Markdown block, with a fence longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{info}\n{visible(text).rstrip(chr(10))}\n{fence}"
