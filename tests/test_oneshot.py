"""One prompt in one call, and what is kept between calls."""

from __future__ import annotations

from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, text
from opencode_nb.server import Server


def test_a_session_is_kept_until_a_call_without_keep(server: Server, project: Path, demo_model: DemoModel) -> None:
    place = {"base_url": server.url, "password": server.password, "directory": project}
    demo_model.queue(*([text(answer)] for answer in ("One.", "Two.", "Three.", "Four.")))
    first = oc.ask("First", keep=True, **place)
    second = oc.ask("Second", keep=True, system="Be brief.")
    assert (first.text, second.text) == ("One.", "Two.")
    assert first.session.id == second.session.id
    with pytest.raises(ValueError, match=r"directory= comes too late"):
        oc.ask("Elsewhere", keep=True, directory=project)
    last = oc.ask("Third")
    assert last.session.id == first.session.id
    assert not last.session.owner.started
    other = oc.ask("Fourth", **place)
    assert (other.text, other.session.owner.started) == ("Four.", False)
    assert other.session.id != first.session.id
