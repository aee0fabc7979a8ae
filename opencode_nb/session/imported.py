"""Bring an exported session into a directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from opencode_nb.api.client import AsyncClient
from opencode_nb.api.verifying import refuse_acts
from opencode_nb.errors import NotFoundError, OpencodeError
from opencode_nb.server import Server
from opencode_nb.stored import importing

_IMPORT_THERE = "A server that was joined by URL imports nothing: run `opencode import FILE` where it was started."


async def import_file(
    server: Server | None, client: AsyncClient, path: Path, directory: Path, environment: Mapping[str, str]
) -> str:
    """Import an exported session, and return its id. Raises as `AsyncOpencode.import_session`."""
    refuse_acts()
    if server is None:
        raise OpencodeError(_IMPORT_THERE)
    session_id = await asyncio.to_thread(importing.exported_id, path)
    with contextlib.suppress(NotFoundError):
        info = await client.session.get(session_id)
        raise OpencodeError(f"Session {session_id} exists already, in {info['directory']}: open or delete that one.")
    environ = {**os.environ, **environment}
    await asyncio.to_thread(importing.run_import, server.status().program, path, directory, environ)
    return session_id
