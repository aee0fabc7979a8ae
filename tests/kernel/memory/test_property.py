"""Random code in a namespace, then undo and redo: all comes back, as the same objects; what the user did stays."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from opencode_nb.kernel.memory.budget import Budget
from opencode_nb.kernel.memory.checkpoint import Checkpoint
from tests.kernel.memory.operations import MAKERS, NAMES, Operation, picture, run

LARGE = Budget(seconds=60)
EXAMPLES = settings(max_examples=int(os.environ.get("OPENCODE_NB_EXAMPLES", "40")), deadline=None, database=None)
ACTS = (
    "make",
    "delete",
    "alias",
    "hold",
    "inner",
    "view",
    "change",
    "change",
    "change",
    "change inner",
    "change inner",
    "environment",
)

values = st.lists(st.integers(0, len(MAKERS) - 1), min_size=1, max_size=len(NAMES))
operations = st.lists(
    st.tuples(st.sampled_from(ACTS), st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(0, 200)), max_size=12
)


def begin(made: list[int], setup: list[Operation]) -> tuple[dict[str, Any], Checkpoint, dict[Any, Any]]:
    os.environ.pop("OPENCODE_NB_TEST", None)
    random.seed(1)
    np.random.seed(1)
    namespace: dict[str, Any] = {}
    run(namespace, [("make", name, name, key) for name, key in zip(NAMES, made, strict=False)])
    run(namespace, setup)
    return namespace, Checkpoint(namespace, LARGE), picture(namespace)


def differing(one: dict[Any, Any], other: dict[Any, Any]) -> set[Any]:
    return {key for key in one.keys() | other.keys() if one.get(key, "none") != other.get(key, "none")}


@given(values, operations, operations)
@EXAMPLES
def test_undo_brings_everything_back_and_redo_everything_again(
    made: list[int], setup: list[Operation], turn: list[Operation]
) -> None:
    namespace, checkpoint, before = begin(made, setup)
    run(namespace, turn)
    changes, after = checkpoint.compare(), picture(namespace)
    told = {change.name for change in changes.variables}
    assert {key[1] for key in differing(before, after) if isinstance(key, tuple) and key[0] == "name"} <= told
    undone = checkpoint.restore()
    assert (undone.refused, undone.over_budget, undone.not_tracked) == ((), (), ())
    assert differing(picture(namespace), before) == set()
    assert checkpoint.redo().refused == ()
    assert differing(picture(namespace), after) == set()


@given(values, operations, operations, operations)
@EXAMPLES
def test_what_the_user_changed_since_is_kept_and_named(
    made: list[int], setup: list[Operation], turn: list[Operation], user: list[Operation]
) -> None:
    namespace, checkpoint, before = begin(made, setup)
    run(namespace, turn)
    checkpoint.compare()
    after = picture(namespace)
    run(namespace, user)
    then = picture(namespace)
    refused = dict(checkpoint.restore().refused)
    now = picture(namespace)
    users = {key for key in differing(after, then) if _is_name(key) or (key in after and key in then)}
    assert {key for key in users & now.keys() if now[key] != then.get(key, "none")} == set()
    clashing = {key[1] for key in users & differing(before, after) if _is_name(key)}
    assert clashing <= refused.keys()
    untouched = (now.keys() & before.keys()) - users
    if not refused:
        assert {key for key in untouched if now[key] != before[key]} == set()


def _is_name(key: Any) -> bool:
    return isinstance(key, tuple) and key[0] == "name"
