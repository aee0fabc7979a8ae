"""Convert terminal output to lines of styled runs: keep colours, drop overwritten text and other sequences.

Pure; does not decide how much is shown. Tests compare it with a terminal emulator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from opencode_nb.render.markup.escape import Html, escape, join
from opencode_nb.render.markup.screen import Line, Screen
from opencode_nb.render.markup.sgr import Style, css, number, restyled

_TOKEN = re.compile(
    r"(?:\x1b\[|\x9b)(?P<parameters>[0-;]*)(?P<final>[@-~])"
    r"|(?P<other>(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?|\x1b[ -/]*[0-~]|\x1b)"
    r"|(?P<control>[\x00\x07\x08\x0b-\x0f\x7f])"
    r"|(?P<text>[^\x00\x07\x08\x0b-\x0f\x1b\x7f\x9b]+|\x9b)"
)


def lines(text: str) -> list[Line]:
    """Return the lines that a terminal would finally show; a newline at the very end starts no further line."""
    screen = Screen()
    for match in _TOKEN.finditer(text.replace("\r\n", "\n")):
        if run := match["text"]:
            screen.write(run)
        elif control := match["control"]:
            screen.control(control)
        elif match["final"] == "m":
            screen.style = restyled(screen.style, match["parameters"])
        elif final := match["final"]:
            screen.sequence(final, [number(item) for item in match["parameters"].split(";")])
    return screen.lines()


def plain(text: str) -> str:
    """Return the text that a terminal would finally show, without colours."""
    return "\n".join("".join(run for run, _ in line) for line in lines(text))


def to_html(rows: Sequence[Line]) -> Html:
    """Return lines as markup for a `<pre>`."""
    return join((join(_span(run, style) for run, style in line) for line in rows), Html("\n"))


def _span(text: str, style: Style) -> Html:
    rules = css(style)
    return Html(f'<span style="{rules}">{escape(text)}</span>') if rules else escape(text)
