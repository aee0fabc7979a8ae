"""What the kernel offers to the agent."""

from __future__ import annotations

from typing import Any

from opencode_nb.kernel.values.looking import OnMain
from opencode_nb.kernel.values.tools import value_tools
from opencode_nb.tools.tool import Tool


def kernel_tools(shell: Any, on_main: OnMain | None = None) -> tuple[Tool, ...]:
    """Return the tools for a shell's kernel. Call on the main thread.

    `on_main` runs a function on the main thread when that is free. Without it, no code of the user's values runs.
    """
    return value_tools(shell, on_main)
