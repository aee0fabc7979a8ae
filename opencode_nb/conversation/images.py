"""What files were before and after the agent's tools changed them, where nobody else records it: outside git.

A before-image is what the disk has when the tool asks for permission: it waits for the answer, so nothing is faster.
Where it asks for none, it is what the disk has when the call is seen to run; if the tool was faster, both images are
the same, and then neither counts. An after-image is what the disk has when the call is seen to be completed. They are
kept with what acts overwrite (`kept`), and outlive the kernel.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from opencode_nb.conversation import disk, kept
from opencode_nb.conversation.state import Json, TurnState
from opencode_nb.diffs import tools
from opencode_nb.diffs.change import Side

MAX_BYTES = 16 * 1024 * 1024
"""Larger files are not kept: they would be copied for each call that touches them."""


@dataclass(frozen=True, slots=True)
class Image:
    """A file at one moment: git's mode and the kept file with its bytes; "" and None where there was no file."""

    mode: str
    file: Path | None

    @property
    def side(self) -> Side | None:
        """It as a side of a change."""
        return Side(self.mode, self.file.read_bytes, self.file.name) if self.file else None


@dataclass(slots=True)
class Images:
    """The images of one session, by call and path."""

    session_id: str
    root: Path
    before: dict[tuple[str, str], Image] = field(default_factory=dict)
    after: dict[tuple[str, str], Image] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for entry in kept.notes(self.session_id):
            file = kept.folder() / entry["kept"] if entry["kept"] else None
            if file is None or file.exists():
                images = self.before if entry["when"] == "before" else self.after
                images[entry["call"], entry["path"]] = Image(entry["mode"], file)

    def observe(self, turn: TurnState) -> None:
        """Look at what a turn's tools are about to change, or have just changed. Cheap where there is nothing new."""
        parts = _last_parts(turn)
        if any(part.get("snapshot") for part in parts):  # the server records it, and better
            return
        for part in parts:
            self._observe_part(part)
        for request in turn.permissions.values():
            self._asked(turn, request)

    def _observe_part(self, part: Json) -> None:
        call, status = str(part.get("callID")), str((part.get("state") or {}).get("status"))
        if part.get("tool") not in tools.CHANGING or (call, status) in self._seen:
            return
        if status in ("running", "completed"):
            self._seen.add((call, status))
            for path in tools.paths(part):
                self._take("before" if status == "running" else "after", call, path)

    def _asked(self, turn: TurnState, request: Json) -> None:
        """The call waits for an answer: what is there now is what was there before."""
        call = str((request.get("tool") or {}).get("callID"))
        if (call, "asked") in self._seen:
            return
        self._seen.add((call, "asked"))
        for part in _last_parts(turn):
            if part.get("callID") == call:
                for path in tools.paths(part):
                    self._take("before", call, path)

    def _take(self, when: str, call: str, path: str) -> None:
        image = self._read(path)
        if image is None:
            return
        (self.before if when == "before" else self.after)[call, path] = image
        entry = {"when": when, "call": call, "path": path, "mode": image.mode, "kept": image.file and image.file.name}
        with contextlib.suppress(OSError):  # a full disk: this kernel still knows it
            kept.note(self.session_id, entry)

    def _read(self, path: str) -> Image | None:
        """The file now; None where it can't be kept: it is too large, no file, or the disk is full."""
        place = self.root / path
        try:
            side = disk.read(place, MAX_BYTES)
            return Image(side.mode, kept.keep(side.read())) if side else Image("", None)
        except (OSError, disk.UnreadableError):  # then its change is shown, and can't be taken back: `unknown` says so
            return None


def _last_parts(turn: TurnState) -> list[Json]:
    """The parts of the last step of a turn and of each sub-session's: what is going on now."""
    found: list[Json] = []
    if turn.steps:
        found += next(reversed(turn.steps.values())).parts.values()
    for turns in turn.children.values():
        for child in turns[-1:]:
            found += _last_parts(child)
    return found
