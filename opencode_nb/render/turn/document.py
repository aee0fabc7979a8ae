"""Export a whole session as one document: standalone HTML, or Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from opencode_nb.render.markdown.convert import contained, document, harmless
from opencode_nb.render.markup.escape import Html, element, escape, join
from opencode_nb.render.turn import layout
from opencode_nb.render.turn.page import turn_html
from opencode_nb.render.turn.text import turn_markdown

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; font-family: system-ui, sans-serif }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}</style>
</head>
<body>
{body}
</body>
</html>
"""
"""The policy is a second line of defence: nothing in an exported session may run or fetch anything."""


def session_html(title: str, turns: Iterable[TurnState]) -> str:
    """Return one HTML file without scripts, in the reader's light or dark theme."""
    pieces = [element("h1", escape(title)), *(piece for turn in turns for piece in _turn(turn))]
    return _FRAME.format(title=escape(title), body=join(pieces, Html("\n")))


def _turn(turn: TurnState) -> tuple[Html, Html]:
    return layout.prompt_html(turn), turn_html(turn)


def session_markdown(title: str, turns: Iterable[TurnState]) -> str:
    """Return one Markdown file: the prompts as quotations, the answers below them."""
    pieces = (piece for turn in turns for piece in (_quoted(turn), turn_markdown(turn).strip("\n")))
    return document([heading(title), *pieces]) + "\n"


def heading(title: str) -> str:
    """Return the title of a session as Markdown."""
    return f"# {harmless(' '.join(title.split()))}"


def _quoted(turn: TurnState) -> str:
    parts = turn.prompt.parts.values() if turn.prompt else ()
    texts = [str(part["text"]) for part in parts if part.get("text") and not part.get("synthetic")]
    lines = contained("\n\n".join(texts)).splitlines() if texts else []
    return "\n".join(f"> {line}".rstrip() for line in lines)
