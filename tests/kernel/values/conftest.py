"""A shell with variables, and the tools that look at them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.values.bounds.looking import OnMain
from opencode_nb.kernel.values.secrets import known_secrets
from opencode_nb.kernel.values.tools import value_tools
from opencode_nb.tools.ledger import Ledger
from opencode_nb.tools.privacy import Gate, Let, Level
from opencode_nb.tools.tool import Call, Result


async def now(function: Callable[[], Any]) -> Any:
    """Run a function on the main thread, which is free."""
    return function()


async def never(_function: Callable[[], Any]) -> Any:
    """Wait for the main thread, which is busy."""
    await asyncio.Event().wait()


async def refused(_function: Callable[[], Any]) -> Any:
    """Fail to reach the main thread."""
    raise OpencodeError("IPython waits for the user to type.")


class Kernel:
    """A namespace, and its tools as the agent of one session sees them."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell, self.gate = shell, Gate(Level.FULL, Ledger("ses_1"), known_secrets(shell))

    def result(self, tool: str, *, on_main: OnMain | None = now, **arguments: Any) -> Result:
        """Call a tool, while the main thread is free or as `on_main` has it."""
        (found,) = (one for one in value_tools(self.shell, on_main) if one.name == tool)
        return asyncio.run(found.call(Call("ses_1", arguments)))

    def let(self, tool: str, level: Level = Level.FULL, **arguments: Any) -> Let:
        """Call a tool, and return what the gate lets through."""
        self.gate.level = level
        return self.gate.let(self.result(tool, **arguments).outgoing, by=tool)

    def text(self, tool: str, level: Level = Level.FULL, **arguments: Any) -> str:
        """Call a tool, and return the text that the gate lets through."""
        return self.let(tool, level, **arguments).text


@pytest.fixture(scope="module")
def shell() -> InteractiveShell:
    """A shell of its own, which is not the process's."""
    config = Config()
    config.HistoryManager.enabled = False
    return InteractiveShell(config=config, colors="nocolor")


@pytest.fixture
def kernel(shell: InteractiveShell) -> Iterator[Kernel]:
    """The tools on an empty namespace."""
    before = dict(shell.user_ns)
    yield Kernel(shell)
    shell.user_ns.clear()
    shell.user_ns.update(before)
