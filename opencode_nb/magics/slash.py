"""Slash commands of ours in a %%prompt cell: carry one out on the notebook's session, and show its result."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from IPython.core.error import UsageError

from opencode_nb.magics.showing.reaching import notebook_reached
from opencode_nb.magics.workspace import Workspace
from opencode_nb.session import export
from opencode_nb.session.blocking import Session
from opencode_nb.session.blocking_compose import act
from opencode_nb.session.prompt.commands import Said

_NOT_TAKEN = (
    *("file", "image", "model", "agent", "variant", "effort", "permission", "privacy", "no_kernel", "timeout"),
    *("max_cost", "max_steps", "retry", "record", "replay", "output", "background", "quiet", "verify"),
)


def run_slash(workspace: Workspace, options: Namespace, said: Said) -> Any:
    """Carry out the command and print its result; return a review of changes as the cell's value.

    Raises UsageError for an option that only prompts take, OpencodeError if the command fails.
    """
    if given := [name for name in _NOT_TAKEN if getattr(options, name)]:
        raise UsageError(f"%%prompt: /{said.name} does not take --{given[0].replace('_', '-')}: remove it.")
    session = _session(workspace, options)
    with notebook_reached(session):
        result = act(session, said)
    workspace.session = result.session or session
    if result.diff is not None:
        from opencode_nb.magics.review import show

        return show(result.diff, session)
    print(f"Written: {export.save(result.file)}" if result.file else result.text)  # noqa: T201  # the cell's own output
    return None


def _session(workspace: Workspace, options: Namespace) -> Session:
    if options.session:
        return workspace.find(options.session)
    return workspace.new() if options.new else workspace.current()
