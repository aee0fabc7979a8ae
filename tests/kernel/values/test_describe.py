"""Descriptions of values for a model: useful, bounded, without secrets, and without side effects."""

from __future__ import annotations

import sys
import time
from collections import Counter, namedtuple
from dataclasses import dataclass, field

import numpy
import pandas
import polars
import pytest

from opencode_nb.kernel.values import describe as described
from opencode_nb.kernel.values.describe import SECONDS
from opencode_nb.kernel.values.dtypes import dtype_name
from opencode_nb.kernel.values.limits import MENTION
from opencode_nb.secret import MASK, Secret, mask, names_secret

KEY = "sk-" + "a1" * 20
LONG = "word " * 10_000
FRAME = pandas.DataFrame({"time": pandas.date_range("2024", periods=90), "value": range(90), "note": LONG})

LENGTH = MENTION.length

Point = namedtuple("Point", "x y")  # as users write it


@dataclass
class Settings:
    host: str
    password: str
    seen: list[int]
    hidden: int = field(default=0, repr=False)


def describe(name: str, value: object) -> str:
    return described.describe(name, value).text


class Ours:
    """A class whose code must not run needlessly."""

    def __repr__(self) -> str:
        raise AssertionError

    __len__ = __iter__ = __repr__  # type: ignore[assignment]


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (FRAME, ["`pandas.DataFrame`, 90 rows, 3 columns", "value: int64", "2024-01-01", "     4"]),
        (FRAME.value, ["`pandas.Series`, shape (90,), int64", "4  "]),
        (FRAME.set_index(["time", "value"]), ["1 columns", "2024-01-05 4"]),
        (pandas.DataFrame(), ["0 rows, 0 columns"]),
        (pandas.DataFrame([[1, 2]], columns=["same", "same"]), ["same: int64, same: int64"]),
        (pandas.DataFrame({n: [n] for n in range(1000)}), ["1 rows, 1000 columns", "19: int64, and 980 more columns"]),
        (pandas.DataFrame({"object": [object()] * 2, "list": [[1]] * 2}), ["object: object"]),
        (polars.DataFrame({"a": range(50), "b": ["x"] * 50}), ["`polars.DataFrame`, 50 rows, 2 columns", "a: Int64"]),
        (polars.Series("s", [1, 2]), ["shape (2,), Int64", "1  2"]),
        (numpy.arange(12).reshape(3, 4), ["`numpy.ndarray`, shape (3, 4), int64", "8  9 10 11"]),
        (numpy.zeros((1000, 1000)), ["shape (1000, 1000), float64", "..."]),
        (numpy.array([{"a": 1}, FRAME], dtype=object), ["{'a': 1}, <pandas.DataFrame, 90 rows, 3 columns>"]),
        (numpy.float64(1.5), ["1.5"]),
        (list(range(10_000_000)), ["length 10000000", "18, 19, … 9999980 more"]),
        ({"rows": [[1, [2, [3]]]], "frame": FRAME}, ["'rows': [[1, […]]]", "<pandas.DataFrame, 90 rows"]),
        (Point(1, "two"), ["Point(x=1, y='two')"]),
        (Settings("here", "hunter2", [1]), [f"Settings(host='here', password={MASK}, seen=[1])"]),
        (Counter("hello"), ["'l': 2"]),
        ([], ["length 0", "[]"]),
        ([Ours()], ["[<Ours>]"]),
        ("some text", ["length 9", "some text"]),
        ("``` fences ````", ["`````\n``` fences ````\n`````"]),
        (10**5000, ["<int of 16610 bits>"]),
        (b"\0" * 1000, ["length 1000", r"b'\x00"]),
        (double, ["def double(number: int)"]),
        (sys, ["<module 'sys'"]),
        (None, ["None"]),
        (Secret("hunter2"), [MASK]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_described_briefly(value: object, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(double, "__module__", "__main__")
    for of in (Settings, Ours):
        monkeypatch.setattr(of, "__module__", "__main__")
    text = describe("thing", value)
    assert text.startswith("`thing` in the notebook's kernel is a `")
    for words in told:
        assert words in text
    assert len(text) < LENGTH + 300
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "value", [LONG, [LONG] * 500, {LONG + str(n): LONG for n in range(50)}, FRAME, [[[LONG] * 9] * 9]]
)
def test_descriptions_of_large_values_stay_short(value: object) -> None:
    assert len(describe("thing", value)) < LENGTH + 300


def test_a_repr_that_raises_hangs_or_is_not_text_is_survived() -> None:
    class Raising:
        def __repr__(self) -> str:
            raise SystemExit("out")

    class Hanging:
        def __repr__(self) -> str:
            time.sleep(60)  # for ever, for this test
            return "late"

    class Wrong:
        def __repr__(self) -> str:
            return 5  # type: ignore[return-value]

    began = time.monotonic()
    assert "could not be shown: SystemExit" in describe("it", Raising())
    assert "could not be shown: TypeError" in describe("it", Wrong())
    assert "took too long" in describe("it", Hanging())
    assert time.monotonic() - began < SECONDS + 5


def test_subclasses_are_read_without_their_own_code() -> None:
    class Loud(dict[str, int]):
        def __repr__(self) -> str:
            raise AssertionError

        __iter__ = items = __repr__  # type: ignore[assignment]

    assert "{'a': 1}" in describe("it", Loud(a=1))


@pytest.mark.parametrize(
    "value",
    [
        {"api_key": KEY, "note": "kept"},
        {"note": f"kept, and {KEY}"},
        [f"kept https://ada:{KEY}@example.org"],
        f"kept\nOPENAI_API_KEY='{KEY}'",
        "kept" + "." * (LENGTH - 20) + KEY,
        pandas.DataFrame({"note": ["kept"], "token": [KEY]}),
        polars.DataFrame({"note": ["kept"], "dbPassword": [KEY]}),
        pandas.Series([KEY], name="kept"),
        type("Client", (), {"__repr__": lambda _self: f"Client(kept, password={KEY!r})"})(),
    ],
)
def test_apparent_secrets_are_masked(value: object) -> None:
    text = describe("thing", value)
    assert KEY[:8] not in text
    assert "kept" in text


def test_variables_with_secret_names_are_not_shown() -> None:
    for name in ("api_key", "OPENAI_API_KEY", "password2", "dbPassword", "token", "aws_secret_access_key"):
        assert names_secret(name)
        assert "not shown" in describe(name, "hunter2")
    for name in ("token_counts", "tokenizer", "keys", "monkey", "passengers", "secretary", "key"):
        assert not names_secret(name)
    assert "def double" in describe("token", double) or "double(" in describe("token", double)


def test_text_that_is_not_secret_is_not_masked() -> None:
    kept = "sk-learn is at https://example.org:8080/a@b, token = tokens[0], password: none"
    assert mask(kept) == kept


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (polars.Enum(["datum"]), "Enum"),
        (polars.List(polars.Enum(["datum"])), "List(Enum)"),
        (polars.Struct({"kind": polars.Array(polars.Enum(["datum"]), 2)}), "Struct(kind: Array(Enum))"),
        (polars.Int64, "Int64"),
        (pandas.CategoricalDtype(["datum"]), "category"),
        (pandas.SparseDtype(float, 42.5), "Sparse[float64]"),
        (numpy.dtype("datetime64[ns]"), "datetime64[ns]"),
    ],
)
def test_the_name_of_a_dtype_has_no_data(dtype: object, name: str) -> None:
    assert dtype_name(dtype) == name
