"""OPENCODE_NB_LOG=debug (or info, warning, error): show this package's log on stderr, without changing any code.

Each request is one debug line with its outcome and time. Only method and path are logged, never headers, query or body,
so no password can leak.
"""

from __future__ import annotations

import logging
import os

__all__ = ["show_log"]

VARIABLE = "OPENCODE_NB_LOG"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def show_log() -> None:
    """Show the log from the level set in the environment; do nothing if none is set."""
    level = _LEVELS.get(os.environ.get(VARIABLE, "").lower())
    if level is None:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    log = logging.getLogger("opencode_nb")
    log.addHandler(handler)
    log.setLevel(level)
