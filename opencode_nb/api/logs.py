"""OPENCODE_NB_LOG=debug (or info, warning): what this package logs, on stderr, without a line of code.

Every request is a debug line with its outcome and time. Only method and path are logged, no header, query or body: no
password can be among it.
"""

from __future__ import annotations

import logging
import os

__all__ = ["show_log"]

VARIABLE = "OPENCODE_NB_LOG"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def show_log() -> None:
    """Show what is logged from the level that the environment names; does nothing where it names none."""
    level = _LEVELS.get(os.environ.get(VARIABLE, "").lower())
    if level is None:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    log = logging.getLogger("opencode_nb")
    log.addHandler(handler)
    log.setLevel(level)
