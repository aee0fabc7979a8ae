"""What a permission request is about: each file, command, address, ... in all the ways in which a rule may write it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from opencode_nb.transcript.state import Json

_FILES = ("edit", "read")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session works: `root` is what the server's paths are relative to, `directory` what the user's are."""

    root: Path
    directory: Path


def subjects(request: Json, place: Place | None) -> list[list[str]]:
    """The spellings of each thing that the request is about.

    A path: from the root, from the directory and absolute, and where its links lead. A command: with single blanks too.
    """
    permission = request.get("permission")
    texts = [str(text) for text in request.get("patterns") or ["*"]]
    if permission == "bash":
        return [[text, " ".join(text.split())] for text in texts]
    if permission not in _FILES or place is None:
        return [[text] for text in texts]
    return [_paths(text, place) for text in (*texts, *_moved_to(request))]


def _moved_to(request: Json) -> list[str]:
    """Where a patch moves its files: the server's patterns name only where they were."""
    files = (request.get("metadata") or {}).get("files") or ()
    return [str(file["movePath"]) for file in files if file.get("movePath")]


def _paths(text: str, place: Place) -> list[str]:
    if text == "*" or text.startswith("mcp:"):  # a resource of an MCP server
        return [text]
    path = os.path.normpath(place.root / text)
    absolute = dict.fromkeys((path, os.path.realpath(path)))
    return [
        text,
        *absolute,
        *(os.path.relpath(path, base) for path in absolute for base in (place.directory, place.root)),
    ]
