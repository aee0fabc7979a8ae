"""A session as one file: Markdown, HTML, a notebook that shows its turns, or the server's own JSON."""

from __future__ import annotations

import json
from typing import Literal, get_args

from opencode_nb._version import __version__
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json

Format = Literal["md", "json", "html", "ipynb"]


def check(format: str) -> None:
    """Raise ValueError for a format that there is not."""
    if format not in get_args(Format):
        raise ValueError(f"format={format!r}: use one of {', '.join(get_args(Format))}.")


def as_json(info: Json, messages: list[Json]) -> str:
    """What `opencode export` writes, and `opencode import` takes."""
    return json.dumps({"info": info, "messages": messages}, indent=2, ensure_ascii=False) + "\n"


def as_text(format: str, title: str, turns: list[Turn]) -> str:
    """The turns as a document in Markdown, HTML or nbformat."""
    from opencode_nb.render.turn import document

    if format == "ipynb":
        return json.dumps(_notebook(title, turns), indent=1, ensure_ascii=False) + "\n"
    states = [turn.state for turn in turns]
    return document.session_html(title, states) if format == "html" else document.session_markdown(title, states)


def _notebook(title: str, turns: list[Turn]) -> Json:
    """nbformat 4.5. Nothing runs by itself: the magics are not loaded in it."""
    from opencode_nb.render.turn import document

    heading = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": document.heading(title)}
    cells = [heading, *(_cell(number, turn) for number, turn in enumerate(turns, 1))]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "opencode_nb": {"version": __version__}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _cell(number: int, turn: Turn) -> Json:
    """A turn as the cell that would have made it, and what it gave."""
    data, metadata = turn._repr_mimebundle_()
    output = {"output_type": "execute_result", "execution_count": number, "data": data, "metadata": metadata}
    return {
        "cell_type": "code",
        "id": f"turn-{number}",
        "metadata": {},
        "execution_count": number,
        "source": f"%%prompt\n{turn.prompt}",
        "outputs": [output],
    }
