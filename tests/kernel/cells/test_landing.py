"""Code that the agent runs by `python` stands in the notebook where the user wants it, and an undo takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.kernel.cells import pages
from opencode_nb.kernel.cells.landing import NO_CELL, NO_PAGE, NOT_TAKEN
from opencode_nb.kernel.cells.place import checked_place
from opencode_nb.kernel.cells.tools import CellTools
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.kernel.running.tools import running_tools
from opencode_nb.tools.tool import Call
from tests.kernel.cells.page import Page, shown
from tests.kernel.cells.test_without_page import served

SESSION = "ses_landing"


class Agent:
    """Runs code for turns of one session, while a prompt waits. `warned` is what people were told."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.runner = Runner(shell)
        self.warned: list[tuple[str, str, str]] = []
        self._cells = CellTools(shell, self.runner, lambda *told: self.warned.append(told))
        self.notebook = self._cells.of(SESSION)
        (self._python,) = [one for one in running_tools(self.runner, self._cells.land) if one.name == "python"]

    def run(self, code: str, turn: str = "turn") -> str:
        """Run code; return what the agent is told."""
        call = Call(SESSION, {"code": code}, "call", turn)
        result = served(partial(portal.start, self._python.call, call))
        return "".join(piece.text for piece in result.outgoing.pieces)


@pytest.fixture
def agent(shell: InteractiveShell) -> Iterator[Agent]:
    shell.execution_count = 7
    agent = Agent(shell)
    yield agent
    agent.runner.history.close()


@pytest.fixture
def page() -> Iterator[Page]:
    with shown(Page("%%prompt", "b"), SESSION) as page:
        yield page


def test_code_stands_below_the_prompt_in_order_and_is_undone_and_redone_with_its_outputs(
    agent: Agent, page: Page
) -> None:
    agent.notebook.sent("c0", "below")
    assert "this code is cell 1, id=" in agent.run("x = 20")
    agent.run("\nprint('hi')\nx + 1\n")
    assert page.sources == ["%%prompt", "x = 20", "print('hi')\nx + 1", "b"]
    printed, value = page.cells[2]["outputs"]
    assert (printed["text"], value["data"]) == ("hi\n", {"text/plain": "21"})
    assert page.cells[2]["execution_count"] == 7
    agent.run("1 / 0")
    assert page.cells[3]["outputs"][0]["ename"] == "ZeroDivisionError"
    before = list(page.cells)
    undone = portal.run(agent.notebook.changes.undo, ["turn"])
    assert (undone.restored, page.sources) == (("cell 4", "cell 3", "cell 2"), ["%%prompt", "b"])
    portal.run(agent.notebook.changes.redo, ["turn"])
    assert [(one["source"], one.get("outputs")) for one in page.cells] == [
        (one["source"], one.get("outputs")) for one in before
    ]


def test_the_code_of_a_panel_stands_below_the_selected_cell_and_goes_on_where_one_was_deleted(
    agent: Agent, page: Page
) -> None:
    agent.notebook.sent("", "below")
    page.selected = ["c0"]
    agent.run("1")
    assert page.sources == ["%%prompt", "1", "b"]
    del page.cells[1]
    agent.run("2")
    assert page.sources == ["%%prompt", "b", "2"]


def test_a_given_cell_takes_all_of_a_turns_code_after_what_it_has(agent: Agent, page: Page) -> None:
    agent.notebook.sent("c0", "c1")
    agent.run("x = 20\nprint(x)")
    agent.run("x + 1")
    assert page.sources == ["%%prompt", "b\n\nx = 20\nprint(x)\n\nx + 1"]
    assert [one["output_type"] for one in page.cells[1]["outputs"]] == ["stream", "execute_result"]
    portal.run(agent.notebook.changes.undo, ["turn"])
    assert page.sources == ["%%prompt", "b"]


@pytest.mark.parametrize("place", ["card", "c1"])
def test_what_did_not_run_and_what_is_for_the_card_stays_there(agent: Agent, page: Page, place: str) -> None:
    agent.notebook.sent("c0", place)
    agent.run("await thing" if place == "c1" else "1")
    assert page.sources == ["%%prompt", "b"]


def test_a_notebook_that_cannot_take_the_code_is_told_once(agent: Agent, page: Page) -> None:
    agent.notebook.sent("of another notebook on this kernel", "below")
    assert NO_PAGE in agent.run("1")
    assert "notebook" not in agent.run("2")
    agent.notebook.sent("c0", "c9")
    assert NO_CELL.format("c9") in agent.run("3", "second")
    page.silent = "insert"
    agent.notebook.sent("c0", "below")
    assert f"do not run it again. It is not in the notebook: {NOT_TAKEN}" in agent.run("4", "third")
    assert [told for _session, _turn, told in agent.warned] == [NO_PAGE, NO_CELL.format("c9"), NOT_TAKEN]
    assert page.sources == ["%%prompt", "b"]


def test_a_misspelt_place_is_no_id() -> None:
    assert [checked_place(text) for text in ("card", "below", "1f2e3d4c", "cell-1")][2:] == ["1f2e3d4c", "cell-1"]
    for text, told in (("belwo", "Did you mean below?"), ("cards", "Did you mean card?"), ("", "use card, below or")):
        with pytest.raises(ValueError, match=told.replace("?", r"\?")):
            checked_place(text)


def test_the_view_in_which_a_prompt_was_sent_is_asked_first(page: Page) -> None:
    other = Page("other", path="b.ipynb")
    end = pages.add(other, lambda: SESSION)
    pages.prefer(page)
    found = portal.run(pages.find, SESSION)
    assert found is not None
    assert found.path == "a.ipynb"
    end()
