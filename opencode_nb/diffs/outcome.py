"""Outcome: what a revert or reapply came to. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a revert or reapply: `done` are the paths it changed, `refused` (path, reason) of those it left
    alone.

    `copies` are (path, backup) of what was overwritten.
    """

    done: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
