"""A kernel that is started again goes on with the session that its notebook used last, where that is what is meant."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from opencode_nb.demo import DemoModel
from tests.magics.support_kernel import Kernel, printed
from tests.support import isolation

LOAD = "%load_ext opencode_nb"


@pytest.fixture
def kernel(opencode_program: Path, server_model: DemoModel, project: Path) -> Iterator[Kernel]:
    """A kernel that Jupyter's server has started for a notebook in the project."""
    config, notebook = json.dumps(server_model.config()), str(project / "work.ipynb")
    shared = {"OPENCODE_CONFIG_CONTENT": config, "OPENCODE_NB_GRACE": isolation.LONG_GRACE}
    kernel = Kernel(project, {**os.environ, **shared, "JPY_SESSION_NAME": notebook})
    kernel.run(LOAD)
    yield kernel
    kernel.close()


def prompt(kernel: Kernel, text: str, options: str = "") -> tuple[str, str]:
    """Run a prompt; return what the cell printed, and the session's id."""
    said = printed(kernel.run(f"%%prompt -o turn {options}\n{text}"))
    return said, printed(kernel.run("turn.session.id"))


def restart(kernel: Kernel) -> None:
    kernel.restart()
    kernel.run(LOAD)


def test_a_restarted_kernel_continues_the_session_unless_new_is_given(kernel: Kernel) -> None:
    said, first = prompt(kernel, "Say exactly: one")
    assert "Continuing" not in said
    restart(kernel)
    said, second = prompt(kernel, "Say exactly: two")
    assert "Continuing session " in said
    assert "`--new` starts another." in said
    assert second == first
    restart(kernel)
    assert "Continuing session " in printed(kernel.run("panel = get_ipython().run_line_magic('opencode', 'chat')"))
    assert printed(kernel.run("panel.session.id")) == first
    restart(kernel)
    said, third = prompt(kernel, "Say exactly: three", "-n")
    assert "Continuing" not in said
    assert third != first
    restart(kernel)
    said, again = prompt(kernel, "Say exactly: three")
    assert "Continuing" not in said, "the session's first prompt runs the notebook again"
    assert again not in (first, third)
