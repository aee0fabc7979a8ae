"""What a text mentions of the kernel: each form, right and wrong, and what is none."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb.errors import OpencodeError
from opencode_nb.kernel.context.cells import Cells
from opencode_nb.kernel.context.mentions import words
from opencode_nb.kernel.context.subjects import mistyped, subjects

FRAME = pandas.DataFrame({"city": ["Oslo"], "rain": [763]})
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
VARIABLES: dict[str, object] = {"frame": FRAME, "df": FRAME, "numbers": [1], "context": 1, "types": 2, "property1": 3}


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    config = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell(config=config, colors="nocolor")
    yield shell
    shell.restore_sys_module_state()


@pytest.fixture
def cells(shell: InteractiveShell) -> Cells:
    return Cells(shell)


Run = Callable[[str], None]


@pytest.fixture
def run(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda source: (shell.run_cell(source, store_history=True), capsys.readouterr(), None)[-1]


def names(text: str, variables: dict[str, object] = VARIABLES, cells: Cells | None = None) -> list[str]:
    return [subject.name for subject in subjects(text, variables, cells)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Plot @df", ["df"]),
        ("Plot @df, then @frame; and @df again", ["df", "frame"]),
        ("(@df)", ["df"]),
        ("@df.head() and @df[0]", ["df"]),
        ("@numbers.index", ["numbers"]),
        ('compare "@df"', ["df"]),
        ("mail ada@frame.org", []),
        ("@frame.csv and @df/x and @df-old", []),
        ("@nothing", []),
        ("`@df` and\n```\n@df\n```", []),
        ('{"@context": "x", "@types" : 1}', []),
        ("@property1\ndef area(self): ...", []),
        ("@property1\n@df.setter\n\tasync def area(self): ...", []),
        ("@property1 is what", ["property1"]),
        ("{{ @df }} {% if @frame %}", ["df", "frame"]),
        ("a @ df, @, @@df, @Df", []),
    ],
)
def test_variables_are_mentioned_in_prose_only(text: str, found: list[str]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("@fram", ["frame"]),
        ("@framee and @farme and @grame", ["frame"]),
        ("@numers.index", ["numbers"]),
        ("@typs", ["types"]),
        ("@frame", []),
        ("@fram.csv", []),
        ("@de", []),
        ("`@fram`", []),
        ('{"@type": 1}', []),
        ('"@type" and [@type]', []),
        ("@property\ndef area(self): ...", []),
        ("ada@fram.org", []),
        ("@frames/x", []),
        ("@joe and @alice", []),
    ],
)
def test_a_name_one_edit_away_from_a_variable_is_a_typing_error(text: str, meant: list[str]) -> None:
    assert sorted({name for found in mistyped(text, VARIABLES).values() for name in found}) == meant


@given(st.text() | st.from_regex(re.compile(r"[\w\s(.@\"'`\[\]{}:/-]*"), fullmatch=True))
def test_reading_mentions_never_fails_and_finds_only_what_stands_there(text: str) -> None:
    for word in words(text):
        assert f"@{word.name}" in text
    assert mistyped(text, {}) == {}
    assert subjects(text, {}, None) == []


def told(subject: Any) -> str:
    return "".join(piece.text for piece in subject.outgoing(True).pieces)


def test_cells_are_mentioned_by_number(shell: InteractiveShell, cells: Cells, run: Run) -> None:
    run("1 + 41")
    run("x = 'no value'")
    (value, source) = subjects("@Out[1] from @In[1]", {}, cells)
    assert "`Out[1]` in the notebook's kernel is a `int`" in told(value)
    assert "42" in told(value)
    assert told(source) == "The source of cell In[1]:\n```\n1 + 41\n```"
    for wrong in ("@Out[2]", "@In[9]", "@Out[x]", "@Out[]", "@out[1]", "@In[-1]"):
        with pytest.raises(OpencodeError, match=re.escape(f"There is no {wrong[1:]}.") + ".*Nothing was sent"):
            subjects(wrong, {}, cells)
    with pytest.raises(OpencodeError, match=r"Did you mean .*@Out\[1\]"):
        subjects("@Out[2]", {}, cells)
    assert names("`@Out[9]` and mail@Out[9] and @Out and @In", {}, cells) == []


def test_the_last_error_comes_with_its_cell_and_without_colours(cells: Cells, run: Run) -> None:
    assert cells.error is None
    with pytest.raises(OpencodeError, match="no cell has failed"):
        subjects("@err", {}, cells)
    run("def ratio(n):\n    return 1 / n\nratio(0)")
    run("y = 1")
    (error,) = subjects("Why @err?", {}, cells)
    said = told(error)
    assert "a `ZeroDivisionError`, in cell In[1]" in said
    assert 'File "Cell In[1]", line 2, in ratio' in said
    assert "division by zero" in said
    assert "ratio(0)\n```" in said
    assert "\x1b" not in said
    assert "interactiveshell" not in said


def test_a_cell_that_is_no_python_is_the_last_error_too(cells: Cells, run: Run) -> None:
    run("def (:")
    assert "SyntaxError" in told(subjects("@err", {}, cells)[0])


def test_the_cell_above_comes_with_what_it_printed_and_its_value(cells: Cells, run: Run) -> None:
    with pytest.raises(OpencodeError, match="none has run"):
        subjects("@cell", {}, cells)
    run("print('seen')\n[1, 2]")
    run("%opencode status")
    (cell,) = subjects("@cell", {}, cells)
    said = told(cell)
    assert "In[1]" in said
    assert "print('seen')" in said
    assert "seen\n```" in said
    assert "`Out[1]` in the notebook's kernel is a `list`" in said


def test_the_users_own_variable_comes_before_err_and_cell(cells: Cells) -> None:
    assert names("@err and @cell", {"err": 1.5, "cell": "x"}, cells) == ["err", "cell"]
    assert [one.kind for one in subjects("@err", {"err": 1.5}, cells)] == ["float"]


def test_a_figure_is_mentioned_with_its_picture() -> None:
    class Figure:
        def _repr_png_(self) -> bytes:
            return PNG

    (figure,) = subjects("@fig", {"fig": Figure()}, None)
    outgoing = figure.outgoing(True)
    assert outgoing.images == (PNG,)
    assert "1 x 1 pixels" in told(figure)


def test_a_figure_that_cannot_be_drawn_is_named() -> None:
    class Figure:
        def _repr_png_(self) -> bytes:
            raise RuntimeError

    (figure,) = subjects("@fig", {"fig": Figure()}, None)
    assert "could not be drawn: RuntimeError" in told(figure)
    assert figure.outgoing(True).images == ()


def test_arrays_are_described_as_before() -> None:
    (array,) = subjects("@array", {"array": numpy.arange(3)}, None)
    assert "`numpy.ndarray`" in told(array)
