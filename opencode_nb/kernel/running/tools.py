"""The tools `python`, `history` and `progress`: what the agent reads of them, and their arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from opencode_nb.kernel.running.execution import Ran
from opencode_nb.kernel.running.runner import LIMIT, Runner
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.tool import Call, Result, Tool

LONGEST = 600.0
"""Seconds that a call may ask for."""

MOST = 50
"""Entries of the history that a call may ask for."""

_PYTHON = (
    "Run Python code in the user's live Jupyter kernel, in the user's namespace, on the main thread. Variables, "
    "imports and in-place changes stay, and are the user's. IPython syntax (`!ls`, magics) works. Returns what the "
    "code printed and displayed, the value of a last expression, the traceback of an error, figures as images, and "
    "which variables changed. Long output is cut in the middle. input() and debuggers are refused; so is `await` at "
    f"the top level while a %%prompt cell waits. After {LIMIT:g} seconds, or `timeout`, the code is interrupted."
)
_HISTORY = "List the notebook cells and the agent's code that ran last in the user's kernel, with values and errors."
_PROGRESS = "Tell what the user's kernel is doing now: the running code, since when, and where it is. Never waits."


Land = Callable[[Call, str, Ran], Awaitable[Ran]]
"""Put code that a call ran into the notebook; return what the model is told of both."""


def running_tools(runner: Runner, land: Land) -> tuple[Tool, ...]:
    """Return the tools of a runner, whose code lands in the notebook by `land`."""
    return (
        Tool("python", _PYTHON, _PYTHON_SCHEMA, partial(_python, runner, land), asks=True),
        Tool("history", _HISTORY, _HISTORY_SCHEMA, partial(_history, runner)),
        Tool("progress", _PROGRESS, {"type": "object", "properties": {}}, partial(_progress, runner)),
    )


_PYTHON_SCHEMA = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "description": "Python code"},
        "timeout": {
            "type": "number",
            "description": f"Seconds that the code may run; {LIMIT:g} by default, at most {LONGEST:g}",
        },
    },
    "required": ["code"],
}
_HISTORY_SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer", "description": f"How many entries; 10 by default, at most {MOST}"}},
}


async def _python(runner: Runner, land: Land, call: Call) -> Result:
    code, timeout = call.arguments.get("code"), call.arguments.get("timeout", LIMIT)
    if not isinstance(code, str) or not code.strip():
        return _wrong("`code` is missing: give the Python code to run.")
    if not _is_number(timeout) or not 0 < timeout <= LONGEST:
        return _wrong(f"`timeout` must be a number of seconds from 0 to {LONGEST:g}.")
    ran = await land(call, code, await runner.run(code, timeout=timeout, session=call.session, turn=call.turn))
    return Result(ran.outgoing, ran.failed, ran.blocks, ran.interrupted_by_user)


async def _history(runner: Runner, call: Call) -> Result:
    count = call.arguments.get("count", 10)
    if not _is_number(count) or not 1 <= count <= MOST:
        return _wrong(f"`count` must be a number from 1 to {MOST}.")
    return Result(runner.history.recent(int(count)))


async def _progress(runner: Runner, _call: Call) -> Result:
    return Result(runner.history.progress())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(text: str) -> Result:
    return Result(Outgoing("python", (Piece(text, Level.NAMES),)), failed=True)
