"""Offers functions to one session, and carries out the calls of its agent."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from opencode_nb.functions import running
from opencode_nb.functions.calling import Calling, Host
from opencode_nb.functions.running import Where
from opencode_nb.functions.tool import FunctionTool
from opencode_nb.tools.privacy import Level, Piece
from opencode_nb.tools.tool import Call, Result, Tool

log = logging.getLogger("opencode_nb")

STOPPED = "{} was stopped before it ended."


def offered(functions: Iterable[FunctionTool], host: Host) -> tuple[Tool, ...]:
    """Return functions as tools of a session. One whose types are not defined is left out, and the log says why."""
    return tuple(tool for function in functions if (tool := _offered(function, host)) is not None)


def _offered(function: FunctionTool, host: Host) -> Tool | None:
    try:
        schema = function.schema
    except ValueError as error:
        log.warning("The agent does not get the tool %s", error)
        return None

    async def call(made: Call) -> Result:
        return await _called(function, Calling(host, made, function.name))

    hints = tuple(function.annotations.items())
    return Tool(function.name, function.description, schema, call, asks=not function.read_only, hints=hints)


async def _called(function: FunctionTool, calling: Calling) -> Result:
    from opencode_nb.functions import results  # what describes frames and pictures is needed only now

    stopped = results.refused(function.name, Piece(STOPPED.format(function.name), Level.NONE))
    try:
        if function.is_async:
            return await running.run_async(lambda where: _await(function, calling, where), function.loop)
        return await running.run(lambda where: _call(function, calling, where), stopped, calling.stop)
    finally:
        calling.end()


def _call(function: FunctionTool, calling: Calling, where: Where) -> Result:
    """Call the function, here. Never raises."""
    from opencode_nb.functions import results

    try:
        with calling.running(where):
            args, kwargs = _bound(function, calling)
            return results.result(function.name, _ready(function.function(*args, **kwargs)))
    except BaseException as error:  # the user's own code, which may raise anything
        return _failed(function, error, where)


def _ready(value: object) -> object:
    """Return what a sync function returned. Raises TypeError for a coroutine or future: no loop here awaits it."""
    if not inspect.iscoroutine(value) and not asyncio.isfuture(value):
        return value
    if inspect.iscoroutine(value):
        value.close()
    raise TypeError("It returned what has to be awaited: define the tool with `async def`, and await it there.")


async def _await(function: FunctionTool, calling: Calling, where: Where) -> Result:
    """Await the function, on this loop. Never raises: on the user's loop, an interrupt would end that."""
    from opencode_nb.functions import results

    try:
        with calling.running(where):
            args, kwargs = _bound(function, calling)
            return results.result(function.name, await function.function(*args, **kwargs))
    except BaseException as error:  # the user's own code, and the cancelling
        return _failed(function, error, where)


def _bound(function: FunctionTool, calling: Calling) -> tuple[list[Any], dict[str, Any]]:
    parameters = function.parameters
    arguments = function.arguments.validated(calling.call.arguments)
    session = calling.host.session(parameters.wants) if parameters.wants else None
    return parameters.bound(arguments, session)


def _failed(function: FunctionTool, error: BaseException, where: Where) -> Result:
    from opencode_nb.functions import results
    from opencode_nb.functions.schema import ArgumentsError

    if isinstance(error, ArgumentsError):
        return results.refused(function.name, *error.told)
    result = results.failed(function.name, error)
    return replace(result, stopped=where.interrupted_by_user)
