"""The notebook of this kernel, and the session it used last: so that a fresh kernel can go on with it.

Jupyter's server names the file when it starts a kernel (JPY_SESSION_NAME). The name stays the same over restarts, and
is wrong after a rename. So it takes a proof that a session is this notebook's: our record that this very kernel used it
before its restart, or the file's outputs, which name it. A copy has the outputs of the original: other records tell.
Nothing here raises for files that are missing or damaged: then there is no session.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from IPython.core.getipython import get_ipython

from opencode_nb.transcript.state import Json

LARGEST = 50_000_000
"""Bytes of the largest notebook that is searched: a larger one takes seconds."""


@dataclass(frozen=True)
class Notebook:
    """A notebook's path, and the id of the kernel that runs it, which stays over restarts."""

    path: Path
    kernel: str

    def remember(self, session_id: str) -> None:
        """Record that this notebook uses this session now."""
        record = {"notebook": str(self.path), "kernel": self.kernel, "session": session_id}
        if record != _read(_file_of(self.path)):
            with contextlib.suppress(OSError):  # a full disk must not fail the prompt
                _write(_file_of(self.path), json.dumps(record))

    def last_session(self) -> str | None:
        """Return the id of the session that was used last, before this kernel was started; None without a proof."""
        record = _read(_file_of(self.path))
        last = str(record.get("session") or "")
        if last and record.get("kernel") == self.kernel:
            return last
        named = [str(meta["session"]) for _cell, meta in _outputs(self.path)]
        if last in named:
            return last
        return named[-1] if named and not _is_used_elsewhere(named[-1], self.path) else None

    def begins_with(self, cell_id: str) -> bool:
        """Whether the notebook's first turn is in this cell, in its file."""
        return next((cell for cell, meta in _outputs(self.path) if "message" in meta), None) == cell_id


def current() -> Notebook | None:
    """Return this kernel's notebook; None if Jupyter's server did not start this process for one."""
    name = os.environ.get("JPY_SESSION_NAME", "")
    app: Any = getattr(sys.modules.get("ipykernel.kernelapp"), "IPKernelApp", None)
    if not name or app is None or not app.initialized():
        return None
    return Notebook(Path(name).absolute(), Path(app.instance().connection_file).stem)


def remember(session_id: str) -> None:
    """Record that this kernel's notebook, if it has one, uses this session now."""
    if (mine := current()) is not None:
        mine.remember(session_id)


def last_session() -> str | None:
    """Return the id of the session that this kernel's notebook used before the kernel was started, or None."""
    mine = current()
    return mine.last_session() if mine is not None else None


def is_first_prompt() -> bool:
    """Whether the notebook's first turn is in the running cell, by the id that JupyterLab and Notebook send along."""
    parent = getattr(get_ipython(), "parent_header", None) or {}
    cell_id, mine = (parent.get("metadata") or {}).get("cellId"), current()
    return bool(cell_id) and mine is not None and mine.begins_with(str(cell_id))


# -- the file ----------------------------------------------------------------------------------------------------------


def _outputs(path: Path) -> Iterator[tuple[str, Json]]:
    """Yield the cell's id and our metadata of each output that names a session, in order."""
    try:
        notebook = json.loads(path.read_bytes()) if path.stat().st_size <= LARGEST else {}
    except (OSError, ValueError):
        return
    for cell in _items(notebook, "cells"):
        for output in _items(cell, "outputs"):
            meta = (output.get("metadata") or {}).get("opencode_nb")
            if isinstance(meta, dict) and meta.get("session"):
                yield str(cell.get("id") or ""), meta


def _items(parent: Any, name: str) -> list[Json]:
    found = parent.get(name) if isinstance(parent, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


# -- records -----------------------------------------------------------------------------------------------------------


def _folder() -> Path:
    return platformdirs.user_state_path("opencode_nb") / "notebooks"


def _file_of(path: Path) -> Path:
    return _folder() / f"{hashlib.sha256(str(path).encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"


def _read(file: Path) -> Json:
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(file: Path, text: str) -> None:
    """Write a file that only the user can read, as a whole: another kernel may read it now."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_suffix(f".{os.getpid()}")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8", errors="surrogateescape")
    new.replace(file)


def _is_used_elsewhere(session_id: str, path: Path) -> bool:
    """Whether another notebook, which still exists, used this session last: then this one is a copy of it."""
    records = map(_read, _folder().glob("*.json"))
    others = (str(one.get("notebook")) for one in records if one.get("session") == session_id)
    return any(other != str(path) and Path(other).exists() for other in others)
