"""Boundary: holds the edit tools inside one directory (`strict_directory=True`)."""

from __future__ import annotations

import os
from pathlib import Path

from opencode_nb.session.permissions.subjects import Place, subjects
from opencode_nb.transcript.state import Json
from opencode_nb.transcript.tool_calls import CHANGING

UNHELD = ("bash", "python", "run_cell")
"""Permissions of what can write anywhere once it runs: a person is asked each time."""


class Boundary:
    """Denies edits outside `directory`, links resolved. Shells and code cannot be held: they always ask."""

    def __init__(self, directory: Path) -> None:
        self._directory = Path(os.path.realpath(directory))

    def refusal(self, request: Json, place: Place | None) -> str:
        """Return why an edit is denied; "" if it stays inside, or is no edit."""
        if request.get("permission") == "external_directory" and (request.get("call") or {}).get("tool") in CHANGING:
            return self._said(request.get("patterns") or [])
        if request.get("permission") != "edit":
            return ""
        if not request.get("call"):
            return f"Edits are held inside {self._directory}, and where this one goes is not known."
        return self._said([spelled[0] for spelled in subjects(request, place) if not self._holds(spelled)])

    def _holds(self, spelled: list[str]) -> bool:
        absolute = [path for path in map(Path, spelled) if path.is_absolute()]
        return bool(absolute) and all(Path(os.path.realpath(path)).is_relative_to(self._directory) for path in absolute)

    def _said(self, outside: list[str]) -> str:
        if not outside:
            return ""
        return f"Edits are held inside {self._directory}: {', '.join(outside)} is outside of it."
