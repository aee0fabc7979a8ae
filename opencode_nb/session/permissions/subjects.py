"""The subjects of a permission request (files, commands, URLs, ...), in every spelling that a rule may use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from opencode_nb.transcript import tool_calls
from opencode_nb.transcript.state import Json

_FILES = ("edit", "read")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session works: the server's paths are relative to `root`, the user's to `directory`."""

    root: Path
    directory: Path


def subjects(request: Json, place: Place | None) -> list[list[str]]:
    """Return the spellings of each subject of a request.

    A path: relative to the root and the directory, absolute, and with symlinks resolved. A command: as is, and with
    whitespace collapsed.
    """
    permission = request.get("permission")
    texts = [str(text) for text in request.get("patterns") or ["*"]]
    if permission == "bash":
        return [[text, " ".join(text.split())] for text in texts]
    if permission not in _FILES or place is None:
        return [[text] for text in texts]
    return [*(_paths(text, place) for text in (*texts, *_moved_to(request))), *_as_given(request, place)]


def _as_given(request: Json, place: Place) -> list[list[str]]:
    """Return where the call's own paths lead: `link/../x` is elsewhere than the server's pattern `x`, behind a link."""
    call = request.get("call") or {}
    given = call.get("input") or {}
    names = [str(given[key]) for key in ("filePath", "path") if isinstance(given.get(key), str)]
    names += tool_calls.paths({"tool": call.get("tool"), "state": {"input": given}})
    found = [os.path.realpath(place.directory / name) for name in names]
    return [[path, *(os.path.relpath(path, base) for base in (place.directory, place.root))] for path in found]


def _moved_to(request: Json) -> list[str]:
    """Return the paths to which a patch moves files: the server's patterns hold only the old paths."""
    files = (request.get("metadata") or {}).get("files") or ()
    return [str(file["movePath"]) for file in files if file.get("movePath")]


def _paths(text: str, place: Place) -> list[str]:
    if text == "*" or text.startswith("mcp:"):  # an MCP server's resource
        return [text]
    path = os.path.normpath(place.root / text)
    absolute = dict.fromkeys((path, os.path.realpath(path)))
    return [
        text,
        *absolute,
        *(os.path.relpath(path, base) for path in absolute for base in (place.directory, place.root)),
    ]
