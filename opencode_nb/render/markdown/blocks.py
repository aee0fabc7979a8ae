"""Analyse the block tokens of growing Markdown: where blocks, items and rows begin, and what is finished.

Pure functions of tokens; lines count from 0.
"""

from __future__ import annotations

from markdown_it.token import Token

from opencode_nb.render.markdown.convert import parse_blocks

ITEMS = {"bullet_list_open": "list_item_open", "ordered_list_open": "list_item_open", "table_open": "tr_open"}
"""Blocks made of items, and the token that begins an item."""


def settled_length(text: str) -> int:
    """Return the length of the whole blocks at the beginning of a growing text that no more text can change."""
    blocks = blocks_of(text[: text.rfind("\n") + 1])
    return line_start(text, (blocks[-1].map or [0, 0])[0]) if blocks else 0


def blocks_of(source: str) -> list[Token]:
    """Return the first tokens of the top-level blocks."""
    return [token for token in parse_blocks(source) if token.level == 0 and token.nesting >= 0]


def line_start(text: str, line: int) -> int:
    """Return the position where a line begins, or the end of the text."""
    position = 0
    for _ in range(line):
        position = text.find("\n", position) + 1
        if not position:
            return len(text)
    return position


def unindent(line: str, width: int) -> str:
    """Remove the indentation of its fence from a line of a fenced block, as far as present."""
    return line[min(width, len(line) - len(line.lstrip(" "))) :]


def end_of(tokens: list[Token], start: int) -> int:
    """Return the index of the token that closes the block that begins at `start`."""
    if tokens[start].nesting == 0:
        return start
    level = tokens[start].level
    return next(i for i in range(start + 1, len(tokens)) if tokens[i].level == level and tokens[i].nesting < 0)


def items_of(tokens: list[Token]) -> list[int]:
    """Return where the items of the leading list begin, or the rows below the head of the leading table."""
    kind = ITEMS[tokens[0].type]
    level = 1 if kind == "list_item_open" else 2
    end = end_of(tokens, 0)
    found = [i for i in range(end) if tokens[i].type == kind and tokens[i].level == level]
    return found[1:] if kind == "tr_open" else found


def finished_lines(tokens: list[Token]) -> int:
    """Count the lines of finished items: all of a table's rows (with its head), but not a list's last item."""
    items = items_of(tokens)
    if tokens[0].type == "table_open":
        return (tokens[items[-1]].map or [0, 0])[1] if items else 0
    return (tokens[items[-1]].map or [0, 0])[0]


def lines_before(tokens: list[Token], end: int) -> int:
    """Count the lines before the block that follows a finished list or table."""
    return (tokens[end].map or [0, 0])[0]


def is_loose(tokens: list[Token]) -> bool:
    """Return whether a list is loose: paragraphs in its items are rendered as such."""
    return any(token.type == "paragraph_open" and token.level == 2 and not token.hidden for token in tokens)


def loosen(tokens: list[Token]) -> None:
    """Make a list loose."""
    for token in tokens:
        if token.type in ("paragraph_open", "paragraph_close") and token.level == 2:
            token.hidden = False
