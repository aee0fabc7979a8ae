"""What leaves by mentions, values in a text and notes keeps the level, and never has a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb.kernel.context import session_context
from opencode_nb.kernel.context.expressions import in_text
from opencode_nb.kernel.context.session_context import SessionContext
from opencode_nb.tools.privacy import Level

MARK = "Zq7marked"
SECRET = "Xw9-hunter2-hunter2-Xw9"


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}), colors="nocolor")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_context, "get_ipython", lambda: shell)
        session_context.SessionContext("").note()  # notes the cells from now on
        yield shell
    shell.restore_sys_module_state()


async def agents() -> set[str]:
    return set()


def parts(level: Level, text: str) -> list[dict[str, Any]]:
    context = SessionContext("ses_it")
    context.settle(level)
    return [*asyncio.run(context.mentioned(text, agents, Path())), *context.note()]


marked = st.text("abc", max_size=3).map(lambda text: f"{MARK}{text}")
plain = marked | st.integers(10**6, 10**9).map(lambda number: f"{MARK}{number}")
values = st.one_of(
    plain,
    st.lists(plain, min_size=1, max_size=4),
    st.dictionaries(marked, plain, min_size=1, max_size=3),
    st.lists(plain, min_size=1, max_size=4).map(lambda column: pandas.DataFrame({"city": column})),
    st.lists(plain, min_size=1, max_size=4).map(lambda column: pandas.DataFrame({"n": 1}, index=column)),
    st.lists(plain, min_size=1, max_size=4).map(lambda column: pandas.Series(column, dtype="category")),
    st.lists(plain, min_size=1, max_size=4).map(lambda column: polars.DataFrame({"city": column})),
    plain.map(ValueError),
    st.lists(plain, min_size=1, max_size=2).map(lambda items: {"nested": [tuple(items)]}),
)


@settings(max_examples=40, deadline=None)
@given(value=values, level=st.sampled_from([Level.NONE, Level.NAMES, Level.SCHEMA]))
def test_below_the_level_full_no_data_leaves(shell: InteractiveShell, value: object, level: Level) -> None:
    shell.user_ns.update(value=value)
    told = parts(level, "See @value")
    context = SessionContext("ses_it")
    context.settle(level)
    let = context.gate.let(in_text("value", value), by="mention")
    assert MARK not in str(told) + let.text
    assert MARK not in str(context.gate.ledger)


def test_cells_errors_and_sources_are_data(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell(f"print('{MARK}'); '{MARK}'", store_history=True)
    shell.run_cell(f"raise ValueError('{MARK}')", store_history=True)
    capsys.readouterr()
    last = shell.execution_count - 1
    text = f"@err @cell @In[{last}] @Out[{last - 1}]"
    assert str(parts(Level.FULL, text)).count(MARK) >= 4
    for level in (Level.NONE, Level.NAMES, Level.SCHEMA, Level.SUMMARY):
        assert MARK not in str(parts(level, text))
    assert "ValueError" in str(parts(Level.NAMES, text))


@pytest.mark.parametrize("level", Level)
def test_at_no_level_a_secret_leaves(shell: InteractiveShell, level: Level, capsys: pytest.CaptureFixture[str]) -> None:
    shell.user_ns.update(api_key=SECRET, copy=SECRET, frame=pandas.DataFrame({"token": [SECRET], "note": [SECRET]}))
    shell.run_cell("print(api_key); raise ValueError(api_key)", store_history=True)
    capsys.readouterr()
    text = f"@api_key @copy @frame @err @cell @In[{shell.execution_count - 1}]"
    assert SECRET not in str(parts(level, text))
    assert "hunter2" not in str(parts(level, text))
