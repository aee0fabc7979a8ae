"""The tools variables and inspect: what they tell, which code they never run, and that nothing makes them hang."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import duckdb
import narwhals  # noqa: F401  # loaded, as a library of the user's would
import numpy
import pandas
import polars
import pyarrow
import pytest
import xarray

from opencode_nb.kernel.values.bounds import looking
from opencode_nb.kernel.values.bounds.looking import OnMain
from opencode_nb.kernel.values.bounds.muted import muted
from opencode_nb.kernel.values.describe import SECONDS
from opencode_nb.kernel.values.limits import INSPECTION
from opencode_nb.kernel.values.variables import PAGE
from opencode_nb.tools.privacy import Level
from tests.kernel.values.conftest import Kernel, never, now, refused

FRAME = pandas.DataFrame({"city": ["Oslo", "Bergen"], "rain": [763.0, None]}, index=pandas.Index(["a", "b"], name="id"))
EXTRA = 1_000
"""Characters that names, notes and fences may add to a description."""


class Model:
    """Predicts rain."""

    shared: ClassVar = [1, 2]

    def __init__(self) -> None:
        self.coef_ = numpy.array([0.5, 1.5])

    @property
    def score(self) -> float:
        raise AssertionError

    def __getattr__(self, name: str) -> Any:
        raise AssertionError

    def fit(self) -> Model:
        return self

    def __repr__(self) -> str:
        return "Model(fitted)"


@dataclasses.dataclass(slots=True)
class Point:
    x: int
    label: str = "origin"


def test_variables_are_listed_a_line_each(kernel: Kernel) -> None:
    kernel.shell.user_ns.update(df=FRAME, n=5, word="hi", model=Model(), big=list(range(50)), api_key="hunter2")
    lines = kernel.text("variables").splitlines()
    assert lines == [
        "6 variables:",
        "df: pandas.DataFrame, 2 rows, 2 columns, 32 B",
        "n: int = 5",
        "word: str, length 2 = 'hi'",
        f"model: {__name__.partition('.')[0]}.Model",
        "big: list, length 50",
        "api_key: str",
    ]


@pytest.mark.parametrize(
    ("level", "told"),
    [
        (Level.NAMES, "2 variables:\ndf: pandas.DataFrame\nn: int\n[Withheld: "),
        (Level.SCHEMA, "2 variables:\ndf: pandas.DataFrame, 2 rows, 2 columns, 32 B\nn: int\n[Withheld: "),
        (Level.NONE, "[Withheld: "),
    ],
)
def test_variables_keep_the_level(kernel: Kernel, level: Level, told: str) -> None:
    kernel.shell.user_ns.update(df=FRAME, n=5)
    assert kernel.text("variables", level).startswith(told)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"filter": "df_*"}, "2 variables that match 'df_*':\ndf_a: int = 1\ndf_b: int = 2"),
        ({"filter": "B"}, "1 variables that match 'B':\ndf_b: int = 2"),
        ({"filter": "dff_a"}, "There are no variables that match 'dff_a'. Did you mean df_a or df_b?"),
        ({"offset": 9}, "There are only 3 variables: call with a smaller offset."),
        ({"offset": 1}, "Variables 2 to 3 of 3.\ndf_b: int = 2\nother: int = 3"),
        ({"offset": -1}, "`filter` is text, and `offset` a number from 0."),
        ({"filter": 5}, "`filter` is text, and `offset` a number from 0."),
    ],
)
def test_variables_are_filtered_and_paged(kernel: Kernel, arguments: dict[str, Any], told: str) -> None:
    kernel.shell.user_ns.update(df_a=1, df_b=2, other=3)
    assert kernel.text("variables", **arguments) == told


def test_the_pages_of_many_variables_have_each_once(kernel: Kernel) -> None:
    kernel.shell.user_ns.update({f"name{at}": at for at in range(250)})
    pages = [kernel.text("variables", offset=offset) for offset in range(0, 250, PAGE)]
    listed = [line.split(":")[0] for page in pages for line in page.splitlines()[1:]]
    assert listed == [f"name{at}" for at in range(250)]
    assert "For more, call with offset=100." in pages[0]
    assert "For more" not in pages[-1]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("df", ["2 rows, 2 columns", "city: str, rain: float64", "Index id: ", "rain: 1 missing, mean 763", "Bergen"]),
        ("df.city", ["`pandas.Series`, shape (2,)", "Oslo"]),
        ("df['rain']", ["`pandas.Series`", "763"]),
        ("df.iloc[0]", ["Oslo"]),
        ("model", ["Model(fitted)", "Predicts rain.", "coef_: numpy.ndarray, shape (2,), float64"]),
        ("model.coef_", ["shape (2,), float64", "[0.5 1.5]", "mean 1"]),
        ("model.coef_[0]", ["`numpy.float64`", "0.5"]),
        ("model.shared[-1]", ["`int`", "2"]),
        ("model.fit", ["def fit(self)"]),
        ("data['train'][1]['x']", ["`tuple`", "(1, 2)"]),
        ("data[('a', 1)]", ["pair"]),
        ("point.x", ["`int`", "7"]),
        ("numpy.pi", ["3.14159"]),
        ("Model", ["class Model:", "Predicts rain."]),
        ("len", ["There is no variable `len`."]),
        ("many", ["Types: 10,000 int", "… 9980 more"]),
        ("lazy", ["q: Int64", "not computed"]),
        ("polar", ["a: Int64, kind: Enum", "mean 1.5"]),
        ("empty", ["0 rows, 0 columns"]),
    ],
)
def test_a_value_is_inspected_by_its_path(kernel: Kernel, path: str, told: list[str]) -> None:
    data = {"train": [0, {"x": (1, 2)}], ("a", 1): "pair"}
    polar = polars.DataFrame({"a": [1, 2], "kind": polars.Series(["u", "v"], dtype=polars.Enum(["u", "v"]))})
    kernel.shell.user_ns.update(df=FRAME, model=Model(), data=data, point=Point(7), numpy=numpy, Model=Model)
    kernel.shell.user_ns.update(many=dict.fromkeys(range(10_000), 1), lazy=polars.LazyFrame({"q": [1]}), polar=polar)
    kernel.shell.user_ns.update(empty=pandas.DataFrame())
    text = kernel.text("inspect", name=path)
    for words in told:
        assert words in text


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("modle", "There is no variable `modle`. Did you mean model?"),
        ("nothing", "There is no variable `nothing`. Call variables"),
        ("model.score", "`score` of a `tests.Model` is computed by code."),
        ("model.missing", "stores no attribute `missing`"),
        ("counts['new']", "There is no such key. Keys: none."),
        ("items[9]", "A `list` has no such item: IndexError."),
        ("df['none']", "has no such item: KeyError."),
        ("polar['none']", "has no such item: ColumnNotFoundError."),
        ("counts[[1]]", "A `collections.defaultdict` has no such item: TypeError."),
        ("df.index.tz", "stores no attribute `tz`"),
        ("model[0]", "Reading an item of a `tests.Model` runs its code."),
        ("model.fit()", "This is no path to a value."),
        ("1 + 1", "This is no path to a value."),
        ("items[len]", "This is no path to a value."),
        ("[" * 5_000, "This is no path to a value."),
        ("", "This is no path to a value."),
    ],
)
def test_a_path_that_leads_nowhere_is_explained(kernel: Kernel, path: str, why: str) -> None:
    counts: defaultdict[str, list[int]] = defaultdict(list)
    kernel.shell.user_ns.update(model=Model(), counts=counts, items=[1], df=FRAME, polar=polars.DataFrame({"a": [1]}))
    result = kernel.result("inspect", name=path)
    assert result.failed
    assert why in "".join(piece.text for piece in result.outgoing.pieces)
    assert counts == {}


def test_a_secret_by_name_is_hidden_at_the_end_of_a_path(kernel: Kernel) -> None:
    kernel.shell.user_ns.update(config={"api_key": "hunter2", "nested": {"tokens": {"password": ["hunter2"]}}})
    for path in ("config", "config['api_key']", "config['nested']['tokens']['password'][0]"):
        assert "hunter2" not in kernel.text("inspect", name=path)


def test_what_a_value_says_to_models_is_preferred(kernel: Kernel) -> None:
    class Told:
        async def _ai_repr_(self, **_options: Any) -> dict[str, str]:
            return {"text/plain": "for models"}

    class Rich:
        def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, str], dict[str, str]]:
            return {"text/html": "<b>", "text/markdown": "**for people**"}, {}

    class Waiting:
        async def _ai_repr_(self) -> str:
            await asyncio.sleep(0)
            return "never"

        def __repr__(self) -> str:
            return "plain"

    kernel.shell.user_ns.update(told=Told(), rich=Rich(), waiting=Waiting())
    assert "for models" in kernel.text("inspect", name="told")
    assert "**for people**" in kernel.text("inspect", name="rich")
    assert "<b>" not in kernel.text("inspect", name="rich")
    assert "plain" in kernel.text("inspect", name="waiting")
    assert "for models" not in kernel.text("inspect", Level.SUMMARY, name="told")


class Raising:
    def __repr__(self) -> str:
        raise SystemExit("leave")


class Hanging:
    def __repr__(self) -> str:
        while True:
            try:
                threading.Event().wait(0.01)
            except Exception:
                print("still here")


class Printing:
    def __repr__(self) -> str:
        print("leaked")
        print("leaked", file=sys.stderr)
        return "printed"


class Huge:
    def __repr__(self) -> str:
        return "x" * 300_000_000


class Waiting(numpy.ndarray):
    @property
    def shape(self) -> Any:
        while True:
            threading.Event().wait(0.01)


class Lying:
    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise AssertionError

    __len__ = __iter__ = __getattr__ = None  # type: ignore[assignment]
    shape = dtype = property(lambda _self: 1 / 0)


ITSELF: list[Any] = []
ITSELF.append({"me": ITSELF})
LOOP = SimpleNamespace()
LOOP.me = LOOP


ODD: dict[str, Callable[[], object]] = {
    "raises": Raising,
    "hangs": Hanging,
    "prints": Printing,
    "long repr": Huge,
    "lies about its class": Lying,
    "hangs in a property": lambda: numpy.zeros(3).view(Waiting),
    "list in itself": lambda: ITSELF,
    "object in itself": lambda: LOOP,
    "million rows": lambda: pandas.DataFrame(numpy.zeros((1_000_000, 20))),
    "large cell": lambda: pandas.DataFrame({"big": ["y" * 10_000_000]}),
    "large polars cells": lambda: polars.DataFrame({"big": ["y" * 10_000_000] * 3}),
    "large array": lambda: numpy.zeros(10_000_000),
    "large texts": lambda: numpy.array(["z" * 1_000_000] * 10),
    "large dict": lambda: dict.fromkeys(range(10_000), "v" * 1_000),
    "large key": lambda: {"k" * 1_000_000: 1},
    "large text": lambda: "s" * 100_000_000,
    "large bytes": lambda: b"s" * 100_000_000,
    "lazy frame": lambda: polars.LazyFrame({f"c{at}": [1] for at in range(1_000)}),
    "wide frame": lambda: pandas.DataFrame({f"c{at}": [1] for at in range(3_000)}),
    "module": lambda: sys,
    "class": lambda: Model,
    "deep": lambda: [[[["deep"] * 99] * 99] * 99] * 99,
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("on_main", [now, None], ids=["main thread", "other thread"])
def test_no_value_is_too_much_to_look_at(
    kernel: Kernel, capfd: pytest.CaptureFixture[str], odd: str, on_main: OnMain | None
) -> None:
    kernel.shell.user_ns.update(it=ODD[odd]())
    began = time.monotonic()
    for tool, arguments in (("variables", {}), ("inspect", {"name": "it"})):
        result = kernel.result(tool, on_main=on_main, **arguments)
        text = kernel.gate.let(result.outgoing, by=tool).text
        assert 0 < len(text) < INSPECTION.length + EXTRA
        assert len(str(result.shown)) < 4 * INSPECTION.length
    assert time.monotonic() - began < SECONDS + 10
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_a_repr_may_change_what_it_shows(kernel: Kernel) -> None:
    class Mutating(dict[int, int]):
        def __repr__(self) -> str:
            self.clear()
            return "gone"

    class Growing:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def __repr__(self) -> str:
            self.seen.append(1)
            return f"Growing({len(self.seen)})"

    kernel.shell.user_ns.update(mutating=Mutating({1: 2}), growing=Growing())
    assert "{1: 2}" in kernel.text("inspect", name="mutating")
    assert "Growing(1)" in kernel.text("inspect", name="growing")
    kernel.text("variables")
    assert kernel.shell.user_ns["mutating"] == {1: 2}
    assert kernel.shell.user_ns["growing"].seen == [1]


def test_no_code_of_the_users_runs_while_the_main_thread_is_busy(kernel: Kernel) -> None:
    class Ours(pandas.DataFrame):
        @property
        def _constructor(self) -> Any:
            raise AssertionError

    ran = []
    repring = type("Repring", (), {"__repr__": lambda _self: ran.append(1) or "ran"})()
    kernel.shell.user_ns.update(repring=repring, df=FRAME, ours=Ours(FRAME), nested=[repring])
    for on_main in (never, refused):
        result = kernel.result("inspect", on_main=on_main, name="df")
        assert "Bergen" in "".join(piece.text for piece in result.outgoing.pieces)
    for name in ("repring", "ours"):
        result = kernel.result("inspect", on_main=None, name=name)
        assert "when the kernel is not computing" in "".join(piece.text for piece in result.outgoing.pieces)
    assert "Repring>]" in kernel.text("inspect", name="nested")
    assert ran == []


def test_a_frame_is_shown_on_the_card_as_a_table(kernel: Kernel) -> None:
    kernel.shell.user_ns.update(df=FRAME, n=5)
    (block,) = kernel.result("inspect", name="df").shown
    assert block == {
        "kind": "table",
        "columns": ["city", "rain"],
        "dtypes": ["str", "float64"],
        "index": ["a", "b"],
        "rows": [["Oslo", "763"], ["Bergen", "nan"]],
        "size": "2 rows, 2 columns",
    }
    (block,) = kernel.result("inspect", name="n").shown
    assert block["kind"] == "value"


def test_only_the_muted_thread_is_muted(capsys: pytest.CaptureFixture[str]) -> None:
    own = sys.stdout
    with muted():
        print("dropped")
        other = threading.Thread(target=print, args=("heard",))
        other.start()
        other.join()
    print("after")
    assert capsys.readouterr().out == "heard\nafter\n"
    assert sys.stdout is own


def test_a_look_that_hangs_on_the_main_thread_is_given_up(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(function: Callable[[], Any]) -> Any:
        function()
        await asyncio.Event().wait()

    monkeypatch.setattr(looking, "LATEST", 0.01)
    assert "does not react to interrupts" in kernel.result("variables", on_main=stuck).outgoing.pieces[0].text


def test_arrays_and_frames_of_other_libraries_are_told(kernel: Kernel) -> None:
    values = xarray.DataArray([1.0, 2.0], dims=["x"], attrs={"api_key": "hunter2"})
    dataset = xarray.Dataset({"temperature": values, "token": ("x", ["hunter2", "hunter2"])}, attrs={"by": "ada"})
    arrow = pyarrow.table({"a": [1.5, None], "city": ["Oslo", "Bergen"], "password": ["hunter2", "hunter2"]})
    kernel.shell.user_ns.update(values=values, dataset=dataset, arrow=arrow, column=arrow["city"])
    told = {
        "values": (["shape (2,), float64"], ["array([1., 2.])"]),
        "dataset": (["Dimensions: x: 2", "temperature ('x',): float64"], ["1.0 2.0", "'by': 'ada'"]),
        "arrow": (["2 rows, 3 columns", "a: double, city: string"], ["Bergen", "1 missing"]),
        "column": (["type string, length 2"], ["Bergen"]),
    }
    for name, (schema, data) in told.items():
        full, little = kernel.text("inspect", name=name), kernel.text("inspect", Level.SCHEMA, name=name)
        assert [words for words in (*schema, *data) if words not in full] == []
        assert [words for words in schema if words not in little] == []
        assert [words for words in data if words in little] == []
        assert "hunter2" not in full


def test_a_lazy_frame_of_another_library_is_told_through_narwhals(kernel: Kernel) -> None:
    relation = duckdb.sql("SELECT 7351 AS rain, 'Oslo' AS city")
    kernel.shell.user_ns.update(relation=relation)
    assert "rain: Int32, city: String" in kernel.text("inspect", Level.SCHEMA, name="relation")
    assert "7351" not in kernel.text("inspect", Level.SUMMARY, name="relation")
