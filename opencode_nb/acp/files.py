"""The files that an agent reads and writes through this process: below its session's directories. Blocking."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencode_nb.acp.wire import INVALID, RpcError
from opencode_nb.changes import regular_file, worktree
from opencode_nb.diffs.change import REGULAR, Side, known
from opencode_nb.transcript.state import Json

LARGEST = 16 * 1024 * 1024
"""Bytes of a file that agents can read or replace: their messages, and its backup, hold it whole."""

_NOT_FOUND = -32002


def read(roots: Sequence[Path], params: Json) -> Json:
    """Answer `fs/read_text_file`. Raises RpcError for what is outside, missing, too large or not text."""
    path, first, limit = inside(roots, params), params.get("line"), params.get("limit")
    try:
        text = regular_file.read(path, LARGEST, follow=False).decode()
    except UnicodeDecodeError as error:
        raise RpcError(f"{path} is not UTF-8 text.", INVALID) from error
    except OSError as error:
        raise RpcError(f"{path} cannot be read: {error.strerror or error}.", _NOT_FOUND) from error
    if first is None and limit is None:
        return {"content": text}
    start = max(int(first or 1), 1) - 1
    stop = None if limit is None else start + int(limit)
    return {"content": "".join(itertools.islice(text.splitlines(keepends=True), start, stop))}


@dataclass(frozen=True, slots=True)
class Write:
    """A file that is to be written, with links resolved, what is there now, and its new text."""

    path: Path
    before: Side | None
    content: str

    @classmethod
    def of(cls, path: Path, params: Json) -> Write:
        """Read the request `fs/write_text_file`. Raises RpcError for what cannot be replaced."""
        content = params.get("content")
        if not isinstance(content, str):
            raise RpcError("There is no content to write.", INVALID)
        try:
            return cls(path, worktree.read(path, LARGEST), content)
        except worktree.UnreadableError as error:
            raise RpcError(f"{path} cannot be written: {error}", INVALID) from error

    @property
    def diff(self) -> Json:
        """It as the content of a call."""
        old = None if self.before is None else self.before.read().decode(errors="replace")
        return {"type": "diff", "path": str(self.path), "oldText": old, "newText": self.content}

    def carry_out(self) -> None:
        """Write the file, all of it at once, unless it has this text already. Raises RpcError."""
        data = self.content.encode()
        if self.before is not None and self.before.read() == data:
            return
        try:
            worktree.write(self.path, known(data, self.before.mode if self.before else REGULAR))
        except OSError as error:
            raise RpcError(f"{self.path} cannot be written: {error.strerror}.", INVALID) from error


def inside(roots: Sequence[Path], params: Json) -> Path:
    """Return the file that is meant, with links resolved. Raises RpcError for one outside of the directories."""
    named: Any = params.get("path")
    if not isinstance(named, str) or "\0" in named or not os.path.isabs(named):  # noqa: PTH117
        raise RpcError("Give an absolute path.", INVALID)
    path = Path(os.path.realpath(named))
    if not any(path.is_relative_to(os.path.realpath(root)) for root in roots):
        raise RpcError(f"{named} is outside of the session's directory, {roots[0]}.", INVALID)
    return path
