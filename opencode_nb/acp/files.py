"""The files that an agent reads and writes through this process: those under the directory of its session."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

from opencode_nb.acp.wire import RpcError
from opencode_nb.transcript.state import Json

_NOT_FOUND, _INVALID = -32002, -32602


def read(directory: Path, params: Json) -> Json:
    """Answer `fs/read_text_file`. Raises RpcError for what is outside, missing or not text."""
    path, first, limit = _inside(directory, params), params.get("line"), params.get("limit")
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise RpcError(f"{path} cannot be read: {error.strerror}.", _NOT_FOUND) from error
    except UnicodeDecodeError as error:
        raise RpcError(f"{path} is not UTF-8 text.", _INVALID) from error
    if first is None and limit is None:
        return {"content": text}
    start = max(int(first or 1), 1) - 1
    stop = None if limit is None else start + int(limit)
    return {"content": "".join(itertools.islice(text.splitlines(keepends=True), start, stop))}


def write(directory: Path, params: Json) -> Json:
    """Answer `fs/write_text_file`. Raises RpcError for what is outside, or cannot be written."""
    path, content = _inside(directory, params), params.get("content")
    if not isinstance(content, str):
        raise RpcError("There is no content to write.", _INVALID)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
    except OSError as error:
        raise RpcError(f"{path} cannot be written: {error.strerror}.", _INVALID) from error
    return {}


def _inside(directory: Path, params: Json) -> Path:
    """Return the file that is meant, with links resolved."""
    named: Any = params.get("path")
    if not isinstance(named, str) or "\0" in named or not os.path.isabs(named):  # noqa: PTH117
        raise RpcError("Give an absolute path.", _INVALID)
    path, root = Path(os.path.realpath(named)), Path(os.path.realpath(directory))
    if not path.is_relative_to(root):
        raise RpcError(f"{named} is outside of the session's directory, {root}.", _INVALID)
    return path
