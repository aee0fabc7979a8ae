"""An interrupt at a chosen moment, as Jupyter's stop button and Ctrl-C send it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the package is imported by the fixtures, after the environment was isolated
    from opencode_nb.session.blocking import Session
    from opencode_nb.transcript.transcript import Change


def interrupt_when_told(session: Session, kind: str) -> None:
    """Interrupt the main thread at the session's next change of this kind, before the loop does anything else."""

    def told(change: Change) -> None:
        if change.kind == kind:
            unsubscribe()
            os.kill(os.getpid(), signal.SIGINT)

    unsubscribe = session.subscribe(told)
