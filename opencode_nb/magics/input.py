"""Rewrite cells on their way into IPython, so that a magic gets its prose as it was written.

IPython refuses a cell magic without a body, takes a line that ends with `?` for a question about Python, and shows the
value of a cell's last line, though `%prompt` has already shown its turn.
"""

from __future__ import annotations

import ast
import re
import tokenize
from itertools import pairwise
from tokenize import TokenInfo
from typing import Any, Self

from IPython.core.inputtransformer2 import TokenTransformBase, assemble_continued_line, find_end_of_continued_line
from IPython.core.interactiveshell import InteractiveShell

_LINE = re.compile(r"%(prompt|opencode)\s+(.+)", re.DOTALL)
_CELL = re.compile(r"%%(prompt|opencode)(?=\s)")
_NAMES = ("prompt", "opencode")
_ESCAPES = "%!?,;/"
"""What the lines of IPython's own syntax start with: a `=` in them assigns nothing."""

_CALL = "get_ipython().run_line_magic"


LONE = " "
"""The body of a cell that is only `%prompt ...`, and runs as `%%prompt`: not empty, which IPython refuses."""


class Rewriting:
    """The rewriting of one shell's cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        manager = shell.input_transformer_manager
        self._places: list[tuple[list[Any], object]] = [
            (shell.input_transformers_cleanup, give_body),
            (manager.token_transformers, ProseLine),
            (shell.ast_transformers, PromptStatement()),
        ]

    def begin(self) -> None:
        """Rewrite cells from now on."""
        for place, step in self._places:
            place.append(step)

    def end(self) -> None:
        """Leave cells as they are from now on."""
        for place, step in self._places:
            if step in place:  # IPython removes an AST transformer that failed
                place.remove(step)


def give_body(lines: list[str]) -> list[str]:
    """Add an empty line to a lone `%%prompt TEXT` or `%%opencode TEXT`: IPython refuses a cell magic without a body."""
    return [*lines, "\n"] if len(lines) == 1 and _CELL.match(lines[0]) else lines


give_body.has_side_effects = True  # type: ignore[attr-defined]  # or Enter in a terminal would not start a second line


class ProseLine(TokenTransformBase):
    """Calls `%prompt ...` or `%opencode ...`, as a statement or after `x =`, with the line as written, `?` included."""

    priority = 1  # before IPython's own help, which takes the last word for a name

    def __init__(self, line: list[TokenInfo], magic: TokenInfo) -> None:
        first = next(token for token in line if token.type not in (tokenize.INDENT, tokenize.DEDENT))
        super().__init__(first.start)  # type: ignore[no-untyped-call]  # IPython's own
        self._magic = (magic.start[0] - 1, magic.start[1])

    @classmethod
    def find(cls, tokens_by_line: list[list[TokenInfo]]) -> Self | None:
        """Return the first such line, or None."""
        return next((cls(line, magic) for line in tokens_by_line if (magic := _magic_of(line))), None)

    def transform(self, lines: list[str]) -> list[str]:
        """Replace the line, and those that continue it. Raises SyntaxError if there is nothing after the magic."""
        row, column = self._magic
        end = find_end_of_continued_line(lines, row)
        found = _LINE.match(assemble_continued_line(lines, self._magic, end))
        if found is None:
            raise SyntaxError(lines[row])
        name, rest = found.groups()
        return [*lines[:row], f"{lines[row][:column]}{_CALL}({name!r}, {rest!r})\n", *lines[end + 1 :]]


def _magic_of(line: list[TokenInfo]) -> TokenInfo | None:
    """Return the `%` of a line that calls one of our magics: its first token, or the first after a `=`."""
    tokens = [token for token in line if token.type not in (tokenize.INDENT, tokenize.DEDENT)]
    if tokens and tokens[0].string not in _ESCAPES:
        pairs = enumerate(pairwise(tokens), 1)
        tokens = tokens[next((at for at, (a, b) in pairs if (a.string, b.string) == ("=", "%")), len(tokens)) :]
    match tokens[:2]:
        case [percent, name] if percent.string == "%" and name.string in _NAMES and percent.end == name.start:
            return percent
    return None


class PromptStatement(ast.NodeTransformer):
    """Makes a cell that is only `%prompt ...` a `%%prompt` cell; elsewhere, drops the value of such a statement."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Look for the statement as the whole cell, then anywhere in it."""
        match node.body:
            case [ast.Expr(value=ast.Call(func=ast.Attribute() as function, args=given) as call)] if _is_prompt(call):
                function.attr = "run_cell_magic"
                given.append(ast.Constant(LONE))
                return node
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Drop the value, which the displayhook would show once more: an `if` has none."""
        return ast.copy_location(ast.If(node.value, [ast.Pass()], []), node) if _is_prompt(node.value) else node


def _is_prompt(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=function, args=[ast.Constant(value="prompt"), _]):
            return ast.unparse(function) == _CALL
    return False
