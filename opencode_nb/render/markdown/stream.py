"""Render Markdown while it is being written, as increments for the page.

Owns which part of a growing text is final: each finished block, list item and table row is sent once, and only the open
tail is sent again. The tail is at most one block, item or row; a long one is parsed again only when it has grown by a
sixteenth (until then its new text is shown plain), so that all work is linear in the length of the text. At the end the
result is compared with the whole document's markup and replaced if it differs (a link defined after its use, a list
that turns out loose at its last item): the final content of the page always equals `to_html`.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator
from typing import Any

from markdown_it.token import Token

from opencode_nb.render.markdown.blocks import (
    ITEMS,
    blocks_of,
    end_of,
    finished_lines,
    is_loose,
    items_of,
    line_start,
    lines_before,
    loosen,
    unindent,
)
from opencode_nb.render.markdown.convert import (
    code_block,
    is_closed,
    normalize,
    parse,
    parse_blocks,
    render,
    to_html,
)
from opencode_nb.render.markdown.nodes import Container, Fence, Node
from opencode_nb.render.markup.escape import Html, escape, visible
from opencode_nb.render.markup.patch_ops import Op, keyed, put, splice

# A tail up to this many characters is rendered on every update, a longer one when it has grown by 1/_GROWTH.
_SHORT_TAIL = 1500
_GROWTH = 16

_CLOSING_TAGS = re.compile(r"(?:</(?!span>|annotation>)[a-z0-9]+>)+\Z")
_MAYBE_FENCE_END = re.compile(r" {0,3}(?:`*|~*)[ \t]*\Z")
_COMPLETE = frozenset({"heading_open", "hr"})
_ENCLOSED = frozenset({"fence", "math_block"})


class MarkdownStream:
    """The growing Markdown of one part.

    The page has an empty element with `data-key=key`; the operations of `update` fill it. After `update(...,
    final=True)` its content is `to_html(text)`, apart from `data-key` attributes and `<div data-key>` around blocks.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self._serial = 0
        self._reset()

    def _reset(self) -> None:
        self._text = ""
        self._fed = 0
        self._pending = ""
        self._scanned = 0
        self._rendered = 0
        self._plain = 0
        self._final = False
        self._references: dict[str, Any] = {}
        self._finished: list[str] = []
        self._open: list[Node] = []
        self._container: Container | None = None
        self._fence: Fence | None = None

    # Output to the page

    def update(self, text: str, final: bool = False) -> list[Op]:
        """Return the operations that update the page from the last text to this one.

        Usually `text` continues the last one; otherwise everything is sent again. `final`: nothing follows.
        """
        if self._final and text == self._text:
            return []
        ops: list[Op] = [] if self._continues(text, final) else self._restart()
        self._feed(text, final)
        if final:
            return self._finish(ops)
        if self._is_due():
            self._advance(ops)
        else:
            self._append_plain(ops)
        return ops

    def html(self) -> Html:
        """Return the element's current content, with keys, to be sent to the page: splices restart after it."""
        pieces = list(self._finished)
        inside = "".join(self._show(node) for node in self._open if node.parent != self.key)
        if self._container:
            pieces.append(self._container.keyed("".join(self._container.items) + inside))
        if self._fence:
            pieces.append(self._fence_html(self._fence, "".join(self._fence.code) + self._partial_line(self._fence)))
        pieces += [self._show(node) for node in self._open if node.parent == self.key]
        return Html("".join(pieces))

    def _show(self, node: Node) -> str:
        node.source = ""
        return keyed(node.html, node.key)

    # Input

    def _continues(self, text: str, final: bool) -> bool:
        if self._final or len(text) < len(self._text):
            # The server trims a text's end when it is complete.
            return final and not self._final and self._text.startswith(text) and self._text[len(text) :].isspace()
        # Comparing all of a long text on every delta would be quadratic. Its last piece is nearly as good, and the end
        # compares everything.
        start = 0 if final else max(0, len(self._text) - _SHORT_TAIL)
        return text.startswith(self._text[start:], start)

    def _restart(self) -> list[Op]:
        self._reset()
        return [["splice", self.key, 0, ""]]

    def _feed(self, text: str, final: bool) -> None:
        # A carriage return at the end may be half of a newline.
        end = len(text) if final or not text.endswith("\r") else len(text) - 1
        self._pending += normalize(text[self._fed : end])
        self._fed = end
        self._text = text

    def _is_due(self) -> bool:
        length = len(self._pending)
        return self._fence is not None or length <= _SHORT_TAIL or length * _GROWTH >= self._rendered * (_GROWTH + 1)

    def _append_plain(self, ops: list[Op]) -> None:
        """Append the new text of a long tail as plain text, until the tail is rendered again."""
        text, self._plain = self._pending[self._plain :], len(self._pending)
        if not text or not self._open:
            return
        node = self._open[-1]
        closing = _CLOSING_TAGS.search(node.inner)
        split = closing.start() if closing else len(node.inner)
        self._fill(ops, node, node.inner[:split] + escape(text) + node.inner[split:])

    # The final part and the open tail

    def _advance(self, ops: list[Op]) -> None:
        if self._fence and not self._grow_fence(ops, self._fence):
            return
        self._settle(ops)
        if self._fence:
            self._advance(ops)
            return
        self._show_tail(ops, list(self._nodes(self._tail_tokens())))
        self._rendered = self._plain = len(self._pending)

    def _settle(self, ops: list[Op]) -> None:
        """Move what no later text can change from the pending text to the page, for good."""
        complete = self._pending.rfind("\n") + 1
        while complete > self._scanned:
            source = self._pending[:complete]
            again = self._settle_items(ops, source) if self._container else self._settle_blocks(ops, source)
            complete = self._scanned = self._pending.rfind("\n") + 1
            if not again:
                break
            self._scanned = 0

    def _settle_blocks(self, ops: list[Op], source: str) -> bool:
        """Settle all blocks but the last, which may grow. True if a list or table began: its items come next."""
        blocks = blocks_of(source)
        if not blocks:
            return False
        last = blocks[-1]
        complete = last.type in _COMPLETE or (last.type in _ENCLOSED and is_closed(last))
        first, end = last.map or [0, 0]
        settled = self._take(end if complete else first)
        for node in self._nodes(parse(settled, self._references)):
            self._place(ops, node)
        if complete:
            return False
        if last.type == "fence":
            self._begin_fence(ops, last)
        return last.type in ITEMS and self._begin_container(ops)

    def _take(self, lines: int) -> str:
        """Remove the first lines from the pending text and return them."""
        end = line_start(self._pending, lines)
        taken, self._pending = self._pending[:end], self._pending[end:]
        return taken

    def _place(self, ops: list[Op], node: Node) -> None:
        """Put a node on the page for good, replacing the first open one if it has the same tag."""
        if self._open and self._open[0].fits(node):
            self._fill(ops, self._open.pop(0), node.inner)
        else:
            self._drop_open(ops, 0)
            ops.append(put(self._next_key(), node.parent, node.html))
        if self._container and node.parent == self._container.parent:
            self._container.items.append(node.html)
            return
        self._close_container()
        self._finished.append(node.inner)

    def _show_tail(self, ops: list[Op], nodes: list[Node]) -> None:
        for index, node in enumerate(nodes):
            if index < len(self._open) and (self._open[index].parent, self._open[index].head) == (
                node.parent,
                node.head,
            ):
                self._fill(ops, self._open[index], node.inner)
                continue
            self._drop_open(ops, index)
            node.key = self._next_key()
            ops.append(put(node.key, node.parent, node.html))
            self._open.append(node)
        self._drop_open(ops, len(nodes))

    def _fill(self, ops: list[Op], node: Node, inner: str) -> None:
        if inner != node.inner or not node.source:
            ops.append(splice(node.key, node.source, inner))
        node.inner = node.source = inner

    def _drop_open(self, ops: list[Op], start: int) -> None:
        ops += [["drop", node.key] for node in self._open[start:]]
        del self._open[start:]

    def _next_key(self) -> str:
        self._serial += 1
        return f"{self.key}.{self._serial}"

    # Tokens to nodes

    def _tail_tokens(self) -> list[Token]:
        source = (self._container.prefix if self._container else "") + self._pending
        lines = source.count("\n") + (not source.endswith("\n"))
        return parse(source, ChainMap({}, self._references), open_end=lines)

    def _nodes(self, tokens: list[Token]) -> Iterator[Node]:
        """Yield items for the open container, then a `<div>` for each further block."""
        start = 0
        if self._container and tokens and tokens[0].type == self._container.opening.type:
            start = end_of(tokens, 0) + 1
            yield from self._item_nodes(self._container, tokens[:start])
        while start < len(tokens):
            end = end_of(tokens, start) + 1
            yield Node(self.key, "<div>", render(tokens[start:end]), "</div>")
            start = end

    def _item_nodes(self, container: Container, tokens: list[Token]) -> Iterator[Node]:
        if container.loose:
            loosen(tokens)
        for start in items_of(tokens):
            html = render(tokens[start : end_of(tokens, start) + 1])
            head, tail = html.index(">") + 1, html.rindex("<")
            yield Node(container.parent, html[:head], html[head:tail], html[tail:])

    # Lists and tables

    def _begin_container(self, ops: list[Op]) -> bool:
        """Open a container if the pending text is a list or table with a finished item."""
        tokens = parse(self._pending[: self._pending.rfind("\n") + 1], ChainMap({}, self._references))
        if not tokens or tokens[0].type not in ITEMS or not finished_lines(tokens):
            return False
        is_table = tokens[0].type == "table_open"
        end = items_of(tokens)[0] if is_table else 1
        self._container = Container(
            key=self._next_key(),
            opening=tokens[0],
            head=render(tokens[:end]),
            tail="</tbody></table></div>" if is_table else render([tokens[-1]]),
            prefix=self._take(2) if is_table else "",
        )
        self._drop_open(ops, 0)
        ops.append(["put", self._container.key, self.key, self._container.keyed("")])
        return True

    def _settle_items(self, ops: list[Op], source: str) -> bool:
        """Settle the finished items. True if the list or table is finished too, and what follows can be settled."""
        container = self._container
        assert container is not None
        tokens = parse_blocks(container.prefix + source)
        if not tokens or tokens[0].type != container.opening.type:
            self._close_container()
            return True
        end = end_of(tokens, 0) + 1
        closed = end < len(tokens)
        self._note_looseness(ops, container, tokens[:end])
        lines = lines_before(tokens, end) if closed else finished_lines(tokens)
        settled = self._take(lines - container.prefix.count("\n")) if lines else ""
        for node in self._nodes(parse(container.prefix + settled, self._references)) if settled else ():
            self._place(ops, node)
        container.source.append(settled)
        if closed:
            self._close_container()
        return closed

    def _note_looseness(self, ops: list[Op], container: Container, tokens: list[Token]) -> None:
        """Send finished items again with paragraphs once a list turns out loose; happens at most once."""
        if container.loose or container.prefix or not is_loose(tokens):
            return
        container.loose = True
        if not container.items:
            return
        nodes = self._item_nodes(container, parse("".join(container.source), ChainMap({}, self._references)))
        container.items = [node.html for node in nodes]
        self._drop_open(ops, 0)
        ops.append(["put", container.key, self.key, container.keyed("".join(container.items))])

    def _close_container(self) -> None:
        if self._container:
            self._finished.append(self._container.html)
            self._container = None

    # Code blocks

    def _begin_fence(self, ops: list[Op], token: Token) -> None:
        """Show the code block at the beginning of the pending text as a growing one."""
        self._close_container()
        self._drop_open(ops, 0)
        opening = self._take(1)
        marker = re.escape(token.markup[0])
        end = re.compile(rf" {{0,3}}{marker}{{{len(token.markup)},}}[ \t]*\n?")
        indent = len(opening) - len(opening.lstrip(" "))
        self._fence = Fence(self._next_key(), end, indent, [opening])
        ops.append(["put", self._fence.key, self.key, self._fence_html(self._fence, "")])

    def _fence_html(self, fence: Fence, code: str) -> Html:
        block = code_block(escape(code))
        start = block.index("<code")
        return keyed(block[:start] + keyed(block[start:], f"{fence.key}c"), fence.key)

    def _grow_fence(self, ops: list[Op], fence: Fence) -> bool:
        """Append new code. True if the block is closed, and the rest is pending."""
        new: list[str] = []
        closed = False
        while not closed and "\n" in self._pending:
            line = self._take(1)
            fence.source.append(line)
            closed = fence.end.fullmatch(line) is not None
            if not closed:
                new.append(unindent(line, fence.indent))
        self._append_code(ops, fence, "".join(new), "" if closed else self._partial_line(fence))
        self._scanned = 0
        if closed:
            self._close_fence(ops, fence)
        return closed

    def _partial_line(self, fence: Fence) -> str:
        """Return the incomplete line if it can't be indentation or the closing marker, else ""."""
        return "" if fence.indent or _MAYBE_FENCE_END.fullmatch(self._pending) else self._pending

    def _append_code(self, ops: list[Op], fence: Fence, lines: str, partial: str) -> None:
        text = (lines + partial)[fence.partial :]
        fence.code.append(lines)
        fence.partial = len(partial) if lines else max(fence.partial, len(partial))
        if text:
            ops.append(["text", f"{fence.key}c", visible(text)])

    def _close_fence(self, ops: list[Op], fence: Fence) -> None:
        """Send a finished code block again with colours, if that makes a difference."""
        html = render(parse("".join(fence.source), self._references))
        if html != code_block(escape("".join(fence.code))):
            ops.append(put(fence.key, self.key, f"<div>{html}</div>"))
        self._finished.append(html)
        self._fence = None

    # The end

    def _finish(self, ops: list[Op]) -> list[Op]:
        self._advance(ops)
        if self._fence:
            self._fence.source.append(self._take(self._pending.count("\n") + 1))
            self._close_fence(ops, self._fence)
        prefix = self._container.prefix if self._container else ""
        for node in self._nodes(parse(prefix + self._pending, self._references)):
            self._place(ops, node)
        self._drop_open(ops, 0)
        self._close_container()
        self._final = True
        whole = to_html(self._text)
        if "".join(self._finished) != whole:
            self._finished = [whole]
            return [["splice", self.key, 0, whole]]
        return ops
