"""The tools for cells as the agent calls them: what people were shown is what is done, and nothing that ran is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from opencode_nb import portal
from opencode_nb.kernel import notebook
from opencode_nb.kernel.cells import file
from opencode_nb.kernel.cells.place import CARD
from opencode_nb.kernel.cells.tools import CellTools, Notebook
from opencode_nb.kernel.running.runner import Runner
from opencode_nb.tools.tool import Call, Result
from tests.kernel.cells.page import Page, shown
from tests.kernel.cells.test_without_page import served

SESSION = "ses_tools"


class Agent:
    """Calls the tools of one session, while a prompt waits."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.runner = Runner(shell)
        made = CellTools(shell, self.runner)
        self._tools = {tool.name: tool for tool in made.tools}
        self.kept: Notebook = made.of(SESSION)

    def preview(self, name: str, call: str = "call", **given: Any) -> tuple[dict[str, Any], ...]:
        show = self._tools[name].preview
        assert show is not None
        return show(Call(SESSION, given, call))

    def call(self, name: str, call: str = "call", *, edited: bool = False, **given: Any) -> Result:
        tool = self._tools[name]
        return served(lambda: portal.start(tool.call, Call(SESSION, given, call, "turn", edited)))


def text(result: Result) -> str:
    return "".join(piece.text for piece in result.outgoing.pieces)


@pytest.fixture
def agent(shell: InteractiveShell) -> Iterator[Agent]:
    agent = Agent(shell)
    yield agent
    agent.runner.history.close()


@pytest.fixture
def page() -> Iterator[Page]:
    with shown(Page("1 + 1", "b"), SESSION) as page:
        yield page


@pytest.mark.parametrize("index", ["3", None, -1, 1.5, True, [1]])
def test_arguments_that_are_wrong_have_no_preview_and_an_answer(agent: Agent, page: Page, index: Any) -> None:
    agent.call("cells")
    assert agent.preview("move_cell", id="c0", index=index) == ()
    result = agent.call("move_cell", id="c0", index=index)
    assert result.failed
    assert "number from 0" in text(result)


def test_a_cell_that_was_read_after_the_request_was_shown_is_not_run(agent: Agent, page: Page) -> None:
    assert agent.preview("run_cell", "run", id="c0") == ()
    agent.call("cells")
    result = agent.call("run_cell", "run", id="c0")
    assert result.failed
    assert "not shown the cell as you know it now" in text(result)


def test_a_cell_that_the_agent_changed_after_the_request_was_shown_is_not_run(agent: Agent, page: Page) -> None:
    agent.call("cells")
    assert agent.preview("run_cell", "run", id="c0")[0]["before"] == "1 + 1"
    agent.call("edit_cell", id="c0", source="boom")
    assert "not shown" in text(agent.call("run_cell", "run", id="c0"))


def test_the_agent_is_told_what_the_user_wrote_instead(agent: Agent, page: Page) -> None:
    agent.call("cells")
    told = text(agent.call("edit_cell", edited=True, id="c0", source="the user's"))
    assert told.endswith("The user changed your source before accepting it. What was written:\nthe user's")
    assert "What was written" not in text(agent.call("insert_cell", source="x"))
    page.cells[0]["source"] = "typed meanwhile"
    refused = agent.call("edit_cell", edited=True, id="c0", source="once more")
    assert refused.failed
    assert page.sources[0] == "typed meanwhile"


def test_what_ran_is_told_though_its_outputs_cannot_be_shown(agent: Agent, page: Page) -> None:
    agent.call("cells")
    page.changes_before = "outputs"
    result = agent.call("run_cell", id="c0")
    assert not result.failed
    assert "2" in text(result)
    assert "The code has run; do not run it again." in text(result)


def test_a_page_that_does_not_answer_is_not_taken_for_none(agent: Agent, page: Page) -> None:
    """A second insertion, as the next input, would make two of one."""
    page.silent = "insert"
    result = agent.call("insert_cell", source="x = 1")
    assert result.failed
    assert "not known whether this was done" in text(result)


def two_notebooks(agent: Agent) -> tuple[Page, Page]:
    """Show the session in two notebooks of the kernel, the second one last; a prompt in the first waits."""
    first, second = Page("1 + 1", "b", path="first.ipynb"), Page("x", path="second.ipynb")
    second.cells[0]["id"] = "other"
    agent.kept.sent("c0", CARD)
    return first, second


def test_undo_acts_on_the_notebook_that_the_turn_changed(agent: Agent) -> None:
    first, second = two_notebooks(agent)
    with shown(first, SESSION), shown(second, SESSION):
        agent.call("cells")
        agent.call("edit_cell", id="c0", source="2 + 2")
        agent.call("delete_cell", id="c1")
        agent.kept.sent("other", CARD)
        agent.call("cells")
        agent.call("edit_cell", id="other", source="y")
        assert (first.sources, second.sources) == (["2 + 2"], ["y"])
        undone = portal.run(agent.kept.changes.undo, ["turn"])
        assert (first.sources, second.sources) == (["1 + 1", "b"], ["x"])
        assert not undone.refused


def test_the_file_of_each_open_notebook_is_closed_to_other_tools(
    agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "current", lambda: notebook.Notebook(tmp_path / "first.ipynb", "kernel-1"))
    first, second = two_notebooks(agent)
    with shown(first, SESSION), shown(second, SESSION):
        refused = {
            name: portal.run(file.refusal, SESSION, tmp_path / f"{name}.ipynb") for name in ("first", "second", "third")
        }
    assert refused == {"first": file.LEADS, "second": file.LEADS, "third": ""}
