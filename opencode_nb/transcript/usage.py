"""Token usage of a session, and how full the model's context is. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opencode_nb.transcript.state import Json, TurnState


@dataclass(frozen=True, slots=True)
class Context:
    """How full the model's context is: `tokens` after the last step, of the model's `window` (0: unknown)."""

    model: str
    tokens: int
    window: int

    @property
    def share(self) -> float:
        """From 0 to 1; 0 if the window is unknown."""
        return self.tokens / self.window if self.window else 0.0


def flat(tokens: Json | None) -> dict[str, int]:
    """Return the server's token counts as input, output, reasoning, cache_read, cache_write."""
    counted, cache = tokens or {}, (tokens or {}).get("cache") or {}
    return {
        **{key: int(counted.get(key) or 0) for key in ("input", "output", "reasoning")},
        **{f"cache_{key}": int(cache.get(key) or 0) for key in ("read", "write")},
    }


def last_step(turns: Iterable[TurnState]) -> Json:
    """Return the last step that has token counts, else {}."""
    steps = [step.info for turn in turns for step in list(turn.steps.values()) if step.info.get("role") == "assistant"]
    return next((info for info in reversed(steps) if sum(flat(info.get("tokens")).values())), {})


def session_model(info: Json) -> str:
    """Return the "provider/model" that the server continues this session with; "" before its first prompt."""
    model = info.get("model") or {}
    return f"{model.get('providerID', '')}/{model.get('id', '')}" if model else ""


def context(turns: Iterable[TurnState], windows: dict[str, int]) -> Context:
    """Return the context after the last step; `windows` maps "provider/model" to window sizes.

    After a compaction it holds only what that step wrote: what it read is gone.
    """
    info = last_step(turns)
    model = f"{info.get('providerID', '')}/{info.get('modelID', '')}" if info else ""
    tokens = flat(info.get("tokens"))
    held = tokens["output"] if info.get("summary") else sum(tokens.values())
    return Context(model, held, windows.get(model, 0))
