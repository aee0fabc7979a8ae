"""Subcommand that runs the notebook from the top in a fresh kernel: verify.

What runs notebooks and compares outputs is loaded when it is used.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from IPython.core.getipython import get_ipython

from opencode_nb.magics.commands.group import Group, argument
from opencode_nb.magics.options import seconds, whole_number
from opencode_nb.magics.workspace import Workspace
from opencode_nb.verify.limits import CELL_TIMEOUT, ROUNDS, TOTAL_TIMEOUT, Limits

group = Group("The notebook")


@group.command(
    argument("path", nargs="?", metavar="PATH", help="the notebook's file (default: this notebook, saved or not)"),
    argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=CELL_TIMEOUT,
        help=f"stop a cell after this many seconds (default: {CELL_TIMEOUT:g})",
    ),
    argument(
        "--total",
        metavar="SECONDS",
        type=seconds,
        default=TOTAL_TIMEOUT,
        help=f"run no more cells after this many seconds (default: {TOTAL_TIMEOUT:g})",
    ),
    argument(
        "--mend",
        nargs="?",
        const=ROUNDS,
        default=0,
        metavar="N",
        type=whole_number,
        help=f"let the agent mend what is found, up to N times (default: {ROUNDS})",
    ),
    argument("--yes", action="store_true", help="run the cells without asking"),
)
def verify(workspace: Workspace, options: Namespace) -> object:
    """Run the notebook from the top in a fresh kernel, and report what raises, differs or depends on hidden state.

    A copy is run, in the notebook's directory; prompts are not run again. The report is the cell's value.
    """
    from opencode_nb.magics.verifying import prepared

    shell: Any = get_ipython()
    limits = Limits(options.timeout, options.total)
    return prepared(shell, workspace, options.path, limits=limits, yes=options.yes).mended(options.mend)
