"""The file of a recording: JSON lines, a header first, then one line for each turn. Blocking.

Lines are only added, each in one write: a kernel that is killed leaves at most its own last line cut.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from opencode_nb.errors import OpencodeError
from opencode_nb.transcript.state import Json

FORMAT = "opencode_nb recording"
VERSION = 1
_HEADER = {"format": FORMAT, "version": VERSION}
_PRIVATE = 0o600

_writing = threading.Lock()


def read(path: Path) -> tuple[list[Json], int]:
    """Return the lines below the header, and how many more are damaged.

    Raises OpencodeError for a file that is missing, no recording, or of a newer version.
    """
    if not path.exists():
        raise OpencodeError(
            f"There is no recording {path}: make it with %%prompt --record {path}, or name another file."
        )
    lines = _lines(path)
    _check(path, lines[0])
    found = [_object(line) for line in lines[1:] if line]
    kept = [item for item in found if item is not None and item != _HEADER]  # two kernels may both have begun it
    return kept, found.count(None)


def check_writable(path: Path) -> None:
    """Create the file if it is missing. Raises OSError, or OpencodeError for a file that is no recording."""
    _write(path, b"")
    _check(path, _lines(path)[0])


def append(path: Path, line: Json) -> None:
    """Add a line. Raises OSError."""
    _write(path, _encoded(line))


def _write(path: Path, data: bytes) -> None:
    """Add to the file, which only its owner may read, below the header and behind a line that was cut."""
    if path.exists() and not path.is_file():
        raise OpencodeError(f"{path} is not a file: name one to record to.")
    with _writing, os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _PRIVATE), "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            data = _encoded(_HEADER) + data
        elif data:
            file.seek(size - 1)
            data = data if file.read(1) == b"\n" else b"\n" + data
        file.write(data)


def _encoded(line: Json) -> bytes:
    return f"{json.dumps(line, ensure_ascii=False)}\n".encode("utf-8", "replace")


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")


def _object(line: bytes) -> Json | None:
    try:
        value: Any = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _check(path: Path, first: bytes) -> None:
    header = _object(first) or {}
    if header.get("format") != FORMAT:
        raise OpencodeError(f"{path} is not a recording of opencode_nb: name another file.")
    version = header.get("version")
    if version != VERSION:
        raise OpencodeError(
            f"{path} is a recording of version {version}; this opencode_nb reads version {VERSION}. "
            "Upgrade opencode_nb, or record again to another file."
        )
