"""%%opencode: an instruction about the code below it; what the answer has of code goes into a cell, or is run."""

from __future__ import annotations

import re
from argparse import Namespace
from typing import Any, Literal

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.magics.failure import CellError
from opencode_nb.magics.prompt import run_prompt
from opencode_nb.magics.showing.asking import asked
from opencode_nb.magics.showing.frontend import Frontend, detect
from opencode_nb.magics.workspace import Workspace
from opencode_nb.results.fences import blocks
from opencode_nb.session.permissions.policy import NOBODY, Answer
from opencode_nb.session.turn import Turn
from opencode_nb.tools.names import server_name
from opencode_nb.transcript.state import Json

Action = Literal["insert", "replace", "run"]

_PYTHON = ("python", "py", "python3", "ipython")
_ASK_FOR_CODE = "Answer with the complete code in one ```python block."
_BACKTICKS = re.compile("`{3,}")


def run_code(shell: InteractiveShell, workspace: Workspace, options: Namespace, instruction: str, code: str) -> Any:
    """Run a turn about the code, then do with the answer's code what the options say. Errors as for `run_prompt`.

    Raises CellError if the answer has no code, or if it may not be run or fails.
    """
    action: Action | None = options.action
    if not instruction.strip():
        raise UsageError("%%opencode: the instruction is empty. Write on its line what to do with the code below it.")
    if action and options.background:
        raise UsageError(f"%%opencode: --{action} is for prompts that the cell waits for: remove --background.")
    if action and options.verify:
        raise UsageError(f"%%opencode: --verify runs the saved notebook, which lacks the code to {action}: remove one.")
    text = _prompt(instruction, code, _ASK_FOR_CODE if action else "")
    if options.verify:
        from opencode_nb.magics.verifying import run_and_verify

        return run_and_verify(shell, workspace, "%%opencode", options, text, whole=True, note="")
    turn = run_prompt(shell, workspace, "%%opencode", options, text, whole=not action)
    if action is None or not isinstance(turn, Turn):
        return turn
    found = code_of(turn.text)
    if not found:
        raise CellError(f"The answer has no Python code: there is nothing to {action}.")
    if action == "run":
        _run(shell, turn, options.permission, found)
    else:
        _put(shell, action, found)
    return None


def code_of(text: str) -> str:
    """Return the Python code of an answer: its complete fenced blocks, joined by a blank line.

    Blocks without a language count only if none is labelled Python: beside such, they are output or shell commands.
    """
    found = [block for block in blocks(text) if block.closed and block.language in ("", *_PYTHON)]
    labelled = [block for block in found if block.language]
    return "\n\n".join(filter(str.strip, (block.text.strip("\n") for block in labelled or found)))


def _prompt(instruction: str, code: str, wish: str) -> str:
    longest = max(map(len, _BACKTICKS.findall(code)), default=2)
    fence = "`" * (longest + 1)
    about = f"{fence}python\n{code.strip(chr(10))}\n{fence}" if code.strip() else ""
    return "\n\n".join(filter(None, (instruction, about, wish)))


def _put(shell: InteractiveShell, action: Action, code: str) -> None:
    """Put the code into a cell: the front end does so when this one has ended. A run without one has no cells."""
    if detect(shell) is Frontend.HEADLESS:
        print("No page is connected, so no cell was changed. The code is in the answer above.")  # noqa: T201
        return
    shell.set_next_input(code, replace=action == "replace")


def _run(shell: InteractiveShell, turn: Turn, permission: Any, code: str) -> None:
    answer = _allowed(shell, turn, permission, code)
    if answer.reply == "reject":
        raise CellError(f"The code was not run. {answer.message}".rstrip())
    if not shell.run_cell(code, store_history=False).success:
        raise CellError("The code of the answer failed: see above.")


def _allowed(shell: InteractiveShell, turn: Turn, permission: Any, code: str) -> Answer:
    """Ask as for the agent's own calls of `python`: the policy, else the user."""
    session = turn.session._async
    policy = session.owner.policy_of(permission) if permission else session.policy or session.owner.policy
    request: Json = {
        "id": "code",
        "sessionID": session.id,
        "permission": f"{server_name(session.id)}_python",
        "call": {"tool": f"{server_name(session.id)}_python", "input": {"code": code}},
    }
    return portal.run(policy.decide, request) or asked(shell, request) or NOBODY
