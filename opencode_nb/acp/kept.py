"""Start a program under a keeper of its own (server/stdio_keeper.py), which ends it with all it started."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from typing import Any

from opencode_nb.server import stdio_keeper


async def start_kept(command: Sequence[str], **options: Any) -> tuple[Process, int]:
    """Start a program in a process session of its own; return it, and the descriptor whose closing ends it.

    `options` are those of `asyncio.create_subprocess_exec`. Raises OSError.
    """
    ours, theirs = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", stdio_keeper.__file__, str(ours), *command),
            pass_fds=(ours,),
            start_new_session=True,  # Jupyter's interrupt goes to the kernel's process group
            **options,
        )
    except BaseException:
        os.close(theirs)
        raise
    finally:
        os.close(ours)
    return process, theirs
