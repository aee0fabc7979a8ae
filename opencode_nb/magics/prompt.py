"""%%prompt and %prompt: send the text to the agent, stream the turn into the output, return the Turn as the value."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb.api.verifying import refuse_acts
from opencode_nb.magics.typed import body
from opencode_nb.magics.workspace import Workspace

if TYPE_CHECKING:
    from opencode_nb.kernel.context.subjects import Subject


def run_prompt(
    shell: InteractiveShell,
    workspace: Workspace,
    magic: str,
    options: Namespace,
    text: str,
    *,
    whole: bool,
    note: str = "",
    also: Iterable[Subject] = (),
) -> Any:
    """Run one turn, or a slash command, from the text to its value.

    `whole`: the turn is all of its cell, whose value it is; None then means that it is already shown, as in a terminal.
    `note` is a line to print above it, `also` what the prompt carries without mentioning it. Raises CellError if the
    turn fails or is interrupted, OpencodeError for a command that does not exist.
    """
    if not text.strip():
        where = "on this line" if magic == "%prompt" else "on this line or below it"
        raise UsageError(f"{magic}: the prompt is empty. Write {where} what the agent should do.")
    given = [name for name in _NOT_FOR_SHELL if getattr(options, name)]
    if given and body.parse(text).kind == "shell":
        raise UsageError(
            f"{magic}: a shell command does not take --{given[0].replace('_', '-')}, as no model runs: remove it."
        )
    played = options.replay or workspace.ai.recording is not None
    refuse_acts(playing=played)
    if not played:
        workspace.begin_start()  # while what follows is imported
    from opencode_nb.magics.prompt_cell import PromptCell, ReplayedCell

    kind = ReplayedCell if played else PromptCell
    return kind(shell, workspace, options, text, whole=whole, also=also).run(note)


_NOT_FOR_SHELL = (
    *("file", "image", "model", "agent", "variant", "effort", "permission", "privacy", "no_kernel", "cells"),
    *("record", "replay", "max_cost", "max_steps", "retry", "schema", "verify"),
)
