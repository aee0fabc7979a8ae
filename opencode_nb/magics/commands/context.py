"""Subcommands for what the agent is told of the kernel: context, ledger; and fix and explain, which tell it of a cell.

What describes values is loaded when it is used.
"""

from __future__ import annotations

import re
import textwrap
from argparse import Namespace
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.context.cells import Cell, Cells, cells_of
from opencode_nb.magics.commands.group import Group, argument, say
from opencode_nb.magics.options import prompt_parser
from opencode_nb.magics.prompt import run_prompt
from opencode_nb.magics.workspace import Workspace
from opencode_nb.session.prompt import listing
from opencode_nb.tools.ledger import tokens_of
from opencode_nb.transcript.state import Json

group = Group("What the agent is told")

FIX = "Fix the last error."
EXPLAIN = "Explain the output of cell In[{}]."

_NUMBER = re.compile(r"(?:(?:Out|In)?\[(\d+)\]|(\d+))", re.IGNORECASE)


@group.command(argument("text", nargs="*", metavar="TEXT", help="a prompt, to see what it would carry"))
def context(workspace: Workspace, options: Namespace) -> None:
    """Show how full the model's context is, and what the next prompt would carry. Sends nothing."""
    from opencode_nb.kernel.context.session_context import SessionContext, context_of
    from opencode_nb.magics.carried import Carrier

    session = workspace.session
    now = session.context if session is not None else None
    if now is not None and now.model:
        say(f"Context: {listing.used(now)} of {now.model}. %opencode compact frees most of it.")
    else:
        say("Nothing has been sent in this session yet.")
    told = context_of(session.id).preview() if session is not None else SessionContext("")
    level = told.settle()
    parts = Carrier(_shell(), workspace.ai, told).parts(" ".join(options.text))
    comments = session.comments if session is not None else []
    shown = [part for part in parts if part.get("text") != ""]
    shown += [{"type": "text", "text": comment.prompt} for comment in comments]
    say(
        f"The next prompt would carry, at privacy level {level.name.lower()}:"
        if shown
        else "The next prompt would carry its text only."
    )
    for part in shown:
        say(_described(part))
    say(f"Together about {sum(tokens_of(str(part.get('text') or '')) for part in shown):,} tokens of text.")


def _described(part: Json) -> str:
    """Show a part: its name and size, and its text."""
    own = (part.get("metadata") or {}).get("opencode_nb") or {}
    if part["type"] != "text":
        return f"- {part['type']} {part.get('filename') or part.get('name')}{_size(part)}"
    name = own.get("variable") or "text"
    text = textwrap.indent(str(part["text"]), "    ")
    return f"- {name}, about {tokens_of(str(part['text'])):,} tokens:\n{text}"


def _size(part: Json) -> str:
    url = str(part.get("url") or "")
    if url.startswith("data:"):
        return f", {len(url) * 3 // 4:,} bytes"
    return ", read by the server" if url else ""


@group.command()
def ledger(workspace: Workspace, _options: Namespace) -> None:
    """List what left the kernel in this session: when, what, how much, to which model. Not the data itself."""
    from opencode_nb.kernel.context.session_context import context_of

    say(str(context_of(workspace.session.id if workspace.session is not None else "").gate.ledger))


@group.command(argument("words", nargs="*", metavar="WORDS", help="what to mind when fixing it"))
def fix(workspace: Workspace, options: Namespace) -> None:
    """Send the last error, with its traceback and its cell, for the agent to fix."""
    from opencode_nb.kernel.context.subjects import last_error

    shell, words = _shell(), " ".join(options.words)
    cells = cells_of(shell)
    if cells.error is None:
        meant = f" To send it to the agent: `%prompt fix {words}`." if words else ""
        raise OpencodeError(f"There is no error to fix: no cell has failed.{meant}")
    text, error = f"{FIX} {words}".strip(), [last_error(cells)]
    run_prompt(shell, workspace, "%opencode fix", prompt_parser().parse_line(""), text, whole=False, also=error)


@group.command(
    argument("out", nargs="?", metavar="OUT", help="the cell: 5, Out[5] or In[5] (default: the last one)"),
    argument("words", nargs="*", metavar="WORDS", help="what to mind when explaining it"),
)
def explain(workspace: Workspace, options: Namespace) -> None:
    """Send a cell, with its output or its error, for the agent to explain."""
    from opencode_nb.kernel.context.subjects import of_cell

    shell = _shell()
    named = _NUMBER.fullmatch(options.out or "")
    words = options.words if named or not options.out else [options.out, *options.words]
    cells = cells_of(shell)
    cell = _cell(cells, int(named[1] or named[2]) if named else None)
    subject = of_cell(f"In[{cell.number}]", f"The cell In[{cell.number}] of the notebook", cell, cells)
    text = " ".join([EXPLAIN.format(cell.number), *words])
    run_prompt(shell, workspace, "%opencode explain", prompt_parser().parse_line(""), text, whole=False, also=[subject])


def _cell(cells: Cells, number: int | None) -> Cell:
    """Return the cell with a number, or the last one. Raises OpencodeError if there is none."""
    found = cells.last if number is None else cells.numbered(number)
    if found is None:
        which = "no cell to explain: none has run" if number is None else f"no cell In[{number}]"
        raise OpencodeError(f"There is {which}. Run one, or give the number of one that ran.")
    return found


def _shell() -> InteractiveShell:
    shell: Any = get_ipython()
    assert isinstance(shell, InteractiveShell), "The magics run in a shell."
    return shell
