"""Export a session as one file: Markdown, HTML, a notebook of its turns, or the server's JSON."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from opencode_nb._version import __version__
from opencode_nb.session.prompt.command import File
from opencode_nb.session.turn import Turn
from opencode_nb.transcript.state import Json

Format = Literal["md", "json", "html", "ipynb"]


def check(format: str) -> None:
    """Raise ValueError for an unknown format."""
    if format not in get_args(Format):
        raise ValueError(f"format={format!r}: use one of {', '.join(get_args(Format))}.")


def save(file: File, directory: Path | None = None) -> Path:
    """Write an exported session to the directory (default: the current one), under a name that is free."""
    content = file.content.encode("utf-8", "replace")
    for path in _paths(directory or Path(), file):
        with contextlib.suppress(FileExistsError), path.open("xb") as opened:
            opened.write(content)
            break
    return path


def _paths(directory: Path, file: File) -> Iterator[Path]:
    """Yield the paths to try: the file's name, then with numbers."""
    yield directory / file.name
    stem = file.name.removesuffix(f".{file.kind}")
    yield from (directory / f"{stem}-{number}.{file.kind}" for number in itertools.count(2))


def as_json(info: Json, messages: list[Json]) -> str:
    """Return the JSON that `opencode export` writes and `opencode import` reads."""
    return json.dumps({"info": info, "messages": messages}, indent=2, ensure_ascii=False) + "\n"


def as_text(format: str, title: str, turns: list[Turn]) -> str:
    """Return the turns as a Markdown, HTML or notebook document."""
    from opencode_nb.render.turn import document

    if format == "ipynb":
        return json.dumps(_notebook(title, turns), indent=1, ensure_ascii=False) + "\n"
    states = [turn.state for turn in turns]
    return document.session_html(title, states) if format == "html" else document.session_markdown(title, states)


def _notebook(title: str, turns: list[Turn]) -> Json:
    """Return an nbformat 4.5 notebook. It does not load the magics, so its cells do not run as they are."""
    from opencode_nb.render.turn import document

    heading = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": document.heading(title)}
    cells = [heading, *(_cell(number, turn) for number, turn in enumerate(turns, 1))]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "opencode_nb": {"version": __version__}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _cell(number: int, turn: Turn) -> Json:
    """Return a turn as the `%%prompt` cell that would produce it, with its output."""
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
