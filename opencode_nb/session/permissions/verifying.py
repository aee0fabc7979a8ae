"""Refuses what would be sent from a notebook that is being verified, by magics and by Python code."""

from __future__ import annotations

import os

from opencode_nb.errors import OpencodeError

VERIFYING = "OPENCODE_NB_VERIFYING"
"""Environment variable of a kernel that runs a notebook to verify it: there, nothing is sent or verified."""


class VerifyingError(OpencodeError):
    """A prompt that is not sent, as the notebook is being verified."""


def refuse_prompts() -> None:
    """Raise VerifyingError in such a kernel."""
    if os.environ.get(VERIFYING):
        raise VerifyingError("The notebook is being verified: there, only prompts with --replay are run.")
