"""Whether and when to try again, as a function of the error."""

from __future__ import annotations

from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.retry import RETRY_AFTER_MOST

PLAIN = oc.Retry(jitter=0)


@pytest.mark.parametrize(
    "error",
    [
        oc.TurnRateLimitError("slow"),
        oc.ProviderOverloadedError("later"),
        oc.StructuredOutputError("odd"),
        oc.APIConnectionError("lost"),
        oc.RateLimitError("slow", status=429),
        oc.InternalServerError("oops", status=503),
    ],
)
def test_what_may_pass_is_retried(error: oc.OpencodeError) -> None:
    decision = oc.evaluate_retry(error, policy=PLAIN)
    assert (decision.retry, decision.delay) == (True, 0.5)
    assert type(error).__name__ in decision.reason


@pytest.mark.parametrize(
    "error",
    [
        oc.AbortedError(),
        oc.BudgetExceededError(),
        oc.ContextOverflowError(),
        oc.ProviderAuthError(),
        oc.InvalidModelError(),
        oc.ModelError(),
        oc.AuthenticationError("", status=401),
        oc.BadRequestError("", status=400),
        oc.PermissionDeniedError("", status=403),
        oc.TurnError("", status_code=400),
    ],
)
def test_what_cannot_pass_is_never_retried_whatever_the_policy_says(error: oc.OpencodeError) -> None:
    for on in (None, oc.OpencodeError, lambda _error: True):
        decision = oc.evaluate_retry(error, policy=oc.Retry(on=on))
        assert (decision.retry, "never" in decision.reason) == (False, True)


@pytest.mark.parametrize("error", [oc.TurnError("odd"), oc.ContentFilterError(), ValueError(), oc.NotFoundError()])
def test_other_errors_are_retried_only_if_the_policy_names_them(error: Exception) -> None:
    assert not oc.evaluate_retry(error).retry
    assert not oc.evaluate_retry(error, policy=oc.Retry(on=(KeyError, OSError))).retry
    for on in (type(error), (OSError, type(error)), lambda given: given is error):
        assert oc.evaluate_retry(error, policy=oc.Retry(on=on)).retry


def test_the_delay_doubles_up_to_the_cap_and_the_attempts_end() -> None:
    policy = oc.Retry(attempts=4, base=1, cap=5, jitter=0)
    decisions = [oc.evaluate_retry(oc.TurnRateLimitError(), attempt, policy) for attempt in range(1, 6)]
    assert [decision.delay for decision in decisions] == [1, 2, 4, 5, 0]
    assert [decision.retry for decision in decisions] == [True] * 4 + [False]
    assert oc.evaluate_retry(oc.TurnRateLimitError(), 5000, oc.Retry(attempts=9999)).delay <= 30


def test_jitter_spreads_the_delays_and_stays_within_its_share() -> None:
    delays = {oc.Retry(base=8, jitter=0.25).delay(1) for _ in range(200)}
    assert len(delays) > 100
    assert 6 <= min(delays) < 7 < 9 < max(delays) <= 10


@pytest.mark.parametrize(
    ("asked", "retry", "delay"), [(7.0, True, 7.0), (0.1, True, 0.5), (RETRY_AFTER_MOST + 1, False, 0)]
)
def test_what_the_provider_asks_for_is_kept_to(asked: float, retry: bool, delay: float) -> None:
    decision = oc.evaluate_retry(oc.TurnRateLimitError(retry_after=asked), policy=PLAIN)
    assert (decision.retry, decision.delay) == (retry, delay)


def test_a_number_is_a_policy_with_as_many_attempts() -> None:
    assert oc.evaluate_retry(oc.TurnRateLimitError(), 2, 2).retry
    assert not oc.evaluate_retry(oc.TurnRateLimitError(), 3, 2).retry
    assert not oc.evaluate_retry(oc.TurnRateLimitError(), 1, 0).retry


@pytest.mark.parametrize("wrong", [{"attempts": -1}, {"base": -1}, {"cap": -0.5}, {"jitter": -1}, {"jitter": 1.5}])
def test_a_policy_that_makes_no_sense_raises(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="negative"):
        oc.Retry(**wrong)
