"""The diff of a work tree, whoever changed it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from opencode_nb.api.client import AsyncClient
from opencode_nb.errors import OpencodeError

if TYPE_CHECKING:
    from opencode_nb.changes.diff import Diff

Mode = Literal["git", "branch"]


def check(mode: str) -> None:
    """Raise ValueError unless it is a `Mode`."""
    if mode not in ("git", "branch"):
        raise ValueError(f'mode={mode!r} is neither "git" nor "branch".')


async def diff(client: AsyncClient, directory: Path, mode: Mode) -> Diff:
    """Diff against the last commit ("git") or the point where the branch started. Raises OpencodeError."""
    from opencode_nb.changes import sources
    from opencode_nb.changes.diff import Diff

    branch = await _default_branch(client) if mode == "branch" else ""
    return Diff(*await asyncio.to_thread(sources.of_work_tree, directory, branch))


async def _default_branch(client: AsyncClient) -> str:
    if name := (await client.vcs.get()).get("default_branch"):
        return str(name)
    raise OpencodeError('There is no other default branch to compare with: diff("git") shows what is uncommitted.')
