"""The note of what changed in the kernel: short, cheap, and nothing if nothing did."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy
import pandas

from opencode_nb.kernel.context import note
from opencode_nb.kernel.context.cells import Cell
from opencode_nb.tools.privacy import Level

FRAME = pandas.DataFrame({"city": ["Oslo"] * 3, "rain": [763] * 3})


def told(
    before: Mapping[str, object], now: Mapping[str, object], level: Level = Level.FULL, last: Cell | None = None
) -> list[str]:
    """Return the lines of the note between two states of the namespace."""
    outgoing = note.changes(note.look(before, "", None), note.look(now, "", last), last)
    pieces = outgoing.pieces if outgoing else ()
    return "".join(piece.text for piece in pieces if piece.level <= level).splitlines()[1:]


def test_new_changed_and_removed_variables_are_told_with_their_shapes() -> None:
    before = {"df": FRAME, "model": object(), "count": 1, "kept": 2}
    now = {"df": FRAME[:2], "count": 1.5, "kept": 2, "names": ["a", "b"], "array": numpy.zeros((2, 3)), "one": 1}
    assert told(before, now) == [
        "df: DataFrame 2x2 (was 3x2)",
        "count: float (was int)",
        "names: list of 2 (new)",
        "array: ndarray 2x3 (new)",
        "one: int (new)",
        "model: removed",
    ]


def test_nothing_is_told_if_nothing_changed() -> None:
    values = {"df": FRAME, "text": "x", "number": 10**20, "names": [1]}
    assert note.changes(note.look(values, "a.ipynb", None), note.look(dict(values), "a.ipynb", None), None) is None


def test_another_value_of_the_same_shape_is_a_change_and_growth_in_place_too() -> None:
    names = [1]
    before = note.look({"n": 1.5, "names": names, "df": FRAME}, "", None)
    names.append(2)
    outgoing = note.changes(before, note.look({"n": 2.5, "names": names, "df": FRAME.copy()}, "", None), None)
    assert outgoing is not None
    assert [piece.text for piece in outgoing.pieces if "changed" in piece.text or "was" in piece.text] == [
        " (changed)",
        " (was of 1)",
        " (changed)",
    ]


def test_shapes_need_the_level_schema_and_messages_the_level_full() -> None:
    last = Cell(3, "1 / 0", ValueError("the price was 763"))
    assert told({}, {"df": FRAME}, Level.NAMES, last) == [
        "df: DataFrame (new)",
        "The last cell, In[3], failed with ValueError",
    ]
    assert told({}, {"df": FRAME}, Level.SUMMARY, last)[0] == "df: DataFrame 3x2 (new)"
    assert "763" not in "".join(told({}, {"df": FRAME}, Level.SUMMARY, last))
    assert told({}, {}, Level.FULL, last) == ["The last cell, In[3], failed with ValueError: the price was 763"]


def test_data_comes_before_modules_and_functions_and_the_rest_is_counted() -> None:
    now = {"numpy": numpy, "told": told, **{f"x{n}": n for n in range(100)}}
    lines = told({}, now)
    assert lines[0] == "x0: int (new)"
    assert len(lines) == note.MOST + 1
    assert lines[-1] == "and 62 more"


def test_the_agents_own_turns_are_no_news() -> None:
    assert told({}, {"ours": Cell(1, "", None), "n": 1}) == ["n: int (new)"]


def test_an_error_is_told_once() -> None:
    last = Cell(3, "1 / 0", ValueError())
    seen = note.look({}, "", last)
    assert note.changes(seen, note.look({}, "", last), last) is None


def test_no_code_of_the_users_runs() -> None:
    class Loud:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

        shape = property(lambda _self: 1 / 0)
        __eq__ = __len__ = __hash__ = __repr__ = __getattr__  # type: ignore[assignment]

    class Lines(list[int]):
        def __len__(self) -> int:
            raise AssertionError

    assert told({"loud": Loud()}, {"loud": Loud(), "lines": Lines([1])})[1].endswith("Lines of 1 (new)")


def test_a_thousand_variables_take_little_time() -> None:
    values: dict[str, object] = {f"frame{n}": FRAME.copy() for n in range(250)}
    values |= {f"list{n}": list(range(n)) for n in range(250)}
    values |= {f"array{n}": numpy.zeros((n, 2)) for n in range(250)} | {f"text{n}": "x" * n for n in range(250)}
    took = []
    for _attempt in range(5):
        began = time.perf_counter()
        note.changes(note.look(values, "", None), note.look(values, "", None), None)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.06  # two looks, and the comparison
