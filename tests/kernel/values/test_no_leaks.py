"""No data below the level full, and no secret at any level: random values with marked data and marked secrets."""

from __future__ import annotations

import dataclasses
import datetime
from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import numpy
import pandas
import polars
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from opencode_nb.kernel.values.describe import describe
from opencode_nb.tools.privacy import Level, Outgoing, Piece
from opencode_nb.tools.secret_values import PART
from tests.kernel.values.conftest import Kernel

DATUM, NUMBER, SECRET = "qzdatum", 7351, "Zq7-secret-4Kd8-"
"""What marks texts, numbers and secrets of the user's: nothing else has them in it."""

Pair = namedtuple("Pair", "left password")  # as users write it


@dataclasses.dataclass
class Record:
    note: object
    api_key: object


class Client:
    """An object whose repr shows all."""

    def __init__(self, note: object, token: object) -> None:
        self.note, self.token = note, token

    def __repr__(self) -> str:
        return f"Client({self.note!r}, {self.token!r})"


class Broken(Client):
    """An object whose repr fails with all in its message."""

    def __repr__(self) -> str:
        raise ValueError(f"cannot show {self.note!r} with {self.token!r}")


texts = st.builds(lambda text: f"{text}{DATUM}{text}", st.text(max_size=12))
numbers = st.builds(lambda digits: NUMBER * 10_000 + digits, st.integers(0, 9_999))
dates = st.just(datetime.datetime(NUMBER, 1, 2))
data = texts | numbers | numbers.map(float) | dates | texts.map(str.encode)
secrets = st.builds(
    lambda text: f"{SECRET}{text}-9f{len(text)}", st.text("abcXYZ0189+/=_\"'\\ \n", min_size=4, max_size=50)
)


def columns(of: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=3, max_size=3)


@st.composite
def pandas_frames(draw: st.DrawFn) -> pandas.DataFrame:
    frame = pandas.DataFrame(
        {
            "text": draw(columns(texts)),
            "number": draw(columns(numbers)),
            "mixed": pandas.Series(draw(columns(data)), dtype=object),
            "kind": pandas.Categorical(draw(columns(texts))),
            "password": draw(columns(secrets)),
        },
        index=draw(columns(texts)),
    )
    return draw(
        st.sampled_from([frame, frame.set_index("kind"), frame.set_index(["text", "password"]), frame.iloc[:0]])
    )


@st.composite
def polars_frames(draw: st.DrawFn) -> Any:
    kinds = sorted(set(draw(columns(texts))))
    frame = polars.DataFrame(
        {
            "text": draw(columns(texts)),
            "number": draw(columns(numbers)),
            "kind": polars.Series([kinds[0]] * 3, dtype=polars.Enum(kinds)),
            "kinds": polars.Series([[kinds[-1]]] * 3, dtype=polars.List(polars.Enum(kinds))),
            "nested": [{"note": draw(texts), "token": draw(secrets)} for _ in range(3)],
            "api_key": draw(columns(secrets)),
        }
    )
    return draw(st.sampled_from([frame, frame.lazy(), frame["kind"], frame.filter(polars.lit(True))]))


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    named = numpy.array([(draw(numbers), draw(secrets))] * 2, dtype=[("number", "i8"), ("token", "U90")])
    return draw(
        st.sampled_from([numpy.array(draw(columns(data)), dtype=object), numpy.array([draw(numbers)] * 9), named])
    )


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.dictionaries(texts, inner, max_size=3)
        | st.lists(inner, max_size=3)
        | st.builds(lambda value, secret: {"note": value, "password": secret}, inner, secrets)
        | st.builds(Record, inner, secrets)
        | st.builds(Pair, inner, secrets)
        | st.builds(Client, inner, secrets)
        | st.builds(Broken, inner, secrets)
        | st.builds(lambda value, secret: SimpleNamespace(note=value, token=secret), inner, secrets)
    )


frames = pandas_frames() | polars_frames()
values = frames | st.recursive(data | frames | arrays(), around, max_leaves=6)


def everything(kernel: Kernel) -> list[Outgoing]:
    """Return what is told by listing, inspecting and mentioning each variable."""
    told = [kernel.result("variables").outgoing]
    for name, value in list(kernel.shell.user_ns.items()):
        if name in ("it", "db_password", "copied", "row", "column"):
            told += [
                kernel.result("inspect", name=path).outgoing
                for path in (name, f"{name}['nothing']", f"{name}['note']", f"{name}.note")
            ]
            told.append(Outgoing(name, describe(name, value).pieces))
    return told


@pytest.fixture
def variables(kernel: Kernel) -> Any:
    before = dict(kernel.shell.user_ns)

    def put(value: object, secret: str) -> None:
        kernel.shell.user_ns.clear()
        kernel.shell.user_ns.update(before, it=value, db_password=secret, copied=[f"the key is {secret}", {secret: 1}])
        if isinstance(value, pandas.DataFrame) and len(value):
            kernel.shell.user_ns.update(row=value.iloc[0], column=value.iloc[:, 0])

    return put


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=20, phases=[Phase.generate])
@given(value=values, secret=secrets)
def test_neither_data_nor_secrets_leave(kernel: Kernel, variables: Any, value: object, secret: str) -> None:
    variables(value, secret)
    outgoing = everything(kernel)
    for level in Level:
        kernel.gate.level = level
        told = "\n".join(let.text for let in kernel.gate.let_all(outgoing, by="inspect")) + str(kernel.gate.ledger)
        assert not tells_secret(told)
        if level < Level.FULL:
            assert DATUM not in told
        if level < Level.SUMMARY:
            assert str(NUMBER) not in told


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40, phases=[Phase.generate])
@given(value=values, secret=secrets)
def test_what_code_prints_has_no_secret(kernel: Kernel, variables: Any, value: object, secret: str) -> None:
    """As the tool python does: text that is made by the value's own code, without our descriptions."""
    variables(value, secret)
    printed = Outgoing("python", tuple(Piece(own_text(kernel.shell.user_ns[name])) for name in ("it", "copied")))
    kernel.gate.level = Level.FULL
    assert not tells_secret(kernel.gate.let(printed, by="python").text)


def tells_secret(told: str) -> bool:
    """Whether a text has so much of a secret in a row: libraries break it in the middle where a table's cell ends."""
    return any(SECRET[at : at + PART] in told for at in range(len(SECRET) - PART + 1))


def own_text(value: object) -> str:
    try:
        return str(value)
    except ValueError as error:
        return str(error)
