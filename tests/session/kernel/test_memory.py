"""Undo and redo of a session take the kernel's memory along, against the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, text, tool
from opencode_nb.diffs.memory import KernelChanges
from opencode_nb.kernel.cells.tools import Notebook
from opencode_nb.kernel.memory.budget import Budget
from opencode_nb.kernel.memory.turns import Turns
from opencode_nb.kernel.undo import Undo
from opencode_nb.server import Server
from opencode_nb.session.kernel.memory import GONE
from opencode_nb.session.prompt import listing


@pytest.fixture
def session(server: Server, project: Path, demo_model: DemoModel) -> Iterator[oc.Session]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project, permission="allow") as ai:
        yield ai.session()


def run(session: oc.Session, turns: Turns, turn: oc.Turn, code: str, namespace: dict[str, Any]) -> KernelChanges:
    """Run code as the agent's, as the kernel's tool does."""
    turns.before(turn.id)
    exec(code, namespace)
    changes = turns.after(turn.id)
    session._async.note_kernel(turn.id, changes)
    return changes


def test_undo_takes_variables_and_files_back_and_redo_brings_both(
    session: oc.Session, demo_model: DemoModel, project: Path
) -> None:
    namespace: dict[str, Any] = {"__builtins__": {}, "rows": [1, 2]}
    turns = Turns(namespace, budget=Budget(seconds=60))
    session._async.memory = Undo(turns, Notebook(session.id))
    file = project / "new.txt"
    demo_model.queue([[tool("write", filePath=str(file), content="x\n")], [text("Done.")]])
    turn = session.prompt("go")
    assert turn.kernel is None
    changes = run(session, turns, turn, "rows += [3]; model = 1", namespace)
    assert turn.kernel == changes == turn.diff().kernel
    assert "M rows (changed in place, list, length 2 → length 3)" in turn._repr_mimebundle_()[0]["text/plain"]

    undone = session.undo()
    assert (namespace["rows"], "model" in namespace, file.exists()) == ([1, 2], False, False)
    assert "Restored in the kernel: model, rows." in listing.undone(undone)

    redone = session.redo()
    assert (namespace["rows"], namespace["model"], file.exists()) == ([1, 2, 3], 1, True)
    assert "Restored in the kernel: model, rows." in listing.redone(redone)


def test_a_variable_that_the_user_changed_since_is_kept_and_named(session: oc.Session, demo_model: DemoModel) -> None:
    namespace: dict[str, Any] = {"__builtins__": {}, "rows": [1]}
    turns = Turns(namespace, budget=Budget(seconds=60))
    session._async.memory = Undo(turns, Notebook(session.id))
    demo_model.queue([[text("Done.")]])
    turn = session.prompt("go")
    run(session, turns, turn, "rows += [2]; model = 1", namespace)
    namespace["rows"].append("mine")
    undone = session.undo()
    assert undone.kernel is not None
    assert undone.kernel.refused == (("rows", "you changed it since"),)
    assert namespace["rows"] == [1, 2, "mine"]
    assert "model" not in namespace


def test_after_a_restart_of_the_kernel_files_only_are_restored(session: oc.Session, demo_model: DemoModel) -> None:
    demo_model.queue([[text("Done.")]])
    turn = session.prompt("go")
    session._async.note_kernel(turn.id, KernelChanges(environment=("random state",)))
    assert GONE in str(session.undo())


def test_turns_that_ran_no_code_say_nothing_of_the_kernel(session: oc.Session, demo_model: DemoModel) -> None:
    session._async.memory = Undo(Turns({}), Notebook(session.id))
    demo_model.queue([[text("Done.")]])
    session.prompt("go")
    assert session.undo().kernel is None
