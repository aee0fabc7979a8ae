"""Show a value through its own code: `_ai_repr_`, `_repr_mimebundle_`, `repr`. It may do anything: see bounds/"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from opencode_nb.kernel.values.attributes import attributes, stored
from opencode_nb.kernel.values.kinds import kind
from opencode_nb.kernel.values.limits import Limits
from opencode_nb.kernel.values.plain import TEXT
from opencode_nb.kernel.values.size import size
from opencode_nb.kernel.values.text import MARGIN, cut
from opencode_nb.tools.privacy import Piece

STORED = 50
"""Attributes of an object that are listed."""

TEXT_TYPES = ("text/markdown", "text/plain", "text/latex", "application/json")
"""MIME types for a model to read, best first. Not HTML: most of it is markup."""


def sections(value: Any, limits: Limits) -> Iterator[Piece]:
    """Yield what the value says of itself; where one is inspected, also what it stores and its type's docstring."""
    text = _for_models(value) or _bundle(value) if limits.deep else ""
    yield Piece(_bounded(text or repr(value), limits))
    if limits.deep:
        stores = [f"{name}: {kind(item)}{size(item)}" for name, item in attributes(value).items()]
        yield Piece("\n".join(["Stores:", *stores[:STORED]]) if stores else "")
        yield Piece(cut(inspect.cleandoc(type(value).__doc__ or ""), 5 * TEXT))


def _bounded(text: object, limits: Limits) -> str:
    return text[: limits.length + MARGIN] if isinstance(text, str) else ""


def _for_models(value: Any) -> str:
    method = stored(type(value), "_ai_repr_")
    return _text_of(_finished(method(value))) if callable(method) else ""


def _finished(result: Any) -> Any:
    """Return the result of a coroutine that waits for nothing; None if it waits."""
    if not inspect.iscoroutine(result):
        return result
    try:
        result.send(None)
    except StopIteration as done:
        return done.value
    result.close()
    return None


def _bundle(value: Any) -> str:
    method = stored(type(value), "_repr_mimebundle_")
    return _text_of(method(value, include=TEXT_TYPES, exclude=())) if callable(method) else ""


def _text_of(given: Any) -> str:
    """Return the text of a string, a MIME bundle, or a bundle with its metadata."""
    bundle = given[0] if isinstance(given, tuple) and given else given
    if isinstance(bundle, Mapping):
        return next((str(bundle[of]) for of in TEXT_TYPES if bundle.get(of)), "")
    return bundle if isinstance(bundle, str) else ""
