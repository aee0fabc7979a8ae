"""What a program printed for a terminal, as lines of styled runs: colours kept, overwritten text and the rest gone.

Pure; decides nothing about how much is shown.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opencode_nb.render.escaping import Html, escape, join
from opencode_nb.render.style import ANSI

_TOKEN = re.compile(
    r"(?P<csi>(?:\x1b\[|\x9b)(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~]))"
    r"|(?P<other>\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?|\x1b[ -/]*[0-~]|\x1b)"
    r"|(?P<text>[^\x1b\x9b\r\n\b]+)"
    r"|(?P<move>[\r\n\b])"
)


@dataclass(slots=True, frozen=True)
class Style:
    """How a run looks; colours are CSS values, "" for the colours around."""

    color: str = ""
    background: str = ""
    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False
    inverse: bool = False


PLAIN = Style()

Line = list[tuple[str, Style]]
"""Runs of text, each of one style."""


def lines(text: str) -> list[Line]:
    """The lines as a terminal would show them at the end; a line end at the very end begins no further line."""
    done: list[Line] = []
    line: Line = []
    column = -1  # where text is overwritten, -1 at the end of the line
    style = PLAIN
    for match in _TOKEN.finditer(text.replace("\r\n", "\n")):
        if run := match["text"]:
            line, column = _write(line, column, run, style)
        elif match["final"] == "m":
            style = _restyled(style, match["parameters"])
        elif match["final"] == "K":
            line = _erase(line, column, match["parameters"])
        elif match["move"] == "\n":
            done.append(line)
            line, column = [], -1
        elif match["move"]:
            column = 0 if match["move"] == "\r" else max(0, (_width(line) if column < 0 else column) - 1)
    return [*done, line] if line else done


def plain(text: str) -> str:
    """The text as a terminal would show it at the end, without colours."""
    return "\n".join("".join(run for run, _ in line) for line in lines(text))


def to_html(rows: Sequence[Line]) -> Html:
    """Lines as markup for a `<pre>`."""
    return join((join(_span(run, style) for run, style in line) for line in rows), Html("\n"))


def _span(text: str, style: Style) -> Html:
    css = _css(style)
    return Html(f'<span style="{css}">{escape(text)}</span>') if css else escape(text)


def _width(line: Line) -> int:
    return sum(len(run) for run, _ in line)


def _write(line: Line, column: int, text: str, style: Style) -> tuple[Line, int]:
    if column < 0:
        line.append((text, style))
        return line, -1
    end = column + len(text)
    pad: Line = [(" " * (column - _width(line)), PLAIN)] if column > _width(line) else []
    return [*_slice(line, 0, column), *pad, (text, style), *_slice(line, end, _width(line))], end


def _slice(line: Line, start: int, end: int) -> Iterator[tuple[str, Style]]:
    offsets = itertools.accumulate((len(run) for run, _ in line), initial=0)
    for (run, style), offset in zip(line, offsets, strict=False):
        if piece := run[max(0, start - offset) : max(0, end - offset)]:
            yield piece, style


def _erase(line: Line, column: int, parameters: str) -> Line:
    if parameters == "2":
        return []
    return line if column < 0 or parameters == "1" else list(_slice(line, 0, column))


def _restyled(style: Style, parameters: str) -> Style:
    codes = iter([int(code) if code.isdigit() else 0 for code in re.split("[;:]", parameters)])
    for code in codes:
        style = _with_code(style, code, codes)
    return style


def _with_code(style: Style, code: int, rest: Iterator[int]) -> Style:
    if code == 0:
        return PLAIN
    if code in _FLAGS:
        return replace(style, **_FLAGS[code])
    if code in (38, 48):
        color = _extended(rest)
        return replace(style, color=color) if code == 38 else replace(style, background=color)
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
    22: {"bold": False, "faint": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"inverse": False},
    39: {"color": ""},
    49: {"background": ""},
}


def _extended(codes: Iterator[int]) -> str:
    """The colour of `38;5;N` (the 256 colours) or `38;2;R;G;B`."""
    kind = next(codes, 0)
    if kind == 5:
        return _indexed(min(255, next(codes, 0)))
    if kind == 2:
        red, green, blue = (min(255, next(codes, 0)) for _ in range(3))
        return f"rgb({red},{green},{blue})"
    return ""


def _indexed(number: int) -> str:
    if number < 16:
        return ANSI[number]
    if number >= 232:
        grey = 8 + (number - 232) * 10
        return f"rgb({grey},{grey},{grey})"
    steps = (0, 95, 135, 175, 215, 255)
    number -= 16
    return f"rgb({steps[number // 36]},{steps[number // 6 % 6]},{steps[number % 6]})"


_INVERSE = "light-dark(rgb(60,60,60),#ccc)"
_ON_COLOR = "light-dark(rgb(255,255,255),#000)"


@functools.lru_cache(maxsize=512)
def _css(style: Style) -> str:
    color, background = style.color, style.background
    if style.inverse:
        color, background = "", color or _INVERSE
    if background:
        color = _ON_COLOR  # a colour on a colour can't be trusted to be readable on both themes
    rules = {
        "color": color,
        "background-color": background,
        "font-weight": "600" if style.bold else "",
        "opacity": ".7" if style.faint else "",
        "font-style": "italic" if style.italic else "",
        "text-decoration": "underline" if style.underline else "",
    }
    return ";".join(f"{name}:{value}" for name, value in rules.items() if value)
