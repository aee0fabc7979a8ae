"""Record files right before and after each call of the agent's tools that change files.

A before-image is read when the tool asks for permission: it waits for the answer, so nothing can be faster. If it does
not ask, the image is read when the call first appears to run, unless the file was written since the call began; then a
copy from before the call is used, if there is one (`copies`). An after-image is read when the call is complete. Images
are stored with the backups (`backups`), and outlive the kernel.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from opencode_nb.changes import backups, worktree
from opencode_nb.changes.copies import Copies, Image
from opencode_nb.transcript import tool_calls
from opencode_nb.transcript.attribution import located
from opencode_nb.transcript.state import Json, TurnState

MAX_BYTES = 16 * 1024 * 1024
"""Larger files are not recorded: they would be copied for each call that touches them."""

CLOCK_TICK = 20.0
"""Milliseconds by which a file's timestamp can lag behind the clock of a call's start."""


@dataclass(slots=True)
class Images:
    """The images of one session, by call and path."""

    session_id: str
    root: Path
    before: dict[tuple[str, str], Image] = field(default_factory=dict)
    after: dict[tuple[str, str], Image] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)
    copies: Copies = field(init=False)

    def __post_init__(self) -> None:
        self.copies = Copies(self.root)
        for entry in backups.notes(self.session_id):
            file = backups.folder() / entry["kept"] if entry["kept"] else None
            if file is None or file.exists():
                images = self.before if entry["when"] == "before" else self.after
                images[entry["call"], entry["path"]] = Image(entry["mode"], file)

    def observe(self, turn: TurnState) -> None:
        """Record what a turn's tools are about to change, or have just changed. Cheap if nothing is new."""
        for part in _last_parts(turn):
            self._observe_part(part)
        for request in list(turn.permissions.values()):
            self._asked(turn, request)

    def is_write_coming(self, turn: TurnState) -> bool:
        """Return whether the model has begun to write a call that replaces a whole file; True once per call."""
        pending = [
            (str(part.get("callID")), "pending")
            for part in _last_parts(turn)
            if part.get("tool") == "write" and (part.get("state") or {}).get("status") == "pending"
        ]
        is_new = any(call not in self._seen for call in pending)
        self._seen.update(pending)
        return is_new

    def _observe_part(self, part: Json) -> None:
        state = part.get("state") or {}
        call, status = str(part.get("callID")), str(state.get("status"))
        if part.get("tool") not in tool_calls.CHANGING or (call, status) in self._seen:
            return
        if status in ("running", "completed"):
            self._seen.add((call, status))
            for name in tool_calls.paths(part):
                if status == "completed":
                    self._take("after", call, name)
                elif (call, name) not in self.before:
                    self._begun(call, name, float((state.get("time") or {}).get("start") or 0))

    def _asked(self, turn: TurnState, request: Json) -> None:
        """The call waits for an answer: the file's current content is its content before the call."""
        call = str((request.get("tool") or {}).get("callID"))
        if (call, "asked") in self._seen:
            return
        self._seen.add((call, "asked"))
        for part in _last_parts(turn):
            if part.get("callID") == call:
                for name in tool_calls.paths(part):
                    self._take("before", call, name)

    def _begun(self, call: str, name: str, started: float) -> None:
        """The call runs and may have written already: if the file was written since, use its copy."""
        place = located(name, self.root)
        with contextlib.suppress(OSError):
            if place.lstat().st_mtime_ns / 1e6 < started - CLOCK_TICK:
                self._take("before", call, name)
            elif (copied := self.copies.before(place, started)) is not None:
                self._note("before", call, name, copied)

    def _take(self, when: str, call: str, name: str) -> None:
        if (image := self._read(located(name, self.root))) is not None:
            self._note(when, call, name, image)

    def _note(self, when: str, call: str, name: str, image: Image) -> None:
        (self.before if when == "before" else self.after)[call, name] = image
        entry = {"when": when, "call": call, "path": name, "mode": image.mode, "kept": image.file and image.file.name}
        with contextlib.suppress(OSError):  # a full disk: this kernel still has it
            backups.note(self.session_id, entry)

    def _read(self, place: Path) -> Image | None:
        """Return the file's image now; None if it cannot be stored: too large, not a file, or the disk is full."""
        try:
            side = worktree.read(place, MAX_BYTES)
            return Image(side.mode, backups.keep(side.read())) if side else Image("", None)
        except (OSError, worktree.UnreadableError):
            return None  # then its change is shown but cannot be reverted: see `unknown`


def _last_parts(turn: TurnState) -> list[Json]:
    """Return the parts of the last step of a turn and of each sub-session: what is going on now."""
    found: list[Json] = []
    if turn.steps:
        found += next(reversed(turn.steps.values())).parts.values()
    for turns in list(turn.children.values()):
        for child in turns[-1:]:
            found += _last_parts(child)
    return found
