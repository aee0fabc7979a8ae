"""Explain why the server failed to store a turn: it reports "Failed to execute statement" and little else."""

from __future__ import annotations

import errno
import re
import tempfile
from pathlib import Path
from typing import Any

from opencode_nb.errors import InternalServerError
from opencode_nb.transcript.state import Json

__all__ = ["explained", "named"]

NAME = "StorageError"
PROBE_BYTES = 1 << 16
_FAILED = re.compile(r"Failed to execute statement|SqlError|SQLiteError|\bENOSPC\b|\bEDQUOT\b|No space left on device")
_FULL = re.compile(r"disk is full|\bENOSPC\b|\bEDQUOT\b|No space left on device")


def explained(event: Json, directory: Path | None) -> Json:
    """Replace a storage error in an event with one that names the cause; return other events unchanged.

    directory: the server's data directory; None on another machine.
    """
    properties: Json = event.get("properties") or {}
    of_message = event.get("type") == "message.updated"
    holder: Json = (properties.get("info") or {}) if of_message else properties
    error = holder.get("error")
    if not isinstance(error, dict) or not _FAILED.search(said := _message(error)):
        return event
    told = {**holder, "error": {"name": NAME, "data": {"message": _cause(said, directory), "error": error}}}
    return {**event, "properties": {**properties, "info": told} if of_message else told}


def named(error: InternalServerError, directory: Path | None) -> InternalServerError:
    """Add the cause to a bare 500 (all that a request outside a turn gets) if the server can't write its data.

    directory: as for `explained`.
    """
    if directory is None or _trouble(directory) is None:
        return error
    text = f"{error.method} {error.path} answered {error.status} (ref {error.ref}): {_cause('', directory)}"
    facts = ("status", "body", "name", "ref", "retry_after", "method", "path")
    return InternalServerError(
        f"{text} Free some space there, then try again.", **{key: getattr(error, key) for key in facts}
    )


def _message(error: Json) -> str:
    data: Any = error.get("data")
    return str(data.get("message") or "") if isinstance(data, dict) else ""


def _cause(said: str, directory: Path | None) -> str:
    where = f" ({directory})" if directory else ""
    trouble = _trouble(directory) if directory else None
    if _FULL.search(said) or (trouble and trouble.errno in (errno.ENOSPC, errno.EDQUOT)):
        return f"The disk of the server's data is full{where}: it could not store the turn."
    if trouble:
        return f"The server can't write its data{where}: {trouble.strerror or trouble}."
    first = said.splitlines()[0].removeprefix("effect/sql/SqlError: ")
    return f"The server could not write to its database{where}: {first}."


def _trouble(directory: Path) -> OSError | None:
    """Return the error of a trial write, or None. Only a write shows quotas and permissions too."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0" * PROBE_BYTES)
            file.flush()
    except OSError as error:
        return error
    return None
