"""Compare what a cell shows with what stands in the notebook, output by output and by MIME type, as nbdime does. Pure.

Execution counts and metadata do not count. Of a value with several forms, the first of `_FORMS` that both sides have
is compared.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from opencode_nb.render.markup.ansi import plain
from opencode_nb.verify import pictures, text
from opencode_nb.verify.html_text import html_text, masked
from opencode_nb.verify.text import Span

Json = Mapping[str, Any]
Outputs = Sequence[Json]

_VALUES = ("execute_result", "display_data")
_WIDGET = "application/vnd.jupyter.widget-view+json"
"""A view's id: random. The text beside it says what it shows."""
_SVG_IDS = re.compile(r"""\bid="[^"]*"|url\(#[^)]*\)|(?:xlink:)?href="#[^"]*"|<dc:date>[^<]*</dc:date>""")


class Difference(NamedTuple):
    """One thing that a cell shows otherwise: what in words, and its lines."""

    what: str
    lines: str = ""


def differences(before: Outputs, after: Outputs, span: Span) -> list[Difference]:
    """Return how the outputs `after` a run during `span` differ from those `before`, both in the notebook's format."""
    return [*_of_streams(before, after, span), *_of_values(before, after, span), *_of_errors(before, after, span)]


def _of_streams(before: Outputs, after: Outputs, span: Span) -> Iterator[Difference]:
    for name, what in (("stdout", "It prints something else."), ("stderr", "It prints something else to stderr.")):
        old, new = _printed(before, name), _printed(after, name)
        if old != new and (lines := text.difference(plain(old), plain(new), span)):
            yield Difference(what, lines)


def _printed(outputs: Outputs, name: str) -> str:
    return "".join(
        _joined(one.get("text")) for one in outputs if one["output_type"] == "stream" and one["name"] == name
    )


def _of_errors(before: Outputs, after: Outputs, span: Span) -> Iterator[Difference]:
    if lines := text.difference(_raised(before), _raised(after), span):
        yield Difference("It raises something else.", lines)


def _raised(outputs: Outputs) -> str:
    errors = (one for one in outputs if one["output_type"] == "error")
    return "\n".join(plain(f"{one.get('ename')}: {one.get('evalue')}") for one in errors)


def _of_values(before: Outputs, after: Outputs, span: Span) -> Iterator[Difference]:
    """Compare values and displays in their order."""
    sides = [[_forms(one) for one in outputs if one["output_type"] in _VALUES] for outputs in (before, after)]
    for old, new in zip_longest(*sides):
        if old is None:
            yield Difference("It shows more than stands here.", _prefixed("+", new))
        elif new is None:
            yield Difference("It no longer shows all that stands here.", _prefixed("-", old))
        elif (found := _of_forms(old, new, span)) is not None:
            yield found


def _forms(output: Json) -> Json:
    return {kind: data for kind, data in (output.get("data") or {}).items() if kind != _WIDGET}


def _prefixed(sign: str, forms: Json) -> str:
    shown = _joined(forms.get("text/plain")) or ", ".join(sorted(forms))
    return "\n".join(f"{sign} {text.shortened(line, text.WIDTH)}" for line in shown.splitlines()[: text.SHOWN])


def _of_forms(before: Json, after: Json, span: Span) -> Difference | None:
    both = before.keys() & after.keys()
    if not both:
        stood, shown = (", ".join(sorted(forms)) or "nothing" for forms in (before, after))
        return Difference(f"It shows {shown} instead of {stood}.") if stood != shown else None
    kind = min(both, key=lambda one: (_rank(one), one))
    old, new = before[kind], after[kind]
    return None if old == new else _compared(kind, old, new, span)


def _compared(kind: str, before: Any, after: Any, span: Span) -> Difference | None:
    if kind.startswith("image/") and kind != "image/svg+xml":
        found = pictures.difference(_bytes(before), _bytes(after))
        return Difference(f"It draws another picture. {found}") if found else None
    read = _READ.get(kind, _json if kind.endswith("json") else _joined)
    found = text.difference(read(before), read(after), span)
    what = "table" if kind == "text/html" and "<table" in _joined(after) else "value"
    return Difference(f"It shows another {what}.", found) if found else None


def _bytes(data: Any) -> bytes:
    try:
        return base64.b64decode(_joined(data))
    except (binascii.Error, ValueError):
        return _joined(data).encode(errors="replace")


def _joined(data: Any) -> str:
    return "".join(map(str, data)) if isinstance(data, list) else str(data or "")


def _json(data: Any) -> str:
    return masked(json.dumps(data, indent=1, sort_keys=True, default=str))


_READ: dict[str, Callable[[Any], str]] = {
    "text/html": lambda data: html_text(_joined(data)),
    "image/svg+xml": lambda data: masked(_SVG_IDS.sub("", _joined(data))),
    "text/plain": lambda data: plain(_joined(data)),
}

_FORMS = (
    *("image/png", "image/jpeg", "image/gif", "image/webp", "json", "text/html", "image/svg+xml"),
    *("text/latex", "text/markdown", "text/plain"),
)
"""The forms of a value, from the one that says most; those that only programs read come last."""


def _rank(kind: str) -> int:
    known = "json" if kind.endswith("json") else kind
    return _FORMS.index(known) if known in _FORMS else len(_FORMS)
