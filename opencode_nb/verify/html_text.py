"""Return what HTML says, without how it looks: its text, one line for each row of a table. Pure.

So frames are compared by their values. What scripts show, such as plots, is in their code; random ids in it are masked.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BREAKS = frozenset(
    {"address", "article", "br", "dd", "div", "dl", "dt", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li"}
    | {"ol", "p", "pre", "section", "summary", "table", "tr", "ul"}
)
"""Tags that begin a line."""
_CELLS = frozenset({"td", "th"})
_BETWEEN = " | "
_RANDOM = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|(?<![0-9a-fA-F])[0-9a-fA-F]{20,}")


def html_text(markup: str) -> str:
    """Return the text of HTML: a line for each block and row, the cells of a row between bars.

    What Python cannot parse is returned as it is.
    """
    reader = _Reader()
    try:
        reader.feed(markup)
        reader.close()
    except AssertionError:  # of the parser, for some declarations that are not closed
        return markup
    lines = (" ".join(line.split()).removeprefix(_BETWEEN.lstrip()) for line in "".join(reader.pieces).split("\n"))
    return "\n".join(filter(None, lines))


def masked(code: str) -> str:
    """Return code without the ids that are random in each run."""
    return _RANDOM.sub("id", code)


class _Reader(HTMLParser):
    """Collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._raw = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._raw = tag if tag in self.CDATA_CONTENT_ELEMENTS else ""
        if tag in _BREAKS:
            self.pieces.append("\n")
        elif tag in _CELLS:
            self.pieces.append(_BETWEEN)
        elif tag in ("img", "iframe"):
            self.pieces.append(f"\n{masked(dict(attrs).get('src') or '')}\n")

    def handle_endtag(self, tag: str) -> None:
        self._raw = ""
        if tag in _BREAKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if self._raw == "script":
            self.pieces.append(masked(data))
        elif self._raw != "style":
            self.pieces.append(" ".join(["", *data.split(), ""]))
