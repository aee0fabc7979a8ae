"""How commands word what they list."""

from __future__ import annotations

from typing import Any

import pytest

from opencode_nb.session.prompt import listing
from opencode_nb.spending.budget import Budget


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("plan", "plan (the agent `plan` answers, which changes nothing)"),
        ({"bash": "deny"}, "{'bash': 'deny'}"),
        (print, "decided by a function of yours"),
    ],
)
def test_a_permission_option_is_told_as_what_it_means(option: Any, told: str) -> None:
    assert listing.permission(option) == told


def test_limits_tell_shared_budgets_once_and_those_of_each_turn() -> None:
    budget = Budget(max_cost=0.25)
    told = listing.limits((budget, budget, Budget(max_steps=9)), {"max_cost": 0.5, "timeout": None})
    assert told == "$0.0000 of $0.2500 USD; 0 of 9 model steps; each turn max_cost=0.5"
    assert listing.limits((None, None), {"timeout": None}) == "none"
