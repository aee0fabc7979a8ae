"""AGENTS.md written on request, and a session's messages page by page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import opencode_nb as oc
from opencode_nb.demo import DemoModel, text, tool
from opencode_nb.server import Server
from opencode_nb.session.incoming import history


@pytest.fixture
def ai(server: Server, project: Path, demo_model: DemoModel) -> Iterator[oc.Opencode]:
    with oc.Opencode(base_url=server.url, password=server.password, directory=project) as ai:
        yield ai


def test_init_has_the_agent_write_agents_md(ai: oc.Opencode, demo_model: DemoModel, project: Path) -> None:
    file = project / "AGENTS.md"
    demo_model.queue([tool("write", filePath=str(file), content="# Rules\n")], [text("Written.")])
    turn = ai.session().init(permission="allow")
    assert (turn.text, file.read_text()) == ("Written.", "# Rules\n")
    assert "AGENTS.md" in turn.prompt


def test_messages_are_returned_in_pages_from_the_end(ai: oc.Opencode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE", 2)  # so that a page of ours takes several of the server's
    session = ai.session()
    ids = [session.prompt(f"Note {number}.", no_reply=True).id for number in range(5)]

    def page(limit: int | None = None, before: str | None = None) -> list[str]:
        return [message["info"]["id"] for message in session.messages(limit=limit, before=before)]

    assert page() == ids
    assert page(limit=3) == ids[2:]
    assert page(limit=3, before=ids[2]) == ids[:2]
    assert page(before=ids[3]) == ids[:3]
    assert page(limit=3, before=ids[0]) == page(limit=0) == []
    with pytest.raises(oc.OpencodeError, match="no message msg_none"):
        page(limit=1, before="msg_none")
    with pytest.raises(ValueError, match="limit=-1"):
        page(limit=-1)
