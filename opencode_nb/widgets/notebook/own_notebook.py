"""Warn if the agent changed the notebook that is open here: the next save would overwrite the agent's changes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from opencode_nb.changes.diff import FileDiff


def own_notebook_warning(files: Iterable[FileDiff], root: Path | None) -> str:
    """Return a warning if this kernel's notebook is among the files, else "". Jupyter's server provides its path."""
    path = os.environ.get("JPY_SESSION_NAME", "")
    if not path or root is None:
        return ""
    mine = Path(path).resolve()
    file = next((file for file in files if (root / file.file).resolve() == mine), None)
    if file is None or file.state == "reverted":  # the open notebook has it all
        return ""
    how = "" if file.certain else "By a command it ran, unless you saved the notebook yourself meanwhile. "
    return f"The agent changed this notebook, {file.file}, on disk. {how}{_WAY_OUT}"


_WAY_OUT = "Before you save: choose File > Reload Notebook from Disk, or saving overwrites what the agent did."
