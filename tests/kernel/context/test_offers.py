"""What is offered after an `@`: variables, the last error and cell, and cells by number once one is asked for."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from opencode_nb.kernel.context import offers
from opencode_nb.kernel.context.cells import cells_of
from opencode_nb.session.prompt import completion


def offered(text: str) -> list[str]:
    word = completion.word_at(text, len(text))
    assert word is not None
    return [one.label for one in completion.mentions(word, [], [], offers.offered(text))]


def test_cells_values_and_errors_are_offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}), colors="nocolor")
    monkeypatch.setattr(offers, "get_ipython", lambda: shell)
    cells_of(shell)
    for source in ("output = 1", "1 + 1", "1 / 0"):
        shell.run_cell(source, store_history=True)
    capsys.readouterr()
    assert offered("See @o") == ["@Out[2]", "@output"]
    assert offered("See @Out[") == ["@Out[2]"]
    assert offered("See @In[") == ["@In[3]", "@In[2]", "@In[1]"]
    assert offered("See @e")[0] == "@err"
    assert offered("See @cel") == ["@cell"]
    assert offers.offered("@")["err"] == "the last error: ZeroDivisionError"
    assert not any(name.startswith("Out") for name in offers.offered("@"))
    shell.restore_sys_module_state()
