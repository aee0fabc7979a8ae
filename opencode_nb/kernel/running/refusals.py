"""Refuses what would wait for a person while the agent's code runs: `input()`, passwords, debuggers, `exit`."""

from __future__ import annotations

import builtins
import contextlib
import getpass
import pdb
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from IPython.core.interactiveshell import InteractiveShell

_ASKS = "Code that the agent runs cannot ask the user: {}. Put the answer into the code, or ask in the conversation."
_DEBUGS = "Code that the agent runs cannot stop in a debugger: {}. Print what is of interest instead."
_EXITS = "Code that the agent runs cannot end the kernel: {}."


class RefusedError(RuntimeError):
    """The agent's code called something that only the user's own code may."""


@contextlib.contextmanager
def refused(shell: InteractiveShell) -> Iterator[None]:
    """In the body, make these functions raise RefusedError."""
    refusals = (
        (builtins, "input", _refusal(_ASKS, "input()")),
        (getpass, "getpass", _refusal(_ASKS, "getpass()")),
        (sys, "breakpointhook", _refusal(_DEBUGS, "breakpoint()")),
        (pdb, "set_trace", _refusal(_DEBUGS, "pdb.set_trace()")),
        (pdb, "post_mortem", _refusal(_DEBUGS, "pdb.post_mortem()")),
        (shell, "debugger", _refusal(_DEBUGS, "%debug")),
        (shell, "ask_exit", _refusal(_EXITS, "exit")),
    )
    with contextlib.ExitStack() as stack:
        for owner, name, function in refusals:
            stack.enter_context(replaced(owner, name, function))
        yield


def _refusal(text: str, what: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise RefusedError(text.format(what))

    return refuse


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    """In the body, give an attribute another value; then take it back, also if the owner had none of its own."""
    own = vars(owner)
    had, before = name in own, own.get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if had:
            setattr(owner, name, before)
        else:
            delattr(owner, name)
