"""Budget: limits on what turns spend, for one turn, a session, or all that share it. Knows no session."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, Self

from opencode_nb.errors import BudgetExceededError
from opencode_nb.spending.steps import Spent
from opencode_nb.transcript.state import Json

log = logging.getLogger("opencode_nb")

CURRENCY = "USD"
"""The currency of all costs: OpenCode's price list has no other."""

LIMITS = ("max_cost", "max_tokens", "max_steps", "max_tools")
"""The limits, by the names of their options."""

_USED = {"max_cost": "cost", "max_tokens": "tokens", "max_steps": "steps", "max_tools": "tools"}
_WHOLE = {"max_tokens": "tokens", "max_steps": "model steps", "max_tools": "tool rounds"}
_LATE = " A step's cost is known only when the step has ended, so the last one may pass the limit."


class _State(NamedTuple):
    """How far a limit is used."""

    limit: str
    used: float
    maximum: float

    @property
    def share(self) -> float:
        return self.used / self.maximum

    @property
    def is_passed(self) -> bool:
        return self.used > self.maximum

    @property
    def is_reached(self) -> bool:
        """Whether no further step may begin. After the last tool round, one may: the answer."""
        return self.used >= self.maximum if self.limit != "max_tools" else self.is_passed

    def __str__(self) -> str:
        if self.limit == "max_cost":
            return f"${self.used:.4f} of ${self.maximum:.4f} {CURRENCY}"
        return f"{self.used:,} of {self.maximum:,} {_WHOLE[self.limit]}"


class Budget:
    """Limits on what turns spend: give it to a prompt, a session or an `Opencode`, or to several that share it.

    `max_cost` is in USD, as OpenCode reports costs; `max_tokens` counts all kinds, cached ones too; `max_steps` counts
    steps of the model, `max_tools` those that call tools. Subagents count. A turn over a limit is stopped, keeps what
    has arrived and raises BudgetExceededError; a prompt is refused when a limit leaves no step. A step's cost and
    tokens are known only when it has ended: the last one may pass these limits. Models without prices cost 0: limit
    their tokens. `stop=False` only observes.

    `on_warning(text)` is called, and the log told, once when `warn_at` (a share of the tightest limit) is reached.
    All methods may be called on any thread. Raises ValueError for a limit that is not a number above 0.
    """

    def __init__(
        self,
        *,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        max_steps: int | None = None,
        max_tools: int | None = None,
        stop: bool = True,
        warn_at: float = 0.9,
        on_warning: Callable[[str], object] | None = None,
    ) -> None:
        self.limits: dict[str, float] = {}
        self._told: set[str] = set()
        self.change(max_cost=max_cost, max_tokens=max_tokens, max_steps=max_steps, max_tools=max_tools)
        if not 0 < warn_at <= 1:
            raise ValueError(f"warn_at={warn_at!r} is not a share above 0, up to 1.")
        self.stop, self.warn_at, self.on_warning = stop, warn_at, on_warning
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._cost, self._tokens, self._steps, self._tools = 0.0, 0, 0, 0

    def change(self, **limits: float | None) -> None:
        """Change these limits; None takes one away. What was spent stays. Raises ValueError."""
        changed = {name: None if value is None else checked(name, value) for name, value in limits.items()}
        kept = {name: value for name, value in {**self.limits, **changed}.items() if value is not None}
        self.limits, self._told = kept, set()

    # -- what is spent ---------------------------------------------------------------------------------------------

    @property
    def cost(self) -> float:
        """What was spent, in USD."""
        return self._cost

    @property
    def tokens(self) -> int:
        """Tokens of all kinds."""
        return self._tokens

    @property
    def steps(self) -> int:
        """Steps of the model that came to their end."""
        return self._steps

    @property
    def tools(self) -> int:
        """Tool rounds: steps that called tools, however many."""
        return self._tools

    @property
    def spent(self) -> float:
        """The used share of the tightest limit, 1.0 when it is used up; 0.0 without limits."""
        return max((state.share for state in self._states()), default=0.0)

    @property
    def exceeded(self) -> str:
        """The limit that leaves no further step, such as "max_cost"; "" if there is none."""
        reached = self._reached()
        return reached.limit if reached else ""

    def _states(self) -> list[_State]:
        with self._lock:
            return [_State(name, getattr(self, f"_{_USED[name]}"), maximum) for name, maximum in self.limits.items()]

    def _reached(self) -> _State | None:
        return next((state for state in self._states() if state.is_reached), None)

    # -- spending --------------------------------------------------------------------------------------------------

    def add(self, spent: Spent) -> list[str]:
        """Count what a step used, once however often it is added; return the new warnings."""
        with self._lock:
            if spent.key in self._seen:
                return []
            self._seen.add(spent.key)
            self._cost += spent.cost
            self._tokens += spent.total
            self._steps += spent.steps
            self._tools += spent.tools
        return [text for kind, text in self._warnings(spent) if self._warn(kind, text)]

    def check(self) -> None:
        """Raise BudgetExceededError if a limit leaves no further step, unless this budget only observes."""
        if self.stop and (reached := self._reached()) is not None:
            error = _error(f"Nothing was sent: {reached.limit} is used up, {reached}.", reached)
            raise BudgetExceededError(f"{error['data']['message']} Raise it, or reset the budget.", data=error)

    def stopping(self, goes_on: bool) -> Json | None:
        """Return the error to stop a turn with; None to let it run. `goes_on`: it needs another step."""
        over = [state for state in self._states() if state.is_passed or (goes_on and state.is_reached)]
        if not (over and self.stop):
            return None
        late = _LATE if over[0].limit == "max_cost" else ""
        return _error(f"Stopped at {over[0].limit}: {over[0]} used.{late}", over[0])

    def reset(self) -> None:
        """Begin at zero. Steps counted before are not counted again."""
        with self._lock:
            self._cost, self._tokens, self._steps, self._tools = 0.0, 0, 0, 0
            self._told.clear()

    # -- warnings --------------------------------------------------------------------------------------------------

    def _warnings(self, spent: Spent) -> Iterable[tuple[str, str]]:
        """Yield what there is to warn of now, with its kind: each kind is told once."""
        tightest = max(self._states(), key=lambda state: state.share, default=None)
        if tightest is not None and tightest.is_reached and not self.stop:
            yield "over", f"Over the budget: {tightest} used. It only observes, so nothing was stopped."
        elif tightest is not None and not tightest.is_reached and tightest.share >= self.warn_at:
            yield "near", f"Near the budget: {tightest} used."
        if "max_cost" in self.limits and spent.total and not spent.cost:
            yield "free", f"{spent.model} has no price: max_cost cannot limit it, only max_tokens can."

    def _warn(self, kind: str, text: str) -> bool:
        """Tell a warning; return whether it is the first of its kind."""
        with self._lock:
            if kind in self._told:
                return False
            self._told.add(kind)
        log.warning("%s", text)
        if self.on_warning is not None:
            try:
                self.on_warning(text)
            except Exception:  # the user's own function must not end the event stream
                log.exception("on_warning of a budget failed")
        return True

    # -- on disk ---------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write limits and what was spent to a file that only you can read, as a whole. Raises OSError."""
        file = Path(path)
        with self._lock:
            used = {name: getattr(self, f"_{name}") for name in _USED.values()}
        kept = {"currency": CURRENCY, "limits": self.limits, "used": used, "stop": self.stop, "warn_at": self.warn_at}
        new = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                json.dump(kept, opened)
            new.replace(file)
        except BaseException:  # a full disk: do not leave half a file
            new.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, on_warning: Callable[[str], object] | None = None) -> Self:
        """Read a budget that `save` wrote. Raises OSError, and ValueError for a file that is none."""
        try:
            kept: Mapping[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
            loaded = cls(**kept["limits"], stop=kept["stop"], warn_at=kept["warn_at"], on_warning=on_warning)
            used = {name: kept["used"][name] + 0 for name in _USED.values()}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a saved budget: {error}. Save one with Budget.save(path).") from None
        for name, amount in used.items():
            setattr(loaded, f"_{name}", amount)
        return loaded

    def __str__(self) -> str:
        return ", ".join(map(str, self._states())) or "no limits"

    def __repr__(self) -> str:
        used = f"${self.cost:.4f}, {self.tokens:,} tokens, {self.steps:,} steps, {self.tools:,} tool rounds"
        exceeded = f"; exceeded: {self.exceeded}" if self.exceeded else ""
        return f"<Budget {self} ({used}{exceeded}{'' if self.stop else '; only observes'})>"


def checked(name: str, value: Any) -> Any:
    """Return a limit's value. Raises ValueError, which says what is allowed, unless it is a number above 0."""
    if name not in LIMITS:
        raise ValueError(f"There is no limit {name!r}: use one of {', '.join(LIMITS)}.")
    whole = name in _WHOLE
    is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        of = f"a whole number of {_WHOLE[name]}" if whole else f"an amount in {CURRENCY}"
        raise ValueError(f"{name}={value!r} is not {of} above 0.")
    return value


def _error(message: str, state: _State) -> Json:
    """Return an error as turns have it: BudgetExceededError reads `limit`, `spent` and `maximum`."""
    return {
        "name": "BudgetExceeded",
        "data": {"message": message, "limit": state.limit, "spent": state.used, "maximum": state.maximum},
    }
