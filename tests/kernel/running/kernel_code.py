"""What the tests run in a real kernel: a runner, and prompts that wait as %%prompt does, without a server."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython

from opencode_nb import portal
from opencode_nb.kernel.running.execution import Ran
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.session.permissions.jobs import Jobs

runner = Runner(get_ipython())


def ask(code: str, file: str, **options: Any) -> None:
    """Run code as the agent of a panel's turn does: the cell that calls this ends at once; `file` gets the result."""
    portal.start(_ask, code, file, options)


async def _ask(code: str, file: str, options: dict[str, Any]) -> None:
    try:
        ran = await runner.run(code, **options)
        text = json.dumps([_text(ran), ran.failed, ran.interrupted_by_user])
    except Exception as error:
        text = json.dumps([repr(error), True, False])
    _put(Path(file), text)


def _put(file: Path, text: str) -> None:
    """Write a file as a whole."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.rename(file)


def prompt(code: str, **options: Any) -> None:
    """Wait as %%prompt does while the agent runs code, and print what the agent is told."""
    done: Future[None] = Future()
    future = portal.start(runner.run, code, **options)
    future.add_done_callback(lambda _future: done.set_result(None))
    Jobs().serve_until(done)
    print(f"told: {_text(future.result())!r}")


def _text(ran: Ran) -> str:
    return "".join(piece.text for piece in ran.outgoing.pieces)
