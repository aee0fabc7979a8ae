"""The static form of a conversation, for the saved notebook: its prompts and finished turns. Pure.

Each turn is rendered once, to a `Piece`; `conversation` joins pieces, and `is_full` says when to take no more. There is
no Markdown: no viewer prefers it to HTML, and joined Markdown would have to be made safe as a whole, each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opencode_nb.render.markup.escape import Html, element, escape, join, visible
from opencode_nb.render.turn import layout
from opencode_nb.render.turn.bounded import bounded
from opencode_nb.render.turn.page import ROOT_CLASSES, turn_html
from opencode_nb.render.turn.text import turn_text

if TYPE_CHECKING:
    from opencode_nb.transcript.state import TurnState

SAVED = 500_000
"""Maximum characters of a saved conversation, in both forms: sent at the end of each turn, and Jupyter's server drops
what exceeds 1 MB a second. The last turn, which bounded.py limits, is always kept."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One finished turn with its prompt, as HTML and as text."""

    html: Html
    text: str


def piece(turn: TurnState) -> Piece:
    """Render a turn that has ended."""
    shown = bounded(turn)
    prompt = f"> {shown.prompt.text}".replace("\n", "\n> ") if shown.prompt else ""
    html = element("div", join([layout.prompt_html(shown), turn_html(shown)]), style="past")
    return Piece(html, f"{visible(prompt)}\n\n{turn_text(shown)}".strip())


def is_full(pieces: Sequence[Piece]) -> bool:
    """Whether these are more than may be saved."""
    return len(pieces) > 1 and sum(len(one.html) + len(one.text) for one in pieces) > SAVED


def conversation(title: str, session_id: str, pieces: Sequence[Piece], earlier: str = "") -> dict[str, str]:
    """Return the MIME bundle of these turns, oldest first, below a line on whose they are and how to go on.

    `earlier` says how many turns before them are left out: a number, "some", or "" if none is.
    """
    lines = [f"Chat panel on {title!r} ({session_id}). Rerun this cell to open it."]
    if earlier:
        lines.append(f"{_earlier(earlier)} in the session: %opencode use {session_id} continues it.")
    notes = element("div", join(element("div", escape(line), style="wrap") for line in lines), style="bar")
    body = join([notes, *(one.html for one in pieces)])
    return {
        "text/html": element("div", body, style="root", classes=ROOT_CLASSES),
        "text/plain": "\n\n".join([*lines, *(one.text for one in pieces)]),
    }


def _earlier(count: str) -> str:
    if count == "1":
        return "1 earlier turn is"
    return f"{count} earlier turns are" if count.isdecimal() else "Earlier turns are"
