"""More sessions than the server lists unasked: all are there, wherever sessions are listed or looked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.completer import CompletionContext

import opencode_nb as oc
from opencode_nb.magics.completion import Completion
from opencode_nb.magics.line import LineMagic
from opencode_nb.magics.workspace import Workspace
from opencode_nb.portal import run
from opencode_nb.server import Server
from tests.conftest import make_project
from tests.widgets.panel import Panel
from tests.widgets.wire import Wire

COUNT = 138
"""The server gives 100 unless it is told how many."""
AT_ONCE = 5


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the sessions."""
    return make_project(tmp_path_factory.mktemp("many") / "project", snapshots=False)


@pytest.fixture(scope="module")
def made(server: Server, place: Path) -> list[str]:
    """The ids of `COUNT` sessions, number 0 to 137, oldest first; number 2 is archived."""
    ids = run(_make, server, place)  # on the package's thread: this one's loop may be the browser's
    with oc.Client(server.url, password=server.password, directory=str(place)) as client:
        client.session.update(ids[2], time={"archived": int(time.time() * 1000)})
    return ids


async def _make(server: Server, place: Path) -> list[str]:
    async with oc.AsyncClient(server.url, password=server.password, directory=str(place)) as client:
        made: list[str] = []
        for begin in range(0, COUNT, AT_ONCE):
            numbers = range(begin, min(begin + AT_ONCE, COUNT))
            created = await asyncio.gather(*(client.session.create(title=f"number {n}.") for n in numbers))
            made += [session.id for session in created]
        return made


@pytest.fixture
def workspace(server: Server, place: Path, made: list[str]) -> Iterator[Workspace]:
    workspace = Workspace()
    workspace.configure(base_url=server.url, password=server.password, directory=place)
    yield workspace
    workspace.close()


def test_sessions_lists_all_but_archived_ones(workspace: Workspace, made: list[str]) -> None:
    listed = [info["id"] for info in workspace.ai.sessions()]
    assert set(listed) == {*made} - {made[2]}
    assert {info["id"] for info in workspace.ai.sessions(archived=True)} == {*made}
    assert [info["id"] for info in workspace.ai.sessions(limit=110)] == listed[:110]
    assert {info["title"] for info in workspace.ai.sessions(search="number 1")} >= {"number 1.", "number 19."}
    assert workspace.ai.sessions(search="number 2.") == []
    assert workspace.ai.sessions(limit=0) == []
    with pytest.raises(ValueError, match="limit=-1"):
        workspace.ai.sessions(limit=-1)


@pytest.mark.parametrize("number", [0, 2, COUNT - 1])
def test_a_session_is_found_by_id_id_prefix_and_title(workspace: Workspace, made: list[str], number: int) -> None:
    line = LineMagic(workspace)
    for wanted in (made[number], made[number][:-6], f"number {number}.", f"NUMBER {number}."):
        workspace.session = None
        line.run(f"use {wanted}")
        assert workspace.session is not None
        assert workspace.session.id == made[number]
        with workspace.for_prompt(wanted) as session:
            assert session.id == made[number]


def test_find_raises_when_no_or_several_sessions_match(workspace: Workspace, made: list[str]) -> None:
    for wanted, says in (("ses_none", "No session matches 'ses_none'"), ("number 10", "11 sessions match 'number 10'")):
        with pytest.raises(oc.OpencodeError, match=says):
            workspace.find(wanted)


def test_using_a_session_of_another_directory_raises_with_the_next_step(
    workspace: Workspace, server: Server, project: Path
) -> None:
    with oc.Client(server.url, password=server.password, directory=str(project)) as client:
        elsewhere = client.session.create(title="Elsewhere").id
    with pytest.raises(oc.OpencodeError, match=f"switch to it with %opencode start -d {project}"):
        workspace.use(elsewhere)
    assert workspace.session is None


def test_status_and_sessions_commands_count_every_session(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    line = LineMagic(workspace)
    line.run("use number 137.")
    capsys.readouterr()
    line.run("status")
    assert f"({COUNT - 1} in this directory)" in capsys.readouterr().out
    line.run("sessions")
    *shown, more = capsys.readouterr().out.splitlines()
    assert (len(shown), more.split(":")[0]) == (20, f"{COUNT - 21} older ones are not shown")
    line.run("sessions --archived -n 1000")
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == COUNT
    assert [line.split()[0] for line in shown if line.endswith("(archived)")] == [workspace.find("number 2.").id]


def test_tab_completion_offers_every_session(workspace: Workspace, made: list[str]) -> None:
    workspace.ai.start()
    completion = Completion(workspace, LineMagic(workspace))
    typed = "%opencode use ses_"
    context = CompletionContext(token="ses_", full_text=typed, cursor_position=len(typed), cursor_line=0, limit=None)
    offered = [offer.text for offer in completion.matcher(context)["completions"]]
    assert {*offered} == {*made} - {made[2]}


def test_a_panel_lists_and_searches_every_session(workspace: Workspace, made: list[str], wire: Wire) -> None:
    panel = Panel(oc.chat(workspace.use(made[0])), wire)
    assert {item["id"] for item in panel.ask("sessions", search="")} == {*made} - {made[2]}
    assert [item["id"] for item in panel.ask("sessions", search="number 1.")] == [made[1]]
    assert panel.ask("sessions", search="number 2.") == []
    panel.panel.close()
