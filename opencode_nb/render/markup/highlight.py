"""Highlight code: pygments' tokens as spans with inline, theme-aware colours. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound

from opencode_nb.render.markup.escape import Html, escape
from opencode_nb.render.markup.style import SYNTAX

Run = tuple[str, str]
"""A piece of code and its colour's name in `SYNTAX`, or "" for the surrounding colour."""

# Longer code stays plain: colours aren't worth a blocked kernel, and some lexers are slow on hostile input.
MAX_HIGHLIGHTED = 100_000
_CACHED = 256

_KINDS: dict[_TokenType, str] = {
    Token.Comment: "comment",
    Token.Comment.Preproc: "keyword",
    Token.Keyword: "keyword",
    Token.Keyword.Constant: "number",
    Token.Keyword.Type: "type",
    Token.Operator.Word: "keyword",
    Token.Literal.String: "string",
    Token.Literal.String.Interpol: "",
    Token.Literal.Number: "number",
    Token.Name.Function: "function",
    Token.Name.Decorator: "function",
    Token.Name.Class: "type",
    Token.Name.Exception: "type",
    Token.Name.Builtin: "number",
    Token.Name.Constant: "number",
    Token.Name.Tag: "tag",
    Token.Name.Attribute: "attribute",
    Token.Generic.Error: "deleted",
    Token.Generic.Inserted: "inserted",
    Token.Generic.Deleted: "deleted",
    Token.Generic.Heading: "heading",
    Token.Generic.Subheading: "heading",
}


@functools.cache
def _kind(token: Any) -> str:
    while token is not Token:
        if token in _KINDS:
            return _KINDS[token]
        token = token.parent
    return ""


@functools.lru_cache(maxsize=_CACHED)
def _lexer_by_name(name: str) -> Lexer | None:
    try:
        return get_lexer_by_name(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@functools.lru_cache(maxsize=_CACHED)
def _lexer_by_file(name: str) -> Lexer | None:
    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _runs(code: str, lexer: Lexer | None) -> list[Run]:
    """Split code into runs of one colour, whitespace joined to the run before it. Never loses any code."""
    if lexer is None or len(code) > MAX_HIGHLIGHTED:
        return [(code, "")]
    # Some lexers need a final newline. If the tokens don't add up to the source, show it plain.
    source = code if code.endswith("\n") else code + "\n"
    try:
        runs = _merged((value, _kind(token)) for _, token, value in lexer.get_tokens_unprocessed(source))
    except Exception:  # lexers are third-party code on hostile input; plain code is always correct
        return [(code, "")]
    if "".join(text for text, _ in runs) != source:
        return [(code, "")]
    return runs if source is code else _without_last_character(runs)


def _without_last_character(runs: list[Run]) -> list[Run]:
    text, kind = runs[-1]
    return [*runs[:-1], (text[:-1], kind)] if len(text) > 1 else runs[:-1]


def _merged(runs: Iterable[Run]) -> list[Run]:
    merged: list[Run] = []
    for text, kind in runs:
        if merged and (kind == merged[-1][1] or text.isspace()):
            merged[-1] = (merged[-1][0] + text, merged[-1][1])
        elif text:
            merged.append((text, kind))
    return merged


def _markup(runs: Iterable[Run]) -> Iterator[str]:
    for text, kind in runs:
        yield span(text, kind)


def span(text: str, kind: str) -> Html:
    """Return one run of code as markup."""
    return Html(f'<span style="color:{SYNTAX[kind]}">{escape(text)}</span>') if kind else escape(text)


@functools.lru_cache(maxsize=_CACHED)
def highlight(code: str, language: str) -> Html:
    """Return code as markup, coloured if pygments knows the language by this name (`python`, `sh`, ...)."""
    return Html("".join(_markup(_runs(code, _lexer_by_name(language) if language else None))))


@functools.lru_cache(maxsize=_CACHED)
def highlight_file(code: str, path: str) -> Html:
    """Return code as markup, coloured by the file's name."""
    return Html("".join(_markup(_runs(code, _lexer_by_file(path)))))


def lines(code: str, path: str) -> list[list[Run]]:
    """Return the runs of each line of a file's code, without newlines; one list per item of `code.split("\\n")`."""
    result: list[list[Run]] = [[]]
    for text, kind in _runs(code, _lexer_by_file(path)):
        first, *rest = text.split("\n")
        result[-1].append((first, kind))
        result.extend([(line, kind)] for line in rest)
    return result
