"""The file that a map is resumed from: JSON lines, a header first, then what was sent and what was answered. Blocking.

Lines are only added, each in one write. An answer counts once its line is on the disk; a process that is killed leaves
at most its own last line cut.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any, Self

from opencode_nb.errors import OpencodeError
from opencode_nb.file_lock import try_lock
from opencode_nb.many.kept import Key
from opencode_nb.transcript.state import Json

_HEADER = {"format": "opencode_nb map", "version": 1}
_CLOSED = -1
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class ResumeFile:
    """What earlier maps with this file have sent and been answered; adds what this one does. Close it.

    Raises OSError, and OpencodeError for a file that is something else, or that another process is using.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser()
        self.sessions: dict[Key, str] = {}
        """The session in which each prompt was sent last."""
        self.answers: dict[Key, Json] = {}
        """What was kept of each answer."""
        self._writing = threading.Lock()
        self._file = os.open(self.path, _FLAGS, 0o600)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if not try_lock(self._file):
            raise OpencodeError(f"{self.path} is in use by another map: wait for it, or name another file.")
        data = self.path.read_bytes()
        whole, _, cut = data.rpartition(b"\n")
        lines = [_read(line) for line in whole.split(b"\n") if line]
        if (lines or cut) and lines[:1] != [_HEADER] and not _is_begun(data):
            raise OpencodeError(f"{self.path} is not a file of map: name another one for resume=.")
        if cut:
            os.ftruncate(self._file, len(data) - len(cut))
        if not lines:
            self._add(_HEADER)
        for line in lines[1:]:
            self._take(line)

    def _take(self, line: Json) -> None:
        key = (str(line.get("key")), int(line.get("nth") or 0))
        if "sent" in line:
            self.sessions[key] = str(line["sent"])
        elif "answer" in line:
            self.answers[key] = line["answer"]

    def sent(self, key: Key, session: str) -> None:
        """Note that a prompt is being sent in this session."""
        self._add({"key": key[0], "nth": key[1], "sent": session})

    def answered(self, key: Key, answer: Json) -> None:
        """Note an answer; return when it is on the disk."""
        self._add({"key": key[0], "nth": key[1], "answer": answer})
        os.fsync(self._file)

    def _add(self, line: Json) -> None:
        data = f"{json.dumps(line)}\n".encode()
        with self._writing:
            while data:  # a full disk raises; only then is a line written in pieces
                data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Let go of the file. A thread that writes later gets OSError: the descriptor may be another file's by then."""
        with self._writing:
            os.close(self._file)
            self._file = _CLOSED

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(line: bytes) -> Json:
    """Return a line's object; {} for one that is damaged, whose prompt is then asked again."""
    try:
        value: Any = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _is_begun(data: bytes) -> bool:
    """Whether this is a header that was cut."""
    return f"{json.dumps(_HEADER)}\n".encode().startswith(data)
