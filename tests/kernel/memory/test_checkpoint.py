"""Checkpoints of values of all kinds, also hostile ones, and of the process; budgets; what the user changed since."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

import opencode_nb
from opencode_nb.diffs.memory import How, KernelChanges, VariableChange
from opencode_nb.kernel.memory.budget import Budget
from opencode_nb.kernel.memory.checkpoint import Checkpoint
from opencode_nb.kernel.memory.compare import bound
from opencode_nb.kernel.memory.restore import CHANGED
from opencode_nb.kernel.memory.snapshot import Snapshot
from opencode_nb.kernel.memory.turns import KEPT, Turns

ROOMY = Budget(seconds=60)


class Ran(BaseException):
    """Code of the user's ran that nobody called."""


def boom(*_args: Any, **_more: Any) -> Any:
    raise Ran


def hostile_values() -> dict[str, Any]:
    """Return values on which every way in raises. Made late: pytest looks at a module's classes."""

    class HostileMeta(type):
        __hash__ = boom
        __eq__ = boom
        __getattribute__ = boom
        __instancecheck__ = boom
        __subclasscheck__ = boom

    class Hostile:
        """Every way in raises, once it is armed."""

        def __init__(self) -> None:
            object.__setattr__(self, "items", [1])
            object.__setattr__(self, "me", self)

        __eq__ = __ne__ = __hash__ = __bool__ = __len__ = __iter__ = __repr__ = __str__ = boom
        __getattr__ = __getattribute__ = __setattr__ = __delattr__ = boom
        __deepcopy__ = __copy__ = __reduce__ = __reduce_ex__ = __getstate__ = __sizeof__ = __dir__ = boom
        __class__ = property(boom)

    class HostileClass(metaclass=HostileMeta):
        pass

    class HostileList(list[Any]):
        __iter__ = __len__ = __getitem__ = __eq__ = __bool__ = copy = clear = extend = boom

    class HostileDict(dict[Any, Any]):
        __iter__ = __len__ = __getitem__ = __setitem__ = keys = items = values = update = copy = clear = boom

    class HasDict:
        __dict__ = property(boom)

    return {"h": Hostile(), "l": HostileList([[1]]), "d": HostileDict(k=[1]), "c": HostileClass(), "o": HasDict()}


class Loud:
    def __del__(self) -> None:
        DELETED.append(1)


DELETED: list[int] = []


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with matplotlib.rc_context():
        yield


def test_no_code_of_the_users_runs() -> None:
    namespace = hostile_values()
    hostile, items, mapping = (namespace[name] for name in "hld")
    namespace |= {"type": type(namespace["c"]), "all": [hostile]}
    checkpoint = Checkpoint(namespace, ROOMY)
    inner = object.__getattribute__(hostile, "__dict__")
    inner["items"].append(2)
    list.append(items, 3)
    dict.__setitem__(mapping, "z", 1)
    del namespace["all"]
    changes = checkpoint.compare()
    assert {change.name for change in changes.variables} == {"h", "l", "d", "all"}
    assert changes.untracked == ("o",)
    assert set(checkpoint.restore().restored) == {"h", "l", "d", "all"}
    assert inner["items"] == [1]
    assert inner["me"] is hostile
    assert list.__len__(items) == 1
    assert list(dict.items(mapping)) == [("k", [1])]


def test_keys_with_the_same_hash_are_not_compared() -> None:
    class Key:
        armed = False

        def __hash__(self) -> int:
            assert not Key.armed
            return 1

        def __eq__(self, other: object) -> bool:
            assert not Key.armed
            return self is other

    keys = [Key() for _ in range(3)]
    namespace: dict[str, Any] = {"d": dict.fromkeys(keys, 1), "s": set(keys)}
    checkpoint = Checkpoint(namespace, ROOMY)
    namespace["d"].clear()
    namespace["s"].clear()
    Key.armed = True
    checkpoint.compare()
    checkpoint.restore()
    assert len(namespace["d"]) == len(namespace["s"]) == 3


def test_objects_that_refer_to_themselves_are_restored() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    table: dict[str, Any] = {"ring": ring}
    table["self"] = table
    namespace: dict[str, Any] = {"ring": ring, "table": table}
    checkpoint = Checkpoint(namespace, ROOMY)
    ring.clear()
    table.clear()
    checkpoint.compare()
    checkpoint.restore()
    assert ring[1] is ring
    assert table["self"] is table
    assert table["ring"] is ring


def test_an_object_ends_when_the_checkpoint_does() -> None:
    DELETED.clear()
    namespace: dict[str, Any] = {"loud": Loud()}
    checkpoint = Checkpoint(namespace, ROOMY)
    del namespace["loud"]
    checkpoint.compare()
    assert DELETED == []
    del checkpoint
    assert DELETED == [1]


def test_two_names_of_one_list_stay_one_list() -> None:
    shared = [1]
    namespace: dict[str, Any] = {"a": shared, "b": shared, "c": {"k": shared}}
    checkpoint = Checkpoint(namespace, ROOMY)
    namespace["a"].append(2)
    namespace["b"] = [1, 2]
    del namespace["c"]
    told = {change.name: change.how for change in checkpoint.compare().variables}
    assert told == {"a": "changed in place", "b": "rebound", "c": "deleted"}
    checkpoint.restore()
    assert namespace["a"] is namespace["b"] is namespace["c"]["k"] is shared
    assert shared == [1]


def test_a_frame_keeps_its_identity_its_dtypes_and_its_labels() -> None:
    frame = pd.DataFrame({"x": [1, None], "y": ["a", "b"]}, index=pd.Index([5, 6], name="i"))
    before = frame.copy()
    namespace = {"df": frame, "holder": [frame]}
    checkpoint = Checkpoint(namespace, ROOMY)
    frame["z"] = 1
    frame.pop("y")
    frame.loc[7] = 3
    frame["w"] = 2
    frame.index.name = "other"
    (change, holder) = checkpoint.compare().variables
    assert (change.how, change.before, change.after) == ("changed in place", "2x2", "3x3")
    assert holder.name == "holder"
    checkpoint.restore()
    assert namespace["df"] is frame
    pd.testing.assert_frame_equal(frame, before)
    frame.loc[5, "x"] = 9.0  # what the user does after the undo must not reach the copy
    assert dict(checkpoint.redo().refused).keys() == {"df", "holder"}
    frame.loc[5, "x"] = 1.0
    assert checkpoint.redo().refused == ()
    assert frame.shape == (3, 3)


def test_an_array_is_restored_in_its_own_memory_so_that_views_see_it() -> None:
    array = np.array([1.0, np.nan, 3.0])
    view = array[1:]
    namespace = {"array": array}
    checkpoint = Checkpoint(namespace, ROOMY)
    assert not checkpoint.compare()
    array[:] = 0
    checkpoint.compare()
    checkpoint.restore()
    assert np.array_equal(view, [np.nan, 3.0], equal_nan=True)


def test_an_array_whose_memory_was_resized_is_refused_and_named() -> None:
    namespace = {"array": np.arange(3)}
    checkpoint = Checkpoint(namespace, ROOMY)
    namespace["array"].resize((5,), refcheck=False)
    checkpoint.compare()
    assert [name for name, _reason in checkpoint.restore().refused] == ["array"]


def test_the_process_is_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCODE_NB_GONE", "x")
    monkeypatch.delenv("OPENCODE_NB_NEW", raising=False)
    (tmp_path / "sub").mkdir()
    checkpoint = Checkpoint({}, ROOMY)
    expected = np.random.get_state()[1][0], matplotlib.rcParams["axes.prop_cycle"]
    os.chdir("sub")
    os.environ["OPENCODE_NB_NEW"] = "x"
    del os.environ["OPENCODE_NB_GONE"]
    np.random.seed(7)
    matplotlib.rcParams["font.size"] = 99
    matplotlib.rcParams["font.family"].append("Odd")
    told = checkpoint.compare().environment
    assert set(told) == {
        *("environment variable OPENCODE_NB_NEW", "environment variable OPENCODE_NB_GONE"),
        *("working directory", "numpy random state", "rcParams font.size", "rcParams font.family"),
    }
    assert set(checkpoint.restore().restored) == set(told)
    assert Path.cwd() == tmp_path
    assert ("OPENCODE_NB_NEW" in os.environ, os.environ["OPENCODE_NB_GONE"]) == (False, "x")
    assert (np.random.get_state()[1][0], matplotlib.rcParams["axes.prop_cycle"]) == expected
    assert matplotlib.rcParams["font.size"] != 99
    assert "Odd" not in matplotlib.rcParams["font.family"]


def test_what_a_kernel_sets_with_the_backend_is_no_change_of_the_agents() -> None:
    with matplotlib.rc_context():
        checkpoint = Checkpoint({}, ROOMY)
        matplotlib.rcParams["interactive"] = not matplotlib.rcParams["interactive"]
        assert str(checkpoint.compare()) == ""


def test_importing_a_library_does_not_count_as_changing_its_settings() -> None:
    before, after = Snapshot({("variable", "x"): 1}), Snapshot({("rcParams", "font.size"): 10, ("variable", "y"): 1})
    assert bound(before, after) == [("variable", "x"), ("variable", "y")]


def test_a_directory_that_is_gone_is_named_and_the_rest_restored(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    os.chdir(old)
    namespace: dict[str, Any] = {"x": 1}
    checkpoint = Checkpoint(namespace, ROOMY)
    os.chdir(tmp_path)
    old.rmdir()
    namespace["x"] = 2
    checkpoint.compare()
    restored = checkpoint.restore()
    assert restored.restored == ("x",)
    assert restored.refused == (("working directory", "it could not be restored: FileNotFoundError"),)


def test_what_cannot_be_copied_is_named() -> None:
    class Client:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    namespace = {
        "lock": threading.Lock(),
        "generator": iter(()),
        "client": [Client()],
        "plain": [1],
        "f": boom,
        "m": os,
        "agent": opencode_nb.Opencode(),
    }
    changes = Checkpoint(namespace, ROOMY).compare()
    assert changes.untracked == ("client", "generator", "lock")


def test_what_is_over_the_budget_is_named_and_the_rest_kept() -> None:
    namespace: dict[str, Any] = {"big": np.zeros(1_000_000), "alias": [], "small": [1]}
    namespace["alias"].append(namespace["big"])
    checkpoint = Checkpoint(namespace, Budget(copied=1_000_000, seconds=60))
    namespace["big"][0] = 1
    namespace["small"].append(2)
    assert checkpoint.compare().over_budget == ("alias", "big")
    restored = checkpoint.restore()
    assert (restored.restored, restored.over_budget) == (("small",), ("alias", "big"))
    assert namespace["small"] == [1]
    assert namespace["big"][0] == 1


def test_what_the_code_made_too_big_is_named() -> None:
    namespace: dict[str, Any] = {"grown": [1], "small": [1]}
    checkpoint = Checkpoint(namespace, Budget(copied=10_000, seconds=60))
    namespace["grown"].extend(range(100_000))
    namespace["small"].append(2)
    assert checkpoint.compare().over_budget == ("grown",)
    restored = checkpoint.restore()
    assert (restored.restored, restored.over_budget) == (("small",), ("grown",))


def test_without_time_bindings_are_still_restored() -> None:
    namespace: dict[str, Any] = {"a": [1], "b": 1}
    checkpoint = Checkpoint(namespace, Budget(seconds=0))
    namespace.update(a=[2], b=2, c=3)
    checkpoint.compare()
    assert checkpoint.restore().over_budget == ("a",)
    assert namespace == {"a": [1], "b": 1}


def test_names_that_ipython_sets_are_left_alone() -> None:
    namespace: dict[str, Any] = {"_": 1, "_i3": "x", "Out": {1: 2}, "In": [""], "_mine": 1, "__name__": "__main__"}
    checkpoint = Checkpoint(namespace, ROOMY)
    namespace.update({"_": 2, "_i3": "y", "_12": 3, "_mine": 2})
    namespace["Out"][2] = 3
    assert str(checkpoint.compare()) == "_mine: rebound"


def test_a_name_that_shares_an_object_with_a_refused_one_is_refused_too() -> None:
    shared, own = deque([1]), [1]
    namespace: dict[str, Any] = {"a": [shared, own], "b": {"k": shared}, "c": [1]}
    checkpoint = Checkpoint(namespace, ROOMY)
    shared.append(2)
    namespace["c"].append(2)
    checkpoint.compare()
    own.append("the user's")
    restored = checkpoint.restore()
    assert [name for name, _ in restored.refused] == ["a", "b"]
    assert (restored.restored, shared, own) == (("c",), deque([1, 2]), [1, "the user's"])


async def no_thread(function: Any) -> Any:
    return function()


def drive(act: Any) -> Any:
    with pytest.raises(StopIteration) as ended:
        act.send(None)
    return ended.value.value


def test_several_turns_are_undone_and_redone_in_order() -> None:
    namespace: dict[str, Any] = {"x": []}
    turns = Turns(namespace, no_thread, ROOMY)
    for turn in ("t1", "t2"):
        turns.before(turn)
        namespace["x"].append(turn)
        turns.after(turn)
        turns.before(turn)  # a second call of the same turn
        namespace[turn] = 1
        turns.after(turn)
    drive(turns.undo(["t2", "t1"]))
    assert namespace == {"x": []}
    drive(turns.undo(["t2"]))  # is undone already
    drive(turns.redo(["t1"]))
    assert namespace == {"x": ["t1"], "t1": 1}
    drive(turns.redo(["t1", "t2"]))
    assert namespace == {"x": ["t1", "t2"], "t1": 1, "t2": 1}


def test_what_the_user_changes_between_two_runs_of_a_turn_is_the_users() -> None:
    agents, users = [1], [1]
    namespace: dict[str, Any] = {"agents": agents, "users": users, "both": 1, "made": 0}
    turns = Turns(namespace, no_thread, ROOMY)

    def ran(**made: int) -> KernelChanges:
        turns.before("t")
        agents.append(len(agents) + 1)
        namespace.update(made)
        return turns.after("t")

    ran(both=2, new=1, gone=1)
    users.append(2)
    namespace["both"] = namespace["own"] = 3
    del namespace["made"]
    del namespace["gone"]
    changes = ran(both=4, new=2)
    assert str(changes) == "gone: new; agents: length 1 -> length 3; both: rebound; new: new"
    end = dict(namespace)
    undone = drive(turns.undo(["t"]))
    assert dict(undone.refused) == dict.fromkeys(("both", "gone"), CHANGED)
    assert namespace == {"agents": [1], "users": [1, 2], "both": 3, "own": 3}
    assert namespace["agents"] is agents
    drive(turns.redo(["t"]))
    assert namespace == end
    assert agents == [1, 2, 3]


def test_runs_without_the_user_between_share_a_checkpoint() -> None:
    namespace: dict[str, Any] = {"x": []}
    turns = Turns(namespace, no_thread, ROOMY)
    for number in range(3):
        turns.before("t")
        namespace["x"].append(number)
        turns.after("t")
    assert len(turns._kept["t"].checkpoints) == 1


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("new", "rebound", "new"),
        ("new", "deleted", ""),
        ("rebound", "deleted", "deleted"),
        ("deleted", "new", "rebound"),
        ("changed in place", "changed in place", "changed in place"),
        ("changed in place", "rebound", "rebound"),
        ("rebound", "changed in place", "rebound"),
    ],
)
def test_changes_of_two_spans_are_joined_by_name(first: How, second: How, joined: str) -> None:
    one, other = (KernelChanges((VariableChange("x", how, "int"),), ("rcParams dpi",)) for how in (first, second))
    both = one + other
    assert [change.how for change in both.variables] == ([joined] if joined else [])
    assert both.environment == ("rcParams dpi",)


def test_of_many_turns_the_oldest_are_dropped_and_named() -> None:
    namespace: dict[str, Any] = {"x": 0}
    turns = Turns(namespace, no_thread, ROOMY)
    for number in range(KEPT + 1):
        turns.before(f"t{number}")
        namespace["x"] += 1
        turns.after(f"t{number}")
    assert "it has no copies for this turn" in drive(turns.undo(["t0"])).note
    assert drive(turns.undo([f"t{number}" for number in range(KEPT, 0, -1)])).restored == ("x",)
    assert namespace["x"] == 1
