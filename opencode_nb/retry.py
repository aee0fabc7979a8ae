"""Decide whether and when to try again after an error: `evaluate_retry`, and the policy `Retry`.

Pure but for the jitter: sends nothing and waits for nothing. Uses only the standard library and `errors`.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from opencode_nb import errors

RETRY_AFTER_MOST = 900.0
"""Seconds: if the provider asks to wait longer, there is no retry."""

NEVER: tuple[type[BaseException], ...] = (
    errors.AbortedError,
    errors.AuthenticationError,
    errors.BadRequestError,
    errors.BudgetExceededError,
    errors.ContextOverflowError,
    errors.ModelError,
    errors.PermissionDeniedError,
    errors.ProviderAuthError,
)
"""Errors after which the same call fails again, or must not be repeated, whatever the policy says."""

_JITTER = random.Random()  # noqa: S311  # of our own: the user's random state stays as it is


class RetryDecision(NamedTuple):
    """Whether to try again, after `delay` seconds; `reason` says why in one line. `attempt` counts from 1."""

    retry: bool
    delay: float
    reason: str
    attempt: int = 1


Classes = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """When to send a failed prompt again: at most `attempts` times, after `base` seconds, then twice that, up to `cap`.

    `jitter` is the share by which the delay varies at random (0.25: by a quarter), so that clients do not all return at
    once. A longer wait that the provider asks for is kept to. `on` names the errors to retry: a class, several, or a
    function of the error; by default those whose `retryable` is true. Authentication, a bad request, an abort, a
    budget, a wrong model and a prompt that is too long are never retried. `on_retry(decision, error)` is called before
    each wait. Raises ValueError for a negative number.
    """

    attempts: int = 5
    base: float = 0.5
    cap: float = 30.0
    jitter: float = 0.25
    on: Classes | Callable[[BaseException], bool] | None = None
    on_retry: Callable[[RetryDecision, BaseException], object] | None = None

    def __post_init__(self) -> None:
        if min(self.attempts, self.base, self.cap, self.jitter) < 0 or self.jitter > 1:
            raise ValueError(f"{self}: attempts, base and cap cannot be negative, and jitter is between 0 and 1.")

    @classmethod
    def of(cls, given: int | Retry | None) -> Retry | None:
        """Read a `retry=` option: a number is `Retry(attempts=number)`, None is no retry."""
        return cls(attempts=given) if isinstance(given, int) else given

    def covers(self, error: BaseException) -> bool:
        """Whether the policy retries this error."""
        if self.on is None:
            return bool(getattr(error, "retryable", False))
        return isinstance(error, self.on) if isinstance(self.on, type | tuple) else bool(self.on(error))

    def delay(self, attempt: int) -> float:
        """Seconds before retry number `attempt`."""
        doubled: float = self.base * 2 ** min(attempt - 1, 60)  # no float is larger than 2**1023
        return min(min(doubled, self.cap) * _JITTER.uniform(1 - self.jitter, 1 + self.jitter), self.cap)


def evaluate_retry(error: BaseException, attempt: int = 1, policy: int | Retry | None = None) -> RetryDecision:
    """Decide whether to try again after `error`: `attempt` is 1 for the first retry; without a policy, `Retry()`.

    Knows only the error: `retry=` sends a prompt again only if no tool has started.
    """
    policy = Retry() if policy is None else Retry.of(policy) or Retry()
    name = type(error).__name__
    if isinstance(error, NEVER) or getattr(error, "status_code", None) == 400:
        return RetryDecision(False, 0.0, f"{name} is never retried.", attempt)
    if not policy.covers(error):
        return RetryDecision(False, 0.0, f"{name} is not one of the errors to retry.", attempt)
    if attempt > policy.attempts:
        return RetryDecision(False, 0.0, f"{name} after {policy.attempts} retries.", attempt)
    asked = getattr(error, "retry_after", None) or 0.0
    if asked > RETRY_AFTER_MOST:
        return RetryDecision(False, 0.0, f"{name}: the provider asks to wait {asked:.0f} s.", attempt)
    delay = max(asked, policy.delay(attempt))
    return RetryDecision(True, delay, f"{name}: retry {attempt} of {policy.attempts} in {delay:.1f} s.", attempt)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds in `retry-after-ms` or `retry-after` (seconds or a date); None if there is neither."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


_ASKED = re.compile(r'(?:try again in|retry in|"retryDelay": ?") ?(?:(\d+)m)?([\d.]+)(ms|s)\b', re.IGNORECASE)


def retry_after_in(text: str) -> float | None:
    """Return the seconds that an error's text asks to wait, as OpenAI and Google word it; None if it does not."""
    found = _ASKED.search(text)
    number = _number(found[2].rstrip(".")) if found else None
    if found is None or number is None:
        return None
    return number / 1000 if found[3].lower() == "ms" else number + 60 * int(found[1] or 0)


def _number(text: str | None) -> float | None:
    """Parse a finite number that is not negative, else return None."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
