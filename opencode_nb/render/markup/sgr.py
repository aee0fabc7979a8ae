"""Text styles of a terminal, and how select-graphic-rendition (SGR) sequences change them. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from opencode_nb.render.markup.style import ANSI


@dataclass(slots=True, frozen=True)
class Style:
    """The style of a run. Colours are CSS values, "" for the surrounding colour."""

    color: str = ""
    background: str = ""
    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False
    struck: bool = False
    inverse: bool = False


PLAIN = Style()


@functools.lru_cache(maxsize=512)
def restyled(style: Style, parameters: str) -> Style:
    """Return the style after `CSI parameters m`: items separated by ";", each with sub-parameters after ":"."""
    items = iter(parameters.split(";"))
    for item in items:
        code, *details = [number(text) for text in item.split(":")]
        style = _with_code(style, code, details if ":" in item else None, items)
    return style


def number(text: str, default: int = 0) -> int:
    """Parse a parameter, cut to 5 digits: no terminal needs more, and Python refuses thousands."""
    digits = text.lstrip("0")[:5]
    return int(digits) if digits.isdigit() else default


def _with_code(style: Style, code: int, details: list[int] | None, rest: Iterator[str]) -> Style:
    if code == 0:
        return PLAIN
    if code == 4 and details:  # 4:0 is off, 4:1 to 4:5 are line styles
        return replace(style, underline=details[0] > 0)
    if code in _FLAGS:
        return replace(style, **_FLAGS[code])
    if code in _EXTENDED:
        color = _color(details if details is not None else list(_operands(rest)))
        changed: dict[str, Any] = {_EXTENDED[code]: color}
        return replace(style, **changed) if _EXTENDED[code] and color else style
    if 30 <= code <= 37 or 90 <= code <= 97:
        return replace(style, color=ANSI[code - 30 if code < 90 else code - 82])
    if 40 <= code <= 47 or 100 <= code <= 107:
        return replace(style, background=ANSI[code - 40 if code < 100 else code - 92])
    return style


_FLAGS: dict[int, dict[str, Any]] = {
    1: {"bold": True},
    2: {"faint": True},
    3: {"italic": True},
    4: {"underline": True},
    7: {"inverse": True},
    9: {"struck": True},
    21: {"underline": True},  # double underline
    22: {"bold": False, "faint": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"inverse": False},
    29: {"struck": False},
    39: {"color": ""},
    49: {"background": ""},
}
_EXTENDED = {38: "color", 48: "background", 58: ""}
"""Codes with a colour as operands; that of underlines (58) is not shown."""

_RGB = 2
_INDEXED = 5
_OPERANDS = {_RGB: 3, _INDEXED: 1}


def _operands(items: Iterator[str]) -> Iterator[int]:
    """Consume the items that belong to `38;5;N` or `38;2;R;G;B`."""
    kind = number(next(items, ""))
    yield kind
    yield from (number(item) for item in islice(items, _OPERANDS.get(kind, 0)))


def _color(operands: list[int]) -> str:
    """Return the colour of `5, N`, `2, R, G, B`, or `2, colour space, R, G, B`; "" for anything else."""
    kind, *values = operands or [0]
    if kind == _INDEXED and values:
        return _indexed(min(255, values[0]))
    if kind == _RGB and len(values) >= 3:
        red, green, blue = (min(255, value) for value in (values[1:4] if len(values) > 3 else values))
        return f"rgb({red},{green},{blue})"
    return ""


def _indexed(index: int) -> str:
    if index < 16:
        return ANSI[index]
    if index >= 232:
        grey = 8 + (index - 232) * 10
        return f"rgb({grey},{grey},{grey})"
    steps = (0, 95, 135, 175, 215, 255)
    index -= 16
    return f"rgb({steps[index // 36]},{steps[index // 6 % 6]},{steps[index % 6]})"


_INVERSE = "light-dark(rgb(60,60,60),#ccc)"
_ON_COLOR = "light-dark(rgb(255,255,255),#000)"


@functools.lru_cache(maxsize=512)
def css(style: Style) -> str:
    """Return the style as inline CSS; "" for plain text."""
    color, background = style.color, style.background
    if style.inverse:
        color, background = "", color or _INVERSE
    if background:
        color = _ON_COLOR  # coloured text on a coloured background may be unreadable in one of the themes
    rules = {
        "color": color,
        "background-color": background,
        "font-weight": "600" if style.bold else "",
        "opacity": ".7" if style.faint else "",
        "font-style": "italic" if style.italic else "",
        "text-decoration": " ".join(["underline"] * style.underline + ["line-through"] * style.struck),
    }
    return ";".join(f"{name}:{value}" for name, value in rules.items() if value)
